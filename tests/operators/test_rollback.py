from __future__ import annotations

import json
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from model_lifecycle.core.errors import Unavailable
from model_lifecycle.core.release import State
from model_lifecycle.core.strategy import BlueGreen
from model_lifecycle.hooks.serving import VersionState
from model_lifecycle.operators.rollback import RollbackModelOperator
from tests.operators.life import Life, context
from tests.servers.process import free_ports


def test_a_rollback_brings_back_traffic_and_aliases_and_quarantines_what_it_leaves(life: Life):
    life.release(1.0, "run-1")
    second = life.release(2.0, "run-2")
    result = life.roll_back()
    assert (result["state"], result["serving_version"], result["abandons"]) == ("ROLLED_BACK", 1, 2)
    assert (life.answer(), life.aliases()) == (12.0, {"champion": 1})
    assert life.serving.versions(life.model) == {1: VersionState.READY}
    with pytest.raises(AirflowFailException, match="quarantined"):
        life.deploy(second, "run-3")
    assert life.deploy(second, "run-4", allow_quarantined=True)["state"] == "SUCCEEDED"


def test_the_same_task_run_again_does_not_go_back_one_more_step(life: Life):
    for run, offset in enumerate((1.0, 2.0, 3.0)):
        life.release(offset, f"run-{run}")
    first = life.roll_back("incident")
    assert life.roll_back("incident") == first
    assert life.answer() == 13.0
    assert life.roll_back("a second incident")["serving_version"] == 1


def test_a_rollback_to_a_named_version_loads_it_again(life: Life):
    for run, offset in enumerate((1.0, 2.0, 3.0)):
        life.release(offset, f"run-{run}")
    assert life.serving.versions(life.model).keys() == {2, 3}
    life.roll_back(to=1)
    assert (life.answer(), life.aliases()) == (12.0, {"champion": 1})


def test_a_rollback_interrupts_a_release_under_way(life: Life):
    life.release(1.0, "run-1")
    second = life.version(2.0)
    with pytest.raises(TaskDeferred):
        life.deploy(second, "run-2", deferrable=True, strategy=BlueGreen(timedelta(hours=1)))
    result = life.roll_back("incident", reason="callers complain")
    assert (result["state"], result["reason"], result["serving_version"]) == ("ROLLED_BACK", "callers complain", 1)
    assert life.answer() == 12.0
    assert life.roll_back("incident")["release"] == result["release"]
    with pytest.raises(AirflowFailException, match="quarantined"):
        life.deploy(second, "run-2", try_number=2)


def test_a_first_release_that_is_interrupted_leaves_nothing_serving(life: Life):
    with pytest.raises(TaskDeferred):
        life.deploy(life.version(1.0), deferrable=True, strategy=BlueGreen(timedelta(hours=1)))
    assert life.roll_back()["state"] == "ROLLED_BACK"
    assert life.serving.traffic(life.model) == {}


def test_nothing_is_rolled_back_if_another_version_serves_than_the_one_to_leave(life: Life):
    life.release(1.0, "run-1")
    life.release(2.0, "run-2")
    generation = life.ledger.generation()
    life.roll_back(leaving=1)
    assert (life.answer(), life.ledger.generation()) == (13.0, generation)
    life.roll_back("run-3", leaving=f"models:/{life.model}/2")
    assert life.answer() == 12.0


def test_without_a_version_before_there_is_nothing_to_go_back_to(life: Life):
    life.release(1.0, "run-1")
    with pytest.raises(AirflowFailException, match="no version before 1"):
        life.roll_back()
    assert life.answer() == 12.0


def test_an_endpoint_that_was_never_released_cannot_be_rolled_back(life: Life):
    with pytest.raises(AirflowFailException, match="ever released"):
        life.roll_back()


@pytest.mark.parametrize("endpoint", ["flights", "a/b/c", "../x", "scorer_default/", "scorer default/flights"])
def test_a_bad_endpoint_is_one_clear_error(life: Life, endpoint):

    with pytest.raises(AirflowFailException, match="endpoint|not allowed"):
        RollbackModelOperator(task_id="r", endpoint=endpoint, store=life.store_uri).execute(context())


def test_a_rollback_needs_no_registry_until_traffic_is_back(life: Life, monkeypatch):
    life.release(1.0, "run-1")
    life.release(2.0, "run-2")
    away = {"conn_type": "mlflow", "host": "http://127.0.0.1", "port": free_ports()[0], "extra": {"timeout": 0.1}}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(away))
    with pytest.raises(Unavailable):
        life.roll_back()
    assert life.answer() == 12.0, "traffic went back although MLflow is away"
    assert life.newest().state is State.ROLLING_BACK
    monkeypatch.undo()
