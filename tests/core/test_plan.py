from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.plan import REMEMBERED, Change, Plan, Served, Standing

NOW = datetime(2013, 2, 1, tzinfo=UTC)


def served(version: int) -> Served:
    return Served(version, f"{version:064x}", f"file:///models/flights/{version:064x}")


def plan(change: Change = Change.DEPLOY, target: int = 2, fallback: int | None = 1, **fields: object) -> Plan:
    defaults: dict[str, object] = {
        "key": "0123456789ab",
        "change": change,
        "endpoint": "scorer/flights",
        "target": served(target),
        "fallback": served(fallback) if fallback else None,
        "abandons": target,
        "traffic_before": {fallback: 100} if fallback else {},
        "strategy": {"name": "BlueGreen", "steps": [], "soak": 60.0},
        "deadline": NOW + timedelta(hours=1),
        "before": Standing((served(fallback),) if fallback else ()),
    }
    return Plan(**{**defaults, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("of", [plan(), plan(fallback=None, traffic_before={}), plan(Change.ROLLBACK, abandons=3)])
def test_a_plan_read_back_from_json_is_the_plan_that_was_written(of: Plan):
    assert Plan.from_dict(json.loads(json.dumps(of.to_dict()))) == of


def test_the_way_back_is_the_good_version_before_it_in_the_history():
    standing = Standing((served(1), served(3), served(2)))
    assert standing.below(2) == served(3)
    assert standing.below(3) == served(1)
    assert standing.below(1) is None
    assert standing.below(9) == served(2)
    assert Standing().below(1) is None


def test_traffic_goes_back_to_what_was_observed_even_if_it_was_a_split():
    assert plan(traffic_before={1: 90, 7: 10}).traffic_back == {1: 90, 7: 10}
    assert plan(traffic_before={2: 100}).traffic_back == {1: 100}
    assert plan(fallback=None, traffic_before={}).traffic_back == {}


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=60))
def test_a_standing_stays_bounded_and_never_offers_a_quarantined_version_as_the_way_back(steps):
    standing = Standing()
    for deployed, version in steps:
        if deployed:
            standing = standing.succeeded(served(version))
        elif standing.serving:
            standing = standing.rolled_back(standing.below(standing.serving.version), standing.serving.version)
        assert len(standing.good) <= REMEMBERED
        assert not {one.version for one in standing.good} & set(standing.quarantined)
        assert len({one.version for one in standing.good}) == len(standing.good)
        if standing.serving:
            below = standing.below(standing.serving.version)
            assert below is None or below.version != standing.serving.version
