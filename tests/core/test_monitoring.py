from __future__ import annotations

import random
from dataclasses import replace

import pytest

from model_lifecycle.core.checks import Limit, Verdict, overall
from model_lifecycle.core.drift import PREDICTION
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.joining import Joined
from model_lifecycle.core.monitoring import (
    DEFAULT_CHECKS,
    Coverage,
    Drift,
    Estimated,
    Health,
    Quality,
    Slices,
    Window,
    judge_window,
)
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


def joined(labelled: int, expected: int, **counts: int) -> Joined:
    return Joined([1] * labelled + [None] * (expected - labelled), **counts)


@pytest.mark.parametrize(
    ("of", "coverage", "labels", "words"),
    [
        (joined(90, 100), Verdict.PASS, Verdict.PASS, "90 of 100"),
        (joined(70, 100), Verdict.INCONCLUSIVE, Verdict.PASS, "70 of 100"),
        (joined(0, 100), Verdict.NO_DATA, Verdict.PASS, "0 of 100"),
        (joined(0, 100, without_prediction=40), Verdict.NO_DATA, Verdict.PASS, "40 labels are of no logged prediction"),
        (joined(0, 0), Verdict.NO_DATA, Verdict.NO_DATA, "old enough"),
        (joined(90, 100, contradicted=1, twice=50), Verdict.PASS, Verdict.PASS, "90 of 100"),
        (joined(90, 100, contradicted=1, unparsable=1), Verdict.PASS, Verdict.ERROR, "90 of 100"),
        (joined(90, 100, ambiguous=10), Verdict.PASS, Verdict.ERROR, "90 of 100"),
    ],
)
def test_coverage_and_the_labels_themselves_are_judged_first(of, coverage, labels, words):
    found = Coverage().judge(window(joined=of))
    assert verdicts(found) == {"coverage": coverage, "labels": labels}
    assert words in found[0].reason


@pytest.mark.parametrize(
    ("of", "stands"),
    [
        (joined(90, 100), True),
        (joined(70, 100), False),
        (joined(0, 100), False),
        (joined(0, 0), False),
        (joined(90, 100, contradicted=5), False),
    ],
)
@pytest.mark.parametrize("good", [True, False])
def test_what_rests_on_labels_that_do_not_stand_neither_passes_nor_fails(of, stands, good):
    full = window(fallback=None, groups={"shop": ["a", "b"] * (ROWS // 2)})
    answers = full.predictions if good else [1 - p for p in full.predictions]
    seen = replace(full, joined=of, predictions=answers, fallback=full.predictions, unlabelled=answers)
    found = judge_window([Coverage(), Quality(), Slices(["shop"]), Drift(), Estimated()], seen)
    on_labels = [one for one in found if one.check.startswith("log_loss")]
    wanted = Verdict.PASS if good else Verdict.FAIL
    assert {one.verdict for one in on_labels} == {wanted if stands else Verdict.INCONCLUSIVE}
    assert all(("do not stand (" in one.reason) is not stands for one in on_labels)
    assert all(stands or f"would be {wanted}" in one.reason for one in on_labels)
    if not stands:
        assert overall(found) not in (Verdict.PASS, Verdict.FAIL)
    alone = [one for check in (Drift(), Estimated()) for one in check.judge(seen)]
    assert [one for one in found if one not in on_labels][2:] == alone


def test_quality_on_too_few_labels_keeps_its_own_reason_and_an_asked_endpoint_needs_no_coverage():
    few = window(joined=joined(10, 100), labels=[1, 0], predictions=[0.9, 0.1], fallback=None)
    assert "do not stand" not in judge_window([Coverage(), Quality()], few)[-1].reason
    assert overall(judge_window(DEFAULT_CHECKS, window())) is Verdict.PASS


def test_every_odd_label_is_named():
    _, labels = Coverage().judge(window(joined=joined(90, 100, contradicted=2, twice=3, unparsable=4)))
    assert "3 twice, 2 contradicted, 4 unparsable" in labels.reason
    assert labels.details["contradicted"] == 2


def test_an_endpoint_that_was_asked_has_no_coverage():
    assert verdicts(Coverage().judge(window())) == {"coverage": Verdict.NO_DATA}


def test_logged_versions_are_compared_over_the_same_time_though_on_other_rows():
    good = window(fallback=None)
    bad = ([1 - label for label in good.labels], good.predictions)
    assert verdicts(Quality().judge(window(fallback=None, others=bad)))["log_loss"] is Verdict.PASS
    worse = window(fallback=None, labels=bad[0], others=(good.labels, good.predictions))
    assert verdicts(Quality().judge(worse))["log_loss"] is Verdict.FAIL


def test_drift_is_that_of_all_answers_labelled_or_not():
    moved = {"x": [9.0] * ROWS, PREDICTION: [0.5] * ROWS}
    assert verdicts(Drift().judge(window(seen=moved)))["feature_drift"] is Verdict.FAIL


def test_quality_is_estimated_until_labels_come_and_says_what_it_assumes():
    full = window()
    waiting = window(unlabelled=full.predictions)
    (found,) = Estimated(tolerance=0.1).judge(waiting)
    assert (found.verdict, found.critical) == (Verdict.PASS, False)
    assert "assumes covariate shift only" in found.reason
    assert found.details["low"] < found.value < found.details["high"]
    unsure = window(unlabelled=[0.5] * ROWS)
    assert Estimated().judge(unsure)[0].verdict is Verdict.FAIL
    assert overall(Estimated().judge(unsure)) is Verdict.NO_DATA  # it decides nothing
    assert Estimated("accuracy").judge(window(unlabelled=[0.5] * ROWS))[0].verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, Verdict.NO_DATA),
        ({"unlabelled": [0.5] * 100}, Verdict.INCONCLUSIVE),
        ({"unlabelled": [0.5] * 900, "past": ([0, 1], [0.1, 0.2])}, Verdict.INCONCLUSIVE),
        ({"unlabelled": [0.999] * 900}, Verdict.INCONCLUSIVE),
    ],
)
def test_where_there_is_no_ground_for_an_estimate_there_is_none(fields, verdict):
    assert Estimated().judge(window(**fields))[0].verdict is verdict


def test_slices_take_inputs_and_other_columns():
    of = window(groups={"shop": ["a", "b"] * (ROWS // 2)})
    names = {one.check for one in Slices(["shop"], "brier").judge(of)}
    assert names == {"brier[shop=a]", "brier[shop=b]"}
    assert Slices(["x"], "brier", min_samples=10).judge(of)
