from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from model_lifecycle.core.release import State
from model_lifecycle.core.strategy import BlueGreen, Canary
from model_lifecycle.operators.reconcile import ReconcileReleasesOperator, is_alive
from tests.operators.life import Life, context

HOUR = timedelta(hours=1)


def asked(states: dict[str, dict[str, str]]) -> Any:
    """The context of a task to which Airflow tells these states, by run and task, and what it was asked."""
    questions: list[dict[str, Any]] = []

    def get_task_states(**question: Any) -> dict[str, dict[str, str]]:
        questions.append(question)
        return states

    known = context("reconcile", "run-9")
    vars(known["ti"]).update(get_task_states=get_task_states, questions=questions)
    return known


def reconciled(life: Life, states: dict[str, dict[str, str]], **more: Any) -> list[dict[str, Any]]:
    options = {"grace": timedelta(0), **more}
    task = ReconcileReleasesOperator(task_id="reconcile", store=life.store_uri, **options)
    return task.guarded(asked(states))


def left_in_the_middle(life: Life, strategy: Any) -> None:
    """A release whose task is gone: nobody takes it up after its wait."""
    life.deploy(life.version(1.0))
    with pytest.raises(TaskDeferred):
        life.deploy(life.version(2.0), "run-2", deferrable=True, strategy=strategy)


def test_a_release_whose_task_failed_is_rolled_back(life: Life):
    left_in_the_middle(life, Canary((50,), bake=HOUR))
    done = reconciled(life, {"run-2": {"deploy": "failed"}})
    assert [(one["state"], one["version"]) for one in done] == [("ROLLED_BACK", 2)]
    assert life.serving.traffic(life.model) == {1: 100}
    assert reconciled(life, {"run-2": {"deploy": "failed"}}) == []


def test_a_proven_version_whose_task_failed_is_watched_to_its_end(life: Life):
    left_in_the_middle(life, BlueGreen(timedelta(seconds=5)))
    states = {"run-2": {"deploy": "failed"}}
    while life.newest().state is State.SOAKING:
        reconciled(life, states)
    assert (life.newest().state, life.serving.traffic(life.model)) == (State.SUCCEEDED, {2: 100})


@pytest.mark.parametrize("state", ["running", "deferred", "up_for_retry", "queued", "scheduled", "None"])
def test_a_release_whose_task_goes_on_is_left_alone(life: Life, state):
    left_in_the_middle(life, Canary((50,), bake=HOUR))
    generation = life.ledger.generation()
    assert reconciled(life, {"run-2": {"deploy": state}}) == []
    assert life.ledger.generation() == generation


def test_a_release_that_moved_a_moment_ago_is_left_alone(life: Life):
    left_in_the_middle(life, Canary((50,), bake=HOUR))
    assert reconciled(life, {"run-2": {"deploy": "failed"}}, grace="300") == []


def test_endpoints_can_be_named_and_a_named_one_without_history_is_nothing(life: Life):
    left_in_the_middle(life, Canary((50,), bake=HOUR))
    states = {"run-2": {"deploy": "failed"}}
    assert reconciled(life, states, endpoints=["scorer_default/nothing-there"]) == []
    assert len(reconciled(life, states, endpoints=json.dumps([life.endpoint]))) == 1


def test_an_endpoint_whose_connection_is_gone_is_no_trouble_once_its_last_release_is_over(life: Life):
    life.deploy(life.version(1.0))
    for generation in range(1, life.ledger.generation() + 1):
        entry = life.store.read_entry(life.endpoint, generation)
        life.store.append_exclusive("a_connection_that_is_gone/churn", generation, entry)
    assert reconciled(life, {}) == []


def test_an_endpoint_that_cannot_be_reached_keeps_no_other_waiting_and_is_told_of(life: Life, monkeypatch):
    left_in_the_middle(life, Canary((50,), bake=HOUR))
    lost = life.store.read_entry(life.endpoint, 1)
    life.store.append_exclusive("a_connection_that_is_gone/churn", 1, lost)
    with pytest.raises(RuntimeError, match="1 endpoints could not be reconciled: a_connection_that_is_gone/churn: "):
        reconciled(life, {"run-2": {"deploy": "failed"}})
    assert life.newest().state is State.ROLLED_BACK


def test_airflow_is_asked_about_the_task_that_the_ledger_names():
    known = asked({"run-2": {"deploy": "running"}})
    assert is_alive(known)({"dag": "d", "run": "run-2", "task": "deploy", "map_index": "3", "try": "1"})
    assert known["ti"].questions == [{"dag_id": "d", "task_ids": ["deploy"], "run_ids": ["run-2"], "map_index": 3}]


@pytest.mark.parametrize("states", [{}, {"run-2": {}}, {"run-2": {"deploy": "success"}}])
def test_a_task_that_ended_or_is_unknown_is_dead(states):
    assert not is_alive(asked(states))({"dag": "d", "run": "run-2", "task": "deploy"})


def test_who_is_no_task_is_known_by_the_deadline_alone():
    assert is_alive(asked({}))({"user": "alice"})
