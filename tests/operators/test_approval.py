"""What a question leaves behind; that people are asked, and answer, is seen in tests/dags/test_in_airflow.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from model_lifecycle.core.approval import Decision
from model_lifecycle.core.models import ModelUri
from model_lifecycle.core.strategy import BlueGreen
from model_lifecycle.operators.approval import APPROVAL_TAG, ASKED, ModelApprovalOperator
from tests.operators.life import SCORER, Life, context

AT = datetime(2013, 2, 1, 12, tzinfo=UTC)
YES = Decision(True, 1, "bob", AT, "looks good")


def ask(model_uri: str = "models:/churn/1", **more: Any) -> ModelApprovalOperator:
    return ModelApprovalOperator(task_id="ask", model_uri=model_uri, **more)


def test_there_are_always_more_tries():
    assert [ask(retries=retries).retries for retries in (0, 3, 5)] == [3, 3, 5]


@pytest.mark.parametrize(("cleared", "tries", "pause"), [(0, 1, 10.0), (0, 2, 10.0), (0, 4, 30.0), (2, 4, 10.0)])
def test_whoever_comes_after_a_question_looks_for_its_answer_first_and_later_each_time(cleared, tries, pause):
    """``cleared``: how many tries there were before somebody cleared the task."""
    ti = SimpleNamespace(id="0f", try_number=tries, max_tries=cleared + 3)
    with pytest.raises(TaskDeferred) as waiting:
        ask().perform({"ti": ti, "task_state_store": {ASKED: cleared + 3}})  # type: ignore[arg-type, typeddict-item]
    assert waiting.value.trigger.pause == pause


def test_a_decision_is_written_once_however_often_its_task_ends(life: Life):
    uri = life.release(1.0, "run-1")
    before = life.ledger.generation()
    task = ask(uri, serving_conn_id=SCORER, store=life.store_uri)
    for _ in range(2):
        task._record(context("ask"), YES)
    newest = life.newest()
    assert life.ledger.generation() == before + 1
    assert (newest.last.mark, newest.last.actor["user"], newest.state) == ("approved", "bob", "SUCCEEDED")
    assert life.release(2.0, "run-2"), "the ledger goes on after a decision"


def test_a_release_under_way_keeps_its_ledger_and_the_decision_stands_on_the_version(life: Life):
    uri = life.version(1.0)
    with pytest.raises(TaskDeferred):
        life.deploy(uri, deferrable=True, strategy=BlueGreen(timedelta(hours=1)))
    before = life.ledger.generation()
    ask(uri, serving_conn_id=SCORER, store=life.store_uri)._record(context("ask"), YES)
    assert life.ledger.generation() == before
    tag = life.registry.get(ModelUri.parse(uri)).tags[APPROVAL_TAG]
    assert tag == "approved by bob at 2013-02-01T12:00:00+00:00: looks good"
