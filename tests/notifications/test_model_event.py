"""The notifier, with other notifiers behind it and at the end of a task that really ran."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk import BaseNotifier

from model_lifecycle.get_provider_info import get_provider_info
from model_lifecycle.notifications.model_event import ModelEventNotifier
from model_lifecycle.operators.upload import UploadModelOperator
from tests import models
from tests.operators.life import context


class Kept(BaseNotifier):
    """A notifier of a team: it has a templated text, and keeps what it would send."""

    template_fields = ("text",)
    sent: list[str] = []  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context):
        self.sent.append(self.text)


class Broken(BaseNotifier):
    def notify(self, context):
        raise ConnectionError("the chat is down")


@pytest.fixture(autouse=True)
def _empty():
    Kept.sent.clear()


def ended(result, **more):
    found = context("deploy")
    found["ti"].xcom_pull = lambda **_: result
    return {**found, "task": SimpleNamespace(), **more}


RELEASE = {"release": "4-abc", "endpoint": "scorer/churn", "change": "deploy", "state": "SUCCEEDED", "version": 3}


def test_the_text_is_rendered_into_what_sends():
    ModelEventNotifier([Kept("{{ model_event.kind }}: {{ model_event.text }}")])(ended(RELEASE))
    (text,) = Kept.sent
    assert text.startswith("release: version 3 serves on scorer/churn\n")
    assert "task life.deploy in run run-1, started by alice" in text
    assert text.endswith("http://127.0.0.1/dags/life")


def test_one_that_is_used_twice_renders_anew():
    notifier = ModelEventNotifier([Kept("{{ model_event.title }}")])
    notifier(ended(RELEASE))
    notifier(ended({**RELEASE, "version": 4}))
    assert Kept.sent == ["version 3 serves on scorer/churn", "version 4 serves on scorer/churn"]


def test_one_that_fails_keeps_nobody_from_being_told():
    ModelEventNotifier([Broken(), Kept("{{ model_event.title }}")])(ended(RELEASE))
    assert Kept.sent == ["version 3 serves on scorer/churn"]


def test_only_the_kinds_asked_for_are_told():
    notifier = ModelEventNotifier([Kept("{{ model_event.title }}")], kinds=("rollback", "failure"))
    notifier(ended(RELEASE))
    assert Kept.sent == []
    notifier(ended(None, exception=ValueError("worse")))
    assert Kept.sent == ["worse"]


def test_a_question_is_told_while_it_waits():
    asking = SimpleNamespace(subject="Promote churn 3?", options=["Approve", "Reject"])
    ModelEventNotifier([Kept("{{ model_event.title }}")])(ended(None, task=asking))
    assert Kept.sent == ["approval is asked for: Promote churn 3?"]


def test_the_result_of_a_task_that_ran_needs_no_xcom(tmp_path):
    source = str(models.linear(tmp_path / "model", 1.0))
    task = UploadModelOperator(task_id="up", model_name="m", source=source, store=(tmp_path / "store").as_uri())
    found = context("up")
    uri = task.execute(found)
    ModelEventNotifier([Kept("{{ model_event.title }}")])({**found, "task": task})
    assert Kept.sent == [uri]


def test_airflow_is_told_of_the_notifier():
    assert get_provider_info()["notifications"] == ["model_lifecycle.notifications.model_event.ModelEventNotifier"]
