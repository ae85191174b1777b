"""Verdicts: only numbers that exist and lie within their limits let anything go forward (Law 6)."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.checks import Limit, Measurement, Verdict, overall, report, table
from model_lifecycle.core.errors import Invalid

LIMIT = Limit("auc", minimum=0.7, maximum=0.9, min_samples=100)
VERDICTS = st.sampled_from(list(Verdict))


@pytest.mark.parametrize(
    ("value", "samples", "verdict"),
    [
        (0.8, 100, Verdict.PASS),
        (0.7, 100, Verdict.PASS),
        (0.9, 100, Verdict.PASS),
        (0.69, 100, Verdict.FAIL),
        (0.91, 100, Verdict.FAIL),
        (-0.0, 100, Verdict.FAIL),
        (0.8, 99, Verdict.INCONCLUSIVE),
        (0.1, 99, Verdict.INCONCLUSIVE),
        (0.8, 0, Verdict.NO_DATA),
        (0.8, -1, Verdict.NO_DATA),
        (None, 100, Verdict.NO_DATA),
        (math.nan, 100, Verdict.NO_DATA),
        (math.inf, 100, Verdict.NO_DATA),
        (-math.inf, 100, Verdict.NO_DATA),
    ],
)
def test_a_number_is_judged_by_its_limits(value: float | None, samples: int, verdict: Verdict) -> None:
    measurement = LIMIT.judge(value, samples, window="2013-02")
    assert measurement.verdict is verdict
    assert "auc" in measurement.reason
    assert measurement.details == {"window": "2013-02"}


@given(st.floats() | st.none(), st.integers(-5, 10**9), st.floats(-10, 10) | st.none(), st.floats(-10, 10) | st.none())
def test_pass_means_enough_samples_of_a_number_within_the_limits(
    value: float | None, samples: int, minimum: float | None, maximum: float | None
) -> None:
    if minimum is None and maximum is None:
        return
    measurement = Limit("m", minimum, maximum, min_samples=3).judge(value, samples)
    json.dumps(measurement.to_dict(), allow_nan=False)
    if measurement.verdict is Verdict.PASS:
        assert value is not None
        assert samples >= 3
        assert minimum is None or value >= minimum
        assert maximum is None or value <= maximum


def test_a_limit_without_a_limit_is_refused() -> None:
    with pytest.raises(Invalid):
        Limit("auc")


@given(st.lists(st.tuples(VERDICTS, st.booleans())))
def test_the_verdict_of_many_passes_only_if_something_critical_passed_and_all_of_it_did(
    given_verdicts: list[tuple[Verdict, bool]],
) -> None:
    critical = {verdict for verdict, decides in given_verdicts if decides}
    found = overall(Measurement("c", verdict, critical=decides) for verdict, decides in given_verdicts)
    assert (found is Verdict.PASS) == (critical == {Verdict.PASS})
    assert (found is Verdict.FAIL) == (Verdict.FAIL in critical)
    assert found in critical or (found is Verdict.NO_DATA and not critical)


@given(st.floats())
def test_a_measurement_never_holds_a_number_that_json_lacks(value: float) -> None:
    held = Measurement("c", Verdict.ERROR, value).value
    assert held is None or math.isfinite(held)


def test_a_report_gives_the_reasons_that_decided() -> None:
    answers = [LIMIT.judge(0.8, 200), LIMIT.judge(0.5, 200), Measurement("x", Verdict.FAIL, reason="z", critical=False)]
    told = report(answers, model="flights")
    assert told["verdict"] == "FAIL"
    assert told["reason"] == "auc is 0.5, should be at least 0.7"
    assert told["model"] == "flights"
    assert [m["verdict"] for m in told["measurements"]] == ["PASS", "FAIL", "FAIL"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_a_table_has_a_line_for_each_measurement_and_says_which_do_not_decide() -> None:
    found = [
        Measurement("health", Verdict.PASS, 0.0, 41, "0 of 41 requests failed"),
        Measurement("feature_drift", Verdict.NO_DATA, None, 0, "no profile", critical=False),
    ]
    heading, health, drift = table(found)
    assert heading.split() == ["verdict", "check", "value", "samples", "why"]
    assert health.split(maxsplit=4) == ["PASS", "health", "0", "41", "0 of 41 requests failed"]
    assert drift.split(maxsplit=4) == ["NO_DATA", "feature_drift", "-", "0", "(does not decide) no profile"]
    assert len({line.index(word) for line, word in ((heading, "why"), (health, "0 of"), (drift, "(does"))}) == 1


def test_a_report_of_nothing_is_no_data() -> None:
    assert report([])["verdict"] == "NO_DATA"
    assert report([])["reason"] == "nothing was measured"
