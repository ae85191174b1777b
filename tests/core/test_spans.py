from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.checks import Limit, Verdict
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.spans import bound, check_span, judge_span

START = datetime(2026, 1, 2, tzinfo=UTC)
STEP = timedelta(seconds=15)
LIMIT = Limit("error_ratio", maximum=0.02)


def span(*values: float | None) -> list[tuple[datetime, float]]:
    return [(START + number * STEP, value) for number, value in enumerate(values) if value is not None]


def judge(*values: float | None, limit: Limit = LIMIT):
    return judge_span(limit, span(*values), START, START + (len(values) - 1) * STEP, STEP)


def test_a_span_that_is_covered_and_within_its_limits_passes_with_its_evidence():
    found = judge(0.0, 0.01, 0.02, 0.01)
    assert found.verdict is Verdict.PASS
    assert found.samples == 4
    assert found.details == {
        "from": "2026-01-02T00:00:00+00:00",
        "to": "2026-01-02T00:00:45+00:00",
        "points": 4,
        "lowest": 0.0,
        "highest": 0.02,
    }


def test_one_bad_number_anywhere_fails_with_the_worst():
    assert (judge(0.0, 0.5, 0.1, 0.0).verdict, judge(0.0, 0.5, 0.1, 0.0).value) == (Verdict.FAIL, 0.5)
    both = Limit("ratio", minimum=-1.0, maximum=1.0)
    assert judge(0.0, -5.0, 0.5, limit=both).value == -5.0
    assert judge(0.0, 5.0, 0.5, limit=both).value == 5.0


def test_one_number_missing_is_covered_and_two_are_not():
    assert judge(0.0, None, 0.0, 0.0).verdict is Verdict.PASS
    found = judge(0.0, None, None, 0.0)
    assert (found.verdict, found.value) == (Verdict.NO_DATA, None)
    assert found.reason == "error_ratio has no value from 00:00:00 to 00:00:45 UTC"


@pytest.mark.parametrize("values", [(None, None, None, 0.0, 0.0), (0.0, 0.0, None, None, None)])
def test_a_span_must_be_covered_to_both_its_ends(values):
    assert judge(*values).verdict is Verdict.NO_DATA


def test_a_bad_number_fails_although_others_are_missing():
    assert judge(0.5, None, None, None, 0.0).verdict is Verdict.FAIL


def test_nothing_is_no_data():
    assert judge(None, None).verdict is Verdict.NO_DATA


@given(st.lists(st.none() | st.floats(-1, 1), min_size=2, max_size=40))
def test_health_is_never_found_without_numbers_that_are_all_within_the_limits(values):
    found = judge(*values)
    numbers = [value for value in values if value is not None]
    missing = max(len(run) for run in "".join("x" if value is None else " " for value in values).split(" "))
    healthy = bool(numbers) and max(numbers) <= 0.02 and missing <= 1
    edges = values[0] is None or values[-1] is None
    assert (found.verdict is Verdict.PASS) == healthy or (edges and found.verdict is not Verdict.FAIL)
    assert (found.verdict is Verdict.FAIL) == (bool(numbers) and max(numbers) > 0.02)


@pytest.mark.parametrize(("length", "step"), [(10, 15), (0, 15), (60, 0), (60, -1), (86400, 1)])
def test_a_span_that_cannot_be_asked_for_is_refused(length, step):
    with pytest.raises(Invalid, match="cannot be looked at in steps of"):
        check_span(timedelta(seconds=length), timedelta(seconds=step))


def test_a_limit_may_come_out_of_a_template():
    assert (bound(None, "maximum"), bound("", "maximum"), bound("None", "maximum")) == (None, None, None)
    assert (bound("0.5", "maximum"), bound(2, "maximum")) == (0.5, 2.0)
    with pytest.raises(Invalid, match="maximum is 'much' and no number"):
        bound("much", "maximum")
