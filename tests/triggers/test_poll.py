from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

from airflow.sdk.module_loading import import_string

from model_lifecycle.core.errors import NotFound, Unavailable
from model_lifecycle.triggers.poll import ArtifactTrigger, PollTrigger, ReadyTrigger, VersionTrigger
from tests.operators.life import Life


def event_of(trigger: PollTrigger) -> Any:
    return asyncio.run(anext(trigger.run())).payload  # type: ignore[arg-type]


class Answering(PollTrigger):
    """Answers what a test lists, one a poll."""

    answers: ClassVar[list[Any]] = []

    @staticmethod
    def ask(**_: Any) -> Any:
        answer = Answering.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_system_that_is_away_or_not_ready_is_asked_again():
    Answering.answers = [Unavailable("away"), None, "there"]
    assert event_of(Answering(poll_interval=0.01)) == {"status": "found", "answer": "there"}


def test_what_can_never_be_answered_is_one_event_that_says_why():
    Answering.answers = [NotFound("no such model")]
    assert event_of(Answering(poll_interval=0.01)) == {"status": "refused", "message": "no such model"}


def test_a_trigger_comes_back_from_the_database_as_it_went_in():
    questions: list[PollTrigger] = [
        VersionTrigger(5.0, registry_conn_id="mlflow_default", model_name="m", alias=None, newer_than=0, tags={}),
        ArtifactTrigger(5.0, store="file:///models", artifact_uri="file:///models/m/0"),
        ReadyTrigger(5.0, endpoint="scorer_default/m", version=3, share=100),
    ]
    for trigger in questions:
        path, arguments = json.loads(json.dumps(trigger.serialize()))
        assert import_string(path)(**arguments).serialize() == trigger.serialize()


def test_a_version_that_appears_is_found_by_its_trigger(life: Life):
    uri = life.version(1.0)
    trigger = VersionTrigger(
        0.1, registry_conn_id="mlflow_default", model_name=life.model, alias=None, newer_than=0, tags={}
    )
    assert event_of(trigger) == {"status": "found", "answer": uri}
