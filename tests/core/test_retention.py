from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.models import ModelVersion
from model_lifecycle.core.plan import Standing
from model_lifecycle.core.release import State
from model_lifecycle.core.retention import needed, place_of, reasons_to_keep
from tests.core.test_plan import plan, served
from tests.core.test_release import opened, then


def version(number: int, *aliases: str, at: int | None = None) -> ModelVersion:
    return ModelVersion("churn", number, f"file:///models/churn/{at or number}", "a" * 64, aliases)


def finished(*good: int):
    before = Standing(tuple(map(served, good[:-1])))
    return then(opened(plan(target=good[-1], before=before)), State.SUCCEEDED)


def test_what_serves_and_as_many_ways_back_as_asked_are_needed():
    found = needed(finished(1, 2, 3, 4), 2)
    assert found.keys() == {2, 3, 4}
    assert found[4].startswith("serves on ")
    assert needed(finished(1), 3).keys() == {1}


def test_everything_that_a_release_under_way_touches_is_needed():
    release = opened(plan(target=9, fallback=7, abandons=9, traffic_before={7: 90, 6: 10}))
    assert {6, 7, 9} <= needed(release, 1).keys()
    failed = then(then(release, State.ROLLING_BACK), State.ROLLBACK_FAILED)
    assert {6, 7, 9} <= needed(failed, 1).keys(), "nobody knows what serves after a failed rollback"


@pytest.mark.parametrize("ways", [0, -1])
def test_at_least_one_way_back_stays(ways):
    with pytest.raises(Invalid, match="way back"):
        needed(finished(1, 2), ways)


def test_a_negative_number_keeps_nothing_by_accident():
    with pytest.raises(Invalid, match="negative"):
        reasons_to_keep([version(1)], -1, {})


def test_a_shared_artifact_stays_whoever_shares_it():
    versions = [version(3), version(2, at=1), version(1)]
    assert reasons_to_keep(versions, 0, {}).keys() == {1, 2}
    assert reasons_to_keep([version(3)], 0, {}, ["webhdfs://other:9870/models/churn/3/"]).keys() == {3}
    assert place_of("webhdfs://one:1/models/a") == place_of("webhdfs://two:2/models/a/")


@given(
    st.sets(st.integers(1, 30), min_size=1),
    st.integers(0, 10),
    st.sets(st.integers(1, 30)),
    st.sets(st.integers(1, 30)),
)
def test_nothing_that_serves_is_named_or_is_new_ever_goes(numbers, keep, serving, named):
    versions = [version(one, *(["champion"] if one in named else [])) for one in numbers]
    kept = reasons_to_keep(versions, keep, dict.fromkeys(serving, "serves"))
    gone = numbers - kept.keys()
    assert not gone & (serving | named | set(sorted(numbers)[len(numbers) - keep :] if keep else []))
    assert len(numbers) - len(gone) >= min(keep, len(numbers))
