"""A gate people trust: right intervals, right verdicts, and a name for every way not to know."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_lifecycle.core.checks import Verdict
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.metrics import METRICS
from model_lifecycle.core.quality import BASELINE, compare, compare_apart, measure


def world(seed: int, rows: int, skill: float = 1.0, other: float = 1.0) -> tuple[Any, Any, Any]:
    """Labels of known probability, and two models that know that much of it."""
    rng = np.random.default_rng(seed)
    signal, noise = rng.normal(size=(2, rows))
    labels = (rng.random(rows) < 1 / (1 + np.exp(-signal))).astype(int)
    ours, theirs = (1 / (1 + np.exp(-(know * signal + (1 - know) * noise))) for know in (skill, other))
    return labels, ours, theirs


@pytest.mark.parametrize("metric", METRICS)
def test_an_interval_of_95_per_cent_covers_the_truth_about_that_often(metric: str) -> None:
    truth = measure(metric, *world(1, 400_000, 0.7)[:2]).value
    found = [measure(metric, *world(seed, 600, 0.7)[:2]) for seed in range(2, 302)]
    assert 0.91 <= np.mean([one.low <= truth <= one.high for one in found]) <= 0.985


@pytest.mark.parametrize("metric", METRICS)
def test_the_interval_of_the_improvement_covers_it_about_that_often(metric: str) -> None:
    big = compare(metric, *world(1, 400_000, 0.8, 0.6)).details["improvement"]
    found = [compare(metric, *world(seed, 600, 0.8, 0.6)).details for seed in range(2, 302)]
    assert 0.91 <= np.mean([one["low"] <= big <= one["high"] for one in found]) <= 0.985


@pytest.mark.parametrize("metric", METRICS)
def test_a_better_candidate_passes_a_worse_one_fails_and_few_rows_cannot_tell(metric: str) -> None:
    labels, better, worse = world(0, 20_000, 0.9, 0.3)
    assert compare(metric, labels, better, worse).verdict is Verdict.PASS
    assert compare(metric, labels, worse, better).verdict is Verdict.FAIL
    assert compare(metric, labels[:499], better[:499], worse[:499]).verdict is Verdict.INCONCLUSIVE
    assert compare(metric, labels, better, worse, margin=10).verdict is Verdict.FAIL
    assert compare(metric, labels, worse, better, margin=-10).verdict is Verdict.PASS


@pytest.mark.parametrize("metric", METRICS)
def test_equally_good_models_are_inconclusive_unless_a_loss_is_tolerated(metric: str) -> None:
    labels, ours, _ = world(3, 20_000, 0.7)
    theirs = np.clip(ours + np.random.default_rng(4).normal(0, 1e-4, len(ours)), 0, 1)
    assert compare(metric, labels, ours, theirs, margin=-0.01).verdict is Verdict.PASS
    assert compare(metric, labels, ours, theirs, margin=0.01).verdict is Verdict.FAIL


@pytest.mark.parametrize("metric", METRICS)
def test_the_same_model_twice_is_surely_no_worse(metric: str) -> None:
    labels, ours, _ = world(3, 1000)
    answer = compare(metric, labels, ours, ours)
    assert (answer.verdict, answer.details["low"], answer.details["high"]) == (Verdict.PASS, 0, 0)


def test_a_candidate_that_is_only_luckier_rarely_passes() -> None:
    rng = np.random.default_rng(0)
    answers = [compare("brier", rng.integers(0, 2, 800), rng.random(800), rng.random(800)) for _ in range(400)]
    assert np.mean([answer.verdict is Verdict.PASS for answer in answers]) <= 0.05


@pytest.mark.parametrize("metric", METRICS)
def test_without_a_champion_the_candidate_must_beat_the_best_constant(metric: str) -> None:
    labels, ours, _ = world(5, 5000, 0.9)
    answer = compare(metric, labels, ours)
    assert answer.details["baseline"] == BASELINE
    assert BASELINE in answer.reason
    if metric in {"recall", "f1"}:  # who always answers 1 misses none
        assert answer.verdict is not Verdict.PASS
    elif metric not in {"mae", "rmse"}:  # a probability is no good guess of a number
        assert answer.verdict is Verdict.PASS
    shuffled = np.random.default_rng(0).permutation(ours)
    assert compare(metric, labels, shuffled).verdict is not Verdict.PASS


def test_the_base_rate_itself_cannot_be_beaten_by_a_model_without_skill() -> None:
    labels, _, _ = world(5, 5000)
    answer = compare("log_loss", labels, np.full(5000, 0.4))
    assert answer.verdict is Verdict.FAIL
    assert answer.details["champion"]["value"] == pytest.approx(np.log(2), abs=0.01)


@pytest.mark.parametrize(
    ("candidate", "champion", "verdict", "words"),
    [
        ([np.nan] * 600, [0.5] * 600, Verdict.FAIL, "the candidate answered nothing, NaN"),
        ([0.5] * 600, [None] * 600, Verdict.ERROR, "the champion answered nothing, NaN"),
        ([1.01] * 600, [0.5] * 600, Verdict.FAIL, "the candidate answered outside of 0 to 1"),
    ],
)
def test_a_sick_model_is_named(candidate: list[Any], champion: list[Any], verdict: Verdict, words: str) -> None:
    answer = compare("log_loss", [0, 1] * 300, candidate, champion)
    assert answer.verdict is verdict
    assert words in answer.reason


def test_labels_that_cannot_tell_are_named() -> None:
    assert compare("roc_auc", [1] * 600, [0.5] * 600, [0.5] * 600).verdict is Verdict.NO_DATA
    assert compare("log_loss", [], []).verdict is Verdict.NO_DATA
    rare = compare("log_loss", [1] * 9 + [0] * 600, [0.5] * 609, [0.4] * 609)
    assert rare.verdict is Verdict.INCONCLUSIVE
    assert "9 rows of the rarer class" in rare.reason


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(Invalid, match="2 predictions for 3 labels"):
        compare("log_loss", [0, 1, 1], [0.1, 0.2], [0.1, 0.2, 0.3])


def test_measuring_nothing_or_one_class_has_no_value() -> None:
    assert measure("roc_auc", [1, 1], [0.1, 0.2]).value is None
    assert measure("rmse", [], []).value is None


def test_measuring_a_sick_model_is_refused() -> None:
    with pytest.raises(Invalid, match="the model answered nothing, NaN"):
        measure("rmse", [1.0], [np.nan])


@settings(max_examples=200)
@given(
    st.sampled_from(sorted(METRICS)),
    st.lists(st.tuples(st.integers(0, 1), st.floats(), st.floats()), max_size=30),
    st.integers(0, 10),
)
def test_any_input_has_a_verdict_whose_evidence_is_json(
    metric: str, rows: list[tuple[int, float, float]], least: int
) -> None:
    labels, ours, theirs = ([row[place] for row in rows] for place in range(3))
    answer = compare(metric, labels, ours, theirs, min_samples=least, critical=False)
    text = json.dumps(answer.to_dict(), allow_nan=False)
    assert json.loads(text)["verdict"] in set(Verdict)
    assert answer.reason
    assert not answer.critical


def test_the_reason_can_be_read_aloud() -> None:
    reason = compare("log_loss", *world(0, 20_000, 0.9, 0.8), margin=-0.002).reason
    assert reason == (
        "log_loss 0.6025 against 0.6083 of the champion: improvement +0.0058, surely between +0.0049 and +0.0066; "
        "at least -0.002 is required"
    )


@pytest.mark.parametrize(("metric", "most"), [("accuracy", 1.0), ("precision", 1.0), ("recall", 1.0)])
def test_a_share_of_all_rows_still_has_an_interval(metric: str, most: float) -> None:
    found = measure(metric, [1] * 20, [0.9] * 20)
    assert (found.value, found.high) == (1.0, most)
    assert found.low == pytest.approx(0.8389, abs=1e-4)  # statsmodels' proportion_confint(20, 20, method="wilson")


@pytest.mark.parametrize("metric", METRICS)
def test_the_interval_of_a_difference_on_other_rows_covers_it_about_that_often(metric: str) -> None:
    def apart(seed: int, rows: int) -> dict[str, Any]:
        ours, theirs = world(seed, rows, 0.8), world(seed + 10_000, rows, 0.5)
        return compare_apart(metric, ours[:2], theirs[:2]).details

    big = apart(1, 400_000)["improvement"]
    found = [apart(seed, 600) for seed in range(2, 202)]
    assert 0.90 <= np.mean([one["low"] <= big <= one["high"] for one in found]) <= 0.99


def test_two_versions_on_other_rows_pass_fail_or_cannot_be_told_apart() -> None:
    good, bad = world(1, 5000, 0.9)[:2], world(2, 5000, 0.1)[:2]
    assert compare_apart("log_loss", good, bad).verdict is Verdict.PASS
    assert compare_apart("log_loss", bad, good).verdict is Verdict.FAIL
    assert compare_apart("log_loss", good, world(3, 100, 0.9)[:2]).verdict is Verdict.INCONCLUSIVE
    assert compare_apart("log_loss", good, ([], [])).verdict is Verdict.NO_DATA
    assert compare_apart("log_loss", (good[0], [np.nan] * 5000), bad).verdict is Verdict.FAIL
    assert compare_apart("precision", good, (bad[0], [0.1] * 5000)).verdict is Verdict.NO_DATA


def test_numbers_are_never_compared_with_texts() -> None:
    for call in (lambda: measure("accuracy", [0, 1], ["0", "1"]), lambda: compare("accuracy", ["0", "1"], [0, 1])):
        with pytest.raises(Invalid, match="labels are (numbers|texts) and predictions are (numbers|texts)"):
            call()


def test_precision_of_a_model_that_never_says_yes_is_no_data() -> None:
    assert compare("precision", [0, 1] * 400, [0.1] * 800).verdict is Verdict.NO_DATA
    assert measure("precision", [0, 1], [0.1, 0.2]).value is None
