from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from model_lifecycle.sensors.version import ModelVersionSensor
from tests.operators.life import Life, context


def test_a_version_that_is_there_needs_no_wait(life: Life):
    uri = life.version(1.0)
    assert ModelVersionSensor(task_id="wait", model_name=life.model).execute(context()) == uri


def test_a_version_that_is_not_there_is_waited_for_in_the_triggerer(life: Life):
    life.version(1.0)
    sensor = ModelVersionSensor(task_id="wait", model_name=life.model, newer_than=1, timeout=60, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context())
    assert deferred.value.timeout.total_seconds() == 60
    assert "127.0.0.1" not in str(deferred.value.trigger.serialize()), "a connection's id, never the connection"


def test_an_alias_counts_only_when_it_names_a_version_that_is_new_enough(life: Life):
    uri = life.version(1.0)
    life.registry.set_alias(life.model, "champion", 1)
    sensor = ModelVersionSensor(task_id="wait", model_name=life.model, alias="champion", deferrable=False)
    assert sensor.poke(context()).xcom_value == uri
    sensor.newer_than = 1
    assert not sensor.poke(context()).is_done


def test_the_event_of_the_trigger_is_the_tasks_result_or_its_failure():
    sensor = ModelVersionSensor(task_id="wait", model_name="m")
    assert sensor.resume(context(), {"status": "found", "answer": "models:/m/1"}) == "models:/m/1"
    with pytest.raises(AirflowFailException, match="no such"):
        sensor.resume(context(), {"status": "refused", "message": "no such"})
    with pytest.raises(AirflowFailException, match="unknown event"):
        sensor.resume(context(), {"status": "new"})
