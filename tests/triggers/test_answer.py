from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest
from airflow.sdk.module_loading import import_string

from model_lifecycle.triggers import answer
from model_lifecycle.triggers.answer import AnswerTrigger

BOB = SimpleNamespace(id="7", name="bob")


def found(**parts: object) -> SimpleNamespace:
    """A double of what Airflow answers; the real one is asked in tests/operators/test_approval.py."""
    known = {"response_received": True, "chosen_options": ["Approve"], "params_input": {}, "responded_by_user": BOB}
    return SimpleNamespace(**{**known, "responded_at": datetime(2013, 2, 1, tzinfo=UTC), **parts})


async def event(trigger: AnswerTrigger) -> dict[str, object]:
    return (await anext(trigger.run())).payload


@pytest.mark.parametrize(
    ("seen", "payload"),
    [
        (found(), {"chosen_options": ["Approve"], "timedout": False, "responded_by_user": {"id": "7", "name": "bob"}}),
        (found(responded_by_user=None), {"timedout": True, "responded_by_user": None}),
        (found(response_received=False, chosen_options=None), {}),
    ],
)
def test_the_event_is_the_answer_or_empty(seen, payload, monkeypatch):
    monkeypatch.setattr("airflow.sdk.execution_time.hitl.get_hitl_detail_content_detail", lambda ti_id: seen)
    told = asyncio.run(event(AnswerTrigger(str(uuid4()), pause=0)))
    assert payload.items() <= told.items()
    assert bool(told) is bool(payload)


def test_the_triggerer_makes_the_same_trigger_again():
    path, arguments = AnswerTrigger("abc", 1.5).serialize()
    assert vars(import_string(path)(**arguments))["ti_id"] == "abc"
    assert arguments == {"ti_id": "abc", "pause": 1.5}
    assert answer.PAUSE >= 5
