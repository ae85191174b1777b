from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from model_lifecycle.assets import events, model
from model_lifecycle.assets.events import new_events

ASSET = model.registry_changes("churn")
START = datetime(2026, 11, 22, tzinfo=UTC)


def event(at: int, key: str | None, *, watched: bool = True, **facts: Any) -> Any:
    """A double of what Airflow hands to a task: an event with its time and its extra."""
    told = {**facts, **({"key": key} if key else {})}
    extra = {"from_trigger": True, "payload": told} if watched else told
    return SimpleNamespace(timestamp=START + timedelta(seconds=at), extra=extra)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a run gets that these events started, when Airflow has stored those."""

    def got(triggering: list[Any], stored: list[Any]) -> list[dict[str, Any]]:
        monkeypatch.setattr(events, "recent_events", lambda asset: stored if asset is ASSET else [])
        # A double of Airflow's accessor; on 3.1 an asset with extra cannot be the key of a dict.
        by_asset = SimpleNamespace(get=lambda asset, default: triggering if asset is ASSET and triggering else default)
        context: Any = {"triggering_asset_events": by_asset}
        return new_events(ASSET, context)

    return got


def test_what_an_earlier_event_told_is_left_out_and_what_is_new_is_there_once(run: Any):
    first, again, second, twice = event(1, "a"), event(2, "a"), event(3, "b", version=2), event(4, "b", version=2)
    stored = [twice, second, again, first]
    assert run([first], stored) == [{"key": "a"}]
    assert run([again], stored) == []
    assert run([twice, again, second], stored) == [{"version": 2, "key": "b"}]


def test_the_same_run_gets_the_same_again_whatever_came_later(run: Any):
    first = event(1, "a")
    assert run([first], [event(9, "a"), first]) == run([first], [first]) == [{"key": "a"}]


def test_what_a_task_told_is_its_extra_and_what_has_no_key_is_always_new(run: Any):
    ours, foreign = event(1, "a", watched=False, version=1), event(2, None, watched=False, row=1)
    other = event(3, None, watched=False, row=1)
    assert run([ours, foreign, other], [other, foreign, ours]) == [{"version": 1, "key": "a"}, {"row": 1}, {"row": 1}]


def test_a_run_that_the_asset_did_not_start_gets_nothing(run: Any):
    assert run([], [event(1, "a")]) == []
