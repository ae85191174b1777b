"""The whole stack of docker-compose.yml natively, Airflow on PostgreSQL, Redis and two Celery workers included."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.callers import infer
from tests.compose.airflow import COMPONENTS, WORKERS, NativeAirflow
from tests.compose.life import Composed
from tests.compose.native import answer
from tests.operators.life import SCORER
from tests.servers.airflow_api import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.mark.parametrize("name", [*COMPONENTS, *WORKERS])
def test_the_health_check_of_each_part_of_airflow_finds_it_well(airflow: NativeAirflow, name: str):
    assert airflow.check(name) == 0


def test_a_health_check_finds_what_is_not_well(airflow: NativeAirflow):
    airflow.native.servers["airflow-dag-processor"].stop()
    wait_until(lambda: airflow.check("airflow-dag-processor") != 0, 180, lambda: "still well")
    airflow.native.servers["airflow-dag-processor"].start()


def test_an_alert_rolls_back_on_a_worker_and_haproxy_leads_to_the_version_before(
    airflow: NativeAirflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    composed, api = Composed(airflow.native, tmp_path, monkeypatch), airflow.api
    for offset in (100.0, 200.0):
        composed.deploy(composed.version(offset))
    api.wait_for_dags(["alert_rollback"])
    api.unpause("alert_rollback")
    assert served(composed) == [211.0, 222.0]

    began = time.monotonic()
    labels = {"alertname": "ModelVersionErrors", "model": composed.model, "version": "2", "action": "rollback"}
    alert = {"labels": {**labels, "endpoint": f"{SCORER}/{composed.model}"}, "startsAt": datetime.now(UTC).isoformat()}
    url = airflow.native.url("alertmanager", 9093) + "/api/v2/alerts"
    assert answer(url, json.dumps([alert]).encode())[0] == 200

    wait_until(lambda: bool(api.runs("alert_rollback")), 120, lambda: "no run was started")
    started = time.monotonic()
    (run,) = api.runs("alert_rollback")
    assert api.wait_for_run("alert_rollback", run["dag_run_id"])["state"] == "success"
    print(f"alert to run {started - began:.1f} s, run to rolled back {time.monotonic() - started:.1f} s")
    assert served(composed) == [111.0, 122.0]
    (task,) = api.tasks("alert_rollback", run["dag_run_id"])
    assert "ROLLED_BACK" in api.log("alert_rollback", run["dag_run_id"], task["task_id"])

    # What callers asked lies in HDFS when the scorer ends, at the latest.
    airflow.native.servers["scorer-1"].stop(grace=60)
    assert composed.listed(f"/models/_predictions/{composed.model}")


def served(composed: Composed) -> Any:
    status, body = answer(composed.address, infer(composed.model).body.encode())
    assert status == 200, body
    return json.loads(body)["outputs"][0]["data"]
