"""Estimates against simulated worlds: right under covariate shift, and blind to concept drift, as the page says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.estimated import Past, estimate, pool_violators
from model_lifecycle.core.metrics import influence, known


def world(seed: int, rows: int, *, shift: float = 0.0, concept: float = 0.0, sure: float = 1.0) -> tuple[Any, Any]:
    """Labels and scores; ``shift`` moves the inputs, ``concept`` what they mean, ``sure`` spoils the calibration."""
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1.2, rows)
    labels = (rng.random(rows) < 1 / (1 + np.exp(-(x - concept)))).astype(float)
    return labels, 1 / (1 + np.exp(-sure * x))


def outcomes(metric: str, **today: float) -> tuple[float, float]:
    """How often the metric lay in the interval of its estimate, and how far off the estimates were on average."""
    sure, hits, off = today.get("sure", 1.0), [], []
    for seed in range(25):
        labels, scores = world(seed + 500, 1500, **today)
        found = estimate(metric, world(seed, 2000, sure=sure), scores, seed=seed).today
        value = influence(known(metric), labels, scores)[0]
        assert found.low is not None
        assert found.value is not None
        assert found.high is not None
        hits.append(found.low <= value <= found.high)
        off.append(value - found.value)
    return float(np.mean(hits)), float(np.mean(off))


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "f1"])
@pytest.mark.parametrize("today", [{}, {"shift": 0.6}, {"shift": -0.6, "sure": 1.6}])
def test_under_covariate_shift_the_metric_lies_in_its_interval(metric: str, today: dict[str, float]) -> None:
    hits, off = outcomes(metric, **today)
    assert hits >= 0.8
    assert abs(off) < 0.02


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "f1"])
def test_concept_drift_is_not_seen_and_the_page_says_so(metric: str) -> None:
    hits, off = outcomes(metric, concept=2.0)
    assert hits <= 0.1
    assert abs(off) > 0.05
    assert off > 0 if metric == "log_loss" else off < 0  # too good: that is why it decides nothing


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 10)), min_size=1, max_size=60))
def test_pooling_is_scikit_learns(pairs: list[tuple[float, float]]) -> None:
    values, weights = (np.array(column) for column in zip(*pairs, strict=True))
    assert pool_violators(values, weights) == pytest.approx(isotonic_regression(values, sample_weight=weights))


def test_the_same_rows_give_the_same_estimate() -> None:
    past, scores = world(1, 1000), world(2, 500)[1]
    assert estimate("log_loss", past, scores) == estimate("log_loss", past, scores)


def test_scores_that_the_past_never_saw_are_counted() -> None:
    _, scores = world(2, 1000, shift=5.0)
    assert estimate("accuracy", world(1, 1000), scores).outside > 0.5


def test_equal_scores_share_a_group() -> None:
    past = Past.of([0, 1] * 500, [0.25, 0.75] * 500)
    assert past.scores.tolist() == [0.25, 0.75]
    assert past.calibrated().tolist() == [0.0, 1.0]


def test_what_cannot_be_estimated_is_refused_or_has_no_value() -> None:
    past = world(1, 1000)
    with pytest.raises(Invalid, match="cannot be estimated"):
        estimate("mae", past, [0.5])
    with pytest.raises(Invalid, match="probabilities"):
        estimate("accuracy", past, [1.5])
    assert estimate("accuracy", past, []).today.value is None
    assert estimate("roc_auc", ([0.0] * 900, [0.1] * 900), [0.1] * 50).today.value is None
