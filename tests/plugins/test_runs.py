"""Runs and events in a real API server: twenty at once are one."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from tests.plugins.conftest import Receiver, alert
from tests.plugins.test_receiver import TAGGED

AT_ONCE = 20


def test_twenty_deliveries_at_once_start_one_run(receiver: Receiver):
    told = alert()
    before = len(receiver.runs())
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda _: receiver.tell(told), range(AT_ONCE)))
    assert {answer.status_code for answer in answers} == {200}
    outcomes = [answer.json()["results"][0]["outcome"] for answer in answers]
    assert (outcomes.count("started"), outcomes.count("already")) == (1, AT_ONCE - 1)
    assert len(receiver.runs()) == before + 1


def test_twenty_deliveries_at_once_are_one_event(receiver: Receiver):
    body = json.dumps(TAGGED).encode()
    headers = receiver.sign(body, delivery=uuid4().hex)
    before = len(receiver.events("model://churn/events/registry"))
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(lambda _: receiver.post_mlflow(body, headers), range(AT_ONCE)))
    assert {answer.status_code for answer in answers} == {200}
    outcomes = [answer.json()["outcome"] for answer in answers]
    assert (outcomes.count("event"), outcomes.count("already")) == (1, AT_ONCE - 1)
    assert len(receiver.events("model://churn/events/registry")) == before + 1


def test_an_event_starts_the_dags_that_wait_for_the_asset(receiver: Receiver):
    # Without a scheduler nothing runs; that the event is queued for the DAG is Airflow's promise that it will.
    receiver.airflow.api.unpause("on_alerts")
    receiver.tell(alert(action="retrain"))
    queued = receiver.airflow.api.get("dags/on_alerts/assets/queuedEvents")["queued_events"]
    assert [event["dag_id"] for event in queued] == ["on_alerts"]
