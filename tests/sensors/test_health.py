from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from model_lifecycle.sensors.health import ModelHealthSensor
from model_lifecycle.triggers.health import HealthTrigger
from tests.operators.life import context


def sensor(**arguments: Any) -> ModelHealthSensor:
    return ModelHealthSensor(
        task_id="healthy", **{"maximum": 0.02, "timeout": 600.0, "poke_interval": 5.0, **arguments}
    )


@pytest.fixture(autouse=True)
def connection(prometheus_connection: str) -> None:
    pass


def test_health_that_lasted_already_is_found_without_waiting():
    found = sensor(query="vector(0)", lasting=timedelta(minutes=2)).execute(context())
    assert (found["highest"], found["points"]) == (0.0, 9)


def test_it_waits_in_the_triggerer_with_one_deadline_for_all_looks():
    waiting = sensor(query="vector(1)", maximum="0.02", deferrable=True)
    first = waiting.question()
    with pytest.raises(TaskDeferred) as deferred:
        waiting.execute(context())
    trigger = deferred.value.trigger
    assert isinstance(trigger, HealthTrigger)
    assert trigger.question == first
    assert first["maximum"] == 0.02
    assert deferred.value.timeout == timedelta(seconds=600)


def test_what_it_last_saw_fails_the_task():
    waiting = sensor(query="vector(1)", timeout=0.0, deferrable=False)
    with pytest.raises(AirflowFailException, match="not healthy before the time-out: FAIL: the number is 1"):
        waiting.poke(context())
    with pytest.raises(AirflowFailException, match="maximum is 'much' and no number"):
        sensor(query="vector(1)", maximum="much").poke(context())
