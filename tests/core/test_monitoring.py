from __future__ import annotations

import random

import pytest

from model_lifecycle.core.checks import Limit, Verdict, overall
from model_lifecycle.core.drift import PREDICTION
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.monitoring import DEFAULT_CHECKS, Drift, Health, Quality, Window
from model_lifecycle.core.profile import profile

ROWS = 2000


def window(shift: float = 0.0, noise: float = 0.1, **fields: object) -> Window:
    chance = random.Random(7)
    features = {"x": [chance.gauss(shift, 1) for _ in range(ROWS)]}
    truth = [1 / (1 + 2.718281828 ** -(x - shift)) for x in features["x"]]
    labels = [int(chance.random() < p) for p in truth]
    predictions = [min(0.99, max(0.01, p + chance.gauss(0, noise))) for p in truth]
    given: dict[str, object] = {
        "requests": 40,
        "errors": [],
        "features": features,
        "labels": labels,
        "predictions": predictions,
        "fallback": predictions,
        "reference": profile({"x": [chance.gauss(0, 1) for _ in range(ROWS)], PREDICTION: truth}),
    }
    return Window(**{**given, **fields})  # type: ignore[arg-type]


def verdicts(found: list) -> dict[str, Verdict]:
    return {one.check: one.verdict for one in found}


def judge(of: Window) -> list:
    return [one for check in DEFAULT_CHECKS for one in check.judge(of)]


def test_a_version_that_is_as_good_as_the_one_before_passes():
    assert overall(judge(window())) is Verdict.PASS


def test_a_version_that_is_worse_than_the_one_before_fails():
    good = window()
    worse = window(fallback=good.predictions, predictions=[1 - p for p in good.predictions])
    assert overall(judge(worse)) is Verdict.FAIL


def test_without_a_version_before_it_must_beat_the_constant_prediction():
    assert verdicts(Quality().judge(window(fallback=None)))["log_loss"] is Verdict.PASS
    useless = window(fallback=None, predictions=[0.99] * ROWS)
    assert verdicts(Quality().judge(useless))["log_loss"] is Verdict.FAIL


def test_one_failed_request_is_not_health_unless_it_is_tolerated():
    sick = window(errors=["version 3 answered 500"])
    assert verdicts(Health().judge(sick))["health"] is Verdict.FAIL
    assert verdicts(Health(max_error_share=0.05).judge(sick))["health"] is Verdict.PASS


def test_no_answers_are_no_data_and_never_pass():
    silent = window(requests=0, features={"x": []}, labels=[], predictions=[], fallback=[])
    assert overall(judge(silent)) is Verdict.NO_DATA


def test_few_rows_are_inconclusive():
    full = window()
    few = window(labels=full.labels[:100], predictions=full.predictions[:100], fallback=full.predictions[:100],
                 features={"x": full.features["x"][:100]})  # fmt: skip
    assert overall(judge(few)) is Verdict.INCONCLUSIVE


def test_drift_is_reported_and_does_not_decide_unless_it_is_critical():
    moved = window(shift=2.0)
    assert verdicts(Drift().judge(moved))["feature_drift"] is Verdict.FAIL
    assert overall(judge(moved)) is Verdict.PASS
    assert overall(Drift(critical=True).judge(moved)) is Verdict.FAIL


def test_a_version_without_a_profile_has_no_drift_data():
    assert set(verdicts(Drift().judge(window(reference=None))).values()) == {Verdict.NO_DATA}


def test_absolute_limits_are_judged_beside_the_comparison():
    found = verdicts(Quality(limits=[Limit("roc_auc", minimum=0.99)]).judge(window()))
    assert found["log_loss"] is Verdict.PASS
    assert found["roc_auc"] is Verdict.FAIL


def test_a_tolerance_cannot_be_negative():
    with pytest.raises(Invalid, match="negative"):
        Quality(tolerance=-0.1)
