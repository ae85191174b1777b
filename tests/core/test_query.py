from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.checks import Verdict, overall
from model_lifecycle.core.counts import Counts
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.gate import Check, check_from, judge
from model_lifecycle.core.looks import Answer, Look
from model_lifecycle.core.query import Query

NOW = datetime(2013, 2, 1, tzinfo=UTC)
PASS, FAIL, INCONCLUSIVE, NO_DATA, ERROR = Verdict
LIMIT = Query("queue", "queue_length", maximum=10)
RATIO = Query("cost", "cost", max_ratio=2)


def looks(*answers: Answer | float | None, beside: bool = True) -> list[Look]:
    baseline = Counts(90) if beside else None
    told = [answer if isinstance(answer, Answer) else Answer(answer, 1.0) for answer in answers]
    return [Look(NOW, Counts(10), baseline, {"queue": answer, "cost": answer}) for answer in told]


@pytest.mark.parametrize(
    ("query", "seen", "verdict"),
    [
        (LIMIT, [1, 2, 3], PASS),
        (LIMIT, [1, 2], INCONCLUSIVE),  # too few numbers
        (LIMIT, [11, 1, 1, 1], PASS),  # one number out of line is no verdict
        (LIMIT, [1, 1, 1, 11], INCONCLUSIVE),  # the newest look must be good
        (LIMIT, [11, 11, 1, 11], FAIL),
        (LIMIT, [11, 11, 11, 1, 1, 1, 1], PASS),  # long ago
        (LIMIT, [], NO_DATA),
        (LIMIT, [1, 2, 3, None], NO_DATA),
        (LIMIT, [1, 2, 3, Answer(fault="down")], ERROR),
        (LIMIT, [11, 11, 11, Answer(fault="down")], FAIL),
        (RATIO, [2, 2, 2], PASS),
        (RATIO, [2.1, 2.1, 2.1], FAIL),
        (RATIO, [1, 1, Answer(1.0, None)], INCONCLUSIVE),
        (RATIO, [1, 1, Answer(1.0, -1.0)], INCONCLUSIVE),
        (RATIO, [Answer(0.0, 0.0)] * 3, PASS),
        (RATIO, [Answer(0.1, 0.0)] * 3, FAIL),
        (Query("queue", "x", minimum=5), [4, 4, 4], FAIL),
        (Query("queue", "x", minimum=5), [5, 5, 5], PASS),
        (Query("queue", "x", maximum=10, failures=1, of=1), [1, 1, 11], FAIL),
        (Query("queue", "x", maximum=10, min_values=1), [1], PASS),
    ],
)
def test_a_query_judges_the_numbers_of_the_looks(query, seen, verdict):
    assert query.judge(looks(*seen)).verdict is verdict


def test_nothing_serves_beside_a_version_that_soaks_so_only_its_own_limits_count():
    both = Query("cost", "cost", maximum=10, max_ratio=2)
    assert both.judge(looks(9, 9, 9)).verdict is FAIL
    assert both.judge(looks(9, 9, 9, beside=False)).verdict is PASS
    assert both.judge(looks(11, 11, 11, beside=False)).verdict is FAIL


@pytest.mark.parametrize(("means", "verdict"), [(PASS, PASS), (FAIL, FAIL), (INCONCLUSIVE, INCONCLUSIVE)])
def test_what_no_number_means_is_the_authors_choice(means, verdict):
    query = Query("queue", "x", maximum=1, on_no_data=means)
    assert overall(judge([query], looks(None))) is verdict


def test_a_query_that_is_not_critical_pauses_and_a_dry_run_never_decides():
    seen = looks(11, 11, 11)
    kind = {"name": "queue", "expression": "x", "maximum": 10}
    assert overall(judge([Query(**kind, critical=False)], seen)) is INCONCLUSIVE
    assert overall(judge([Query(**kind, dry_run=True), Query("cost", "x", maximum=99)], seen)) is PASS


def test_a_query_takes_nothing_from_the_error_that_comparisons_may_make():
    seen = [Look(NOW, Counts(1000, 60), Counts(9000, 400), {"queue": Answer(1.0)})] * 3
    alone, beside = judge([Check("error_rate")], seen), judge([Check("error_rate"), LIMIT], seen)
    assert alone[0] == beside[0]


def test_the_reason_says_what_was_measured_and_how_often():
    found = RATIO.judge(looks(3, 3, 1, 3))
    assert found.reason == "3 is more than 2 times 1 of the version that serves, in 3 of the last 4 looks"
    assert (found.value, found.samples, found.details["baseline"]) == (3, 4, 1.0)


def test_the_expression_is_filled_in_and_other_dollars_stay():
    query = Query("q", 'a{model="$model",version="${version}",endpoint="$endpoint",path=~"/v2.*$"}', maximum=1)
    filled = query.about(endpoint="scorer/churn", model="churn", version=3)
    assert filled == 'a{model="churn",version="3",endpoint="scorer/churn",path=~"/v2.*$"}'


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "../x"}, "name of a query"),
        ({"expression": " "}, "has no expression"),
        ({"maximum": None}, "no finite limit"),
        ({"maximum": float("nan")}, "no finite limit"),
        ({"max_ratio": 0.5}, "max_ratio"),
        ({"failures": 6}, "cannot fail 6 of 5"),
        ({"of": 61}, "cannot fail"),
        ({"min_values": 0}, "cannot fail"),
        ({"on_no_data": ERROR}, "cannot stand for no data"),
        ({"on_no_data": "maybe"}, "not a query"),
        ({"limit": 3}, "not a query"),
        ({"maximum": "3"}, "not a query"),
    ],
)
def test_a_query_that_can_decide_nothing_is_refused(fields, message):
    with pytest.raises(Invalid, match=message):
        Query.from_dict({"name": "queue", "expression": "x", "maximum": 1, **fields})


@given(
    st.builds(
        Query,
        name=st.just("queue"),
        expression=st.text(min_size=1).filter(str.strip),
        maximum=st.floats(-1e9, 1e9),
        critical=st.booleans(),
        on_no_data=st.sampled_from([NO_DATA, FAIL, PASS]),
    )
)
def test_a_query_read_back_is_the_query_that_was_written(query):
    assert check_from(json.loads(json.dumps(query.to_dict()))) == query


NUMBERS = st.lists(st.none() | st.floats(-1e6, 1e6), max_size=70)


@given(NUMBERS)
def test_only_numbers_within_the_limits_ever_pass(seen):
    if LIMIT.judge(looks(*seen)).verdict is PASS:
        assert seen[-1] is not None
        assert seen[-1] <= 10
        assert sum(value is not None and value > 10 for value in seen[-5:]) < 3
