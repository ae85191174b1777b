"""What the DAG of an alert leaves to a person; that it acts is shown in ``tests/faults/test_alert_rollback.py``."""

from __future__ import annotations

from typing import Any

import alert_rollback
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from tests.operators.life import Life, context


@pytest.fixture
def released(life: Life, monkeypatch: pytest.MonkeyPatch) -> Life:
    """Versions 1, 2 and 3, one after the other, in the store of the configuration."""
    monkeypatch.setenv("AIRFLOW__MODEL_LIFECYCLE__STORE", life.store_uri)
    for version in (1, 2, 3):
        life.release(100.0 * version, f"run-{version}")
    return life


def run(life: Life, leaving: int, run_id: str, calm: int = 30) -> dict[str, Any]:
    """The task of the DAG, with the params that the receiver gives."""
    alert = {"endpoint": life.endpoint, "leaving": str(leaving), "alert": "Errors", "reason": "Errors: it fails"}
    found = {**context("roll_back", run_id), "params": {**alert, "calm": calm}}
    task = alert_rollback.dag.get_task("roll_back").prepare_for_execution()
    task.render_template_fields(found)
    alert_rollback.leave_to_a_person(found)
    return task.execute(found)


def test_it_goes_back_once_however_often_it_runs(released: Life):
    first = run(released, 3, "alert-1")
    assert (first["state"], released.serving.traffic(released.model)) == ("ROLLED_BACK", {2: 100})
    assert first["reason"] == "Errors: it fails"
    generation = released.ledger.generation()
    for run_id in ("alert-1", "alert-2", "alert-3"):
        run(released, 3, run_id)
    assert released.ledger.generation() == generation
    assert released.serving.traffic(released.model) == {2: 100}


def test_a_fault_that_follows_two_versions_is_left_to_a_person(released: Life):
    run(released, 3, "alert-1")
    with pytest.raises(AirflowFailException, match="look for a cause outside of the model"):
        run(released, 2, "alert-2")
    assert released.serving.traffic(released.model) == {2: 100}


def test_a_person_may_say_that_it_is_calm(released: Life):
    run(released, 3, "alert-1")
    run(released, 2, "alert-2", calm=0)
    assert released.serving.traffic(released.model) == {1: 100}


def test_an_endpoint_that_nobody_ever_released_to_fails_by_its_name(life: Life, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__MODEL_LIFECYCLE__STORE", life.store_uri)
    with pytest.raises(AirflowFailException, match="nothing was ever released on this endpoint"):
        run(life, 3, "alert-1")
