"""The wait between two steps, on real servers: the trigger as the triggerer runs it."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.triggers.base import TriggerEvent

from model_lifecycle.core.release import State
from model_lifecycle.core.strategy import BlueGreen, Canary
from model_lifecycle.triggers import release as waiting
from model_lifecycle.triggers.release import ReleaseTrigger
from tests import models
from tests.operators.life import Life

SECOND = timedelta(seconds=1)


def again(trigger: Any) -> ReleaseTrigger:
    """The trigger after its way through Airflow's database."""
    path, arguments = trigger.serialize()
    assert path == "model_lifecycle.triggers.release.ReleaseTrigger"
    return ReleaseTrigger(**json.loads(json.dumps(arguments)))


def first(trigger: ReleaseTrigger) -> dict[str, Any]:
    async def event() -> TriggerEvent:
        return await anext(aiter(trigger.run()))

    return json.loads(json.dumps(asyncio.run(event()).payload))


def deferred(life: Life, strategy: Any, **more: Any) -> TaskDeferred:
    life.deploy(life.version(1.0))
    with pytest.raises(TaskDeferred) as wait:
        life.deploy(life.version(2.0), "run-2", deferrable=True, strategy=strategy, **more)
    return wait.value


def test_the_event_comes_when_the_soak_is_over(life: Life):
    wait = deferred(life, BlueGreen(10 * SECOND, interval=SECOND))
    generation = life.ledger.generation()
    first(again(wait.trigger))
    assert life.ledger.generation() == generation, "a trigger changes nothing"
    done = life.newest().since + 10 * SECOND
    assert life.deploy(f"models:/{life.model}/2", "run-2", try_number=2)["state"] == "SUCCEEDED"
    assert life.newest().last.at >= done


def test_the_event_comes_when_the_version_is_lost(life: Life):
    wait = deferred(life, BlueGreen(timedelta(hours=1), interval=SECOND))
    life.serving.route(life.model, {1: 100})
    life.serving.unload(life.model, 2)
    assert set(first(again(wait.trigger))) == {"watched"}
    assert life.newest().state is State.SOAKING, "to roll back is the task's work"


def test_the_event_comes_when_somebody_else_took_the_release_over(life: Life):
    wait = deferred(life, BlueGreen(timedelta(hours=1), interval=SECOND))
    life.roll_back("run-3", reason="by hand")
    first(again(wait.trigger))
    assert life.newest().state is State.ROLLED_BACK


def test_what_was_seen_comes_with_the_event(life: Life):
    wait = deferred(life, Canary((50,), bake=10 * SECOND, soak=SECOND, interval=SECOND))
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(0.02):
            life.serving.predict(life.model, models.INPUTS)

    callers = threading.Thread(target=ask)
    callers.start()
    try:
        watched = first(again(wait.trigger))["watched"]
    finally:
        stop.set()
        callers.join()
    assert watched["began"][1] == "BAKING"
    assert sum(look["candidate"]["requests"] for look in watched["looks"]) > 0


def test_a_server_that_is_away_is_looked_at_again(life: Life, monkeypatch):
    wait = deferred(life, BlueGreen(timedelta(hours=1), interval=SECOND))
    monkeypatch.setattr(waiting, "AGAIN", 0.05)
    away = {"conn_type": "open_inference", "host": "http://127.0.0.1", "port": 1, "extra": {"timeout": 0.1}}
    monkeypatch.setenv("AIRFLOW_CONN_SCORER_DEFAULT", json.dumps(away))

    async def waits() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(aiter(again(wait.trigger).run())), 4)

    asyncio.run(waits())


def test_a_connection_that_cannot_be_used_wakes_the_task_which_says_why(life: Life, monkeypatch):
    wait = deferred(life, BlueGreen(timedelta(hours=1), interval=SECOND))
    monkeypatch.setenv("AIRFLOW_CONN_SCORER_DEFAULT", json.dumps({"conn_type": "mlflow", "host": "h"}))
    assert set(first(again(wait.trigger))) == {"watched"}


def test_somebody_who_stops_the_waiting_task_gets_the_old_version_back(life: Life):
    wait = deferred(life, BlueGreen(timedelta(hours=1), interval=SECOND))
    asyncio.run(again(wait.trigger).on_kill())
    assert (life.newest().state, life.serving.traffic(life.model)) == (State.ROLLED_BACK, {1: 100})
    assert life.newest().reason == "the task that waited was stopped"
    generation = life.ledger.generation()
    asyncio.run(again(wait.trigger).on_kill())
    assert life.ledger.generation() == generation


def test_no_secret_lies_in_the_database(life: Life):
    wait = deferred(life, BlueGreen(timedelta(hours=1)))
    told = json.dumps(again(wait.trigger).serialize())
    assert "password" not in told
    assert "127.0.0.1" not in told
