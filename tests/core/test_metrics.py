"""The metrics against scikit-learn, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as oracle
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.metrics import METRICS, influence, known

ROWS = st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1, width=16)), min_size=2, max_size=80)
ORACLES = {
    "log_loss": lambda y, p: oracle.log_loss(y, p, labels=[0, 1]),
    "brier": lambda y, p: oracle.brier_score_loss(y, p, pos_label=1),
    "accuracy": lambda y, p: oracle.accuracy_score(y, p >= 0.5),
    "balanced_accuracy": lambda y, p: oracle.balanced_accuracy_score(y, p >= 0.5),
    "precision": lambda y, p: oracle.precision_score(y, p >= 0.5),
    "recall": lambda y, p: oracle.recall_score(y, p >= 0.5),
    "f1": lambda y, p: oracle.f1_score(y, p >= 0.5),
    "roc_auc": oracle.roc_auc_score,
    "mae": oracle.mean_absolute_error,
    "rmse": oracle.root_mean_squared_error,
    "r2": oracle.r2_score,
}


@pytest.mark.parametrize("name", METRICS)
@given(rows=ROWS)
def test_the_value_is_scikit_learns(name: str, rows: list[tuple[int, float]]) -> None:
    rows = [*rows, (0, 0.25), (1, 0.75)]
    truth, answers = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    value, moved = influence(known(name), truth, answers)
    assert value == pytest.approx(ORACLES[name](truth, answers), abs=1e-9)
    assert moved.sum() == pytest.approx(0, abs=1e-6)


@given(ROWS)
def test_the_error_of_the_area_is_delongs(rows: list[tuple[int, float]]) -> None:
    rows = [*rows, (0, 0.25), (0, 0.5), (1, 0.75), (1, 0.1)]
    truth, answers = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    ones, noughts = answers[truth == 1], answers[truth == 0]
    wins = (ones[:, None] > noughts).astype(float) + (ones[:, None] == noughts) / 2  # the definition, every pair
    expected = wins.mean(1).var(ddof=1) / len(ones) + wins.mean(0).var(ddof=1) / len(noughts)
    _, moved = influence(known("roc_auc"), truth, answers)
    assert moved @ moved / (len(truth) * (len(truth) - 1)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["log_loss", "brier", "roc_auc", "precision", "recall", "f1"])
@pytest.mark.parametrize("labels", [[0, 2], [0.5, 1], ["late", "early"], [0, None], [1, np.nan], [[0, 1, 1]]])
def test_labels_of_a_class_are_nought_and_one(name: str, labels: list[Any]) -> None:
    with pytest.raises(Invalid):
        known(name).labels(labels)


@pytest.mark.parametrize("values", [[0.1, 0.9], np.array([[0.9, 0.1], [0.1, 0.9]]), pd.DataFrame({"p": [0.1, 0.9]})])
def test_probabilities_come_in_three_shapes(values: Any) -> None:
    assert known("log_loss").predictions(values, 2).tolist() == [0.1, 0.9]


@pytest.mark.parametrize("values", [[0.1], [0.1] * 3, np.zeros((2, 3)), ["a", "b"], 0.5])
def test_other_shapes_are_refused(values: Any) -> None:
    with pytest.raises(Invalid):
        known("log_loss").predictions(values, 2)


@pytest.mark.parametrize(
    ("name", "answers", "words"),
    [
        ("mae", [1.0, np.nan], "nothing, NaN or beyond 1e+60 for 1 of 2 rows"),
        ("roc_auc", [np.inf, None], "for 2 of 2"),
        ("accuracy", ["a", None], "for 1 of 2"),
        ("log_loss", [1.5, 0.1], "outside of 0 to 1 for 1 of 2"),
        ("roc_auc", [1.5, 0.1], None),
        ("accuracy", ["a", "b"], None),
    ],
)
def test_a_sick_answer_is_described(name: str, answers: list[Any], words: str | None) -> None:
    metric = known(name)
    fault = metric.fault(metric.predictions(answers, 2))
    assert (words in fault) if words and fault else fault is words


def test_accuracy_takes_probabilities_or_labels() -> None:
    def accuracy(labels: list[Any], answers: list[Any]) -> float:
        metric = known("accuracy")
        return influence(metric, metric.labels(labels), metric.predictions(answers, len(labels)))[0]

    assert accuracy([0, 1, 1, 0], [0.2, 0.5, 0.4, 0.6]) == 0.5
    assert accuracy([0, 1, 1, 0], [0, 1, 0, 0]) == 0.75
    assert accuracy(["a", "b"], ["a", "c"]) == 0.5
    assert accuracy([3, 5], [3, 4]) == 0.5


def test_an_unknown_metric_names_the_known_ones() -> None:
    with pytest.raises(
        Invalid, match="log_loss, brier, accuracy, balanced_accuracy, precision, recall, f1, roc_auc, mae, rmse, r2"
    ):
        known("mape")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1, max_size=60))
def test_classes_of_any_names_are_counted_as_scikit_learn_does(rows: list[tuple[str, str]]) -> None:
    truth, answers = (np.array(column, dtype=object) for column in zip(*rows, strict=True))
    value, moved = influence(known("balanced_accuracy"), truth, answers)
    recalls = oracle.recall_score(truth, answers, average=None, labels=sorted(set(truth)), zero_division=0)
    assert value == pytest.approx(recalls.mean())
    assert moved.sum() == pytest.approx(0, abs=1e-9)
    assert influence(known("accuracy"), truth, answers)[0] == pytest.approx(oracle.accuracy_score(truth, answers))


@pytest.mark.parametrize("name", ["precision", "recall", "f1", "balanced_accuracy", "r2"])
def test_the_error_of_a_ratio_is_what_resampling_finds(name: str) -> None:
    rng = np.random.default_rng(11)
    answers = rng.random(1500)
    truth = (rng.random(1500) < answers**2).astype(float)
    _, moved = influence(known(name), truth, answers)
    draws = [rng.integers(0, 1500, 1500) for _ in range(400)]
    resampled = np.std([influence(known(name), truth[rows], answers[rows])[0] for rows in draws])
    assert moved @ moved / 1500**2 == pytest.approx(resampled**2, rel=0.25)


@pytest.mark.parametrize(
    ("name", "truth", "answers"),
    [
        ("precision", [0, 1], [0.1, 0.2]), ("recall", [0, 0], [0.9, 0.2]), ("f1", [0, 0], [0.1, 0.2]),
        ("roc_auc", [1, 1], [0.1, 0.2]), ("r2", [3, 3], [1.0, 2.0]),
    ],
)  # fmt: skip
def test_a_metric_that_divides_by_nothing_is_not_defined(name: str, truth: list[float], answers: list[float]) -> None:
    assert not known(name).defined(np.array(truth, dtype=float), np.array(answers))
