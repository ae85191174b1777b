"""An API server of a real Airflow, without a scheduler: what is started there stays queued, to be counted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.servers.airflow import AirflowServer

ROOT = Path(__file__).parents[2]
DAG = "alert_rollback"
SECRET, MLFLOW_SECRET = "s" * 32, "m" * 32


class Receiver:
    """The receiver as its callers meet it, and Airflow as a person sees it."""

    def __init__(self, airflow: AirflowServer) -> None:
        self.airflow = airflow
        self.url = f"{airflow.url}/model-lifecycle/alerts"

    def connect(self, password: str = SECRET, **extra: Any) -> None:
        """Make the connection anew."""
        self.disconnect()
        extra = {"mlflow_secret": MLFLOW_SECRET, "endpoints": {"churn": "scorer_default/churn"}, **extra}
        body = {"connection_id": "alerts_default", "conn_type": "model_alerts", "password": password}
        self.airflow.api._call("POST", "connections", json={**body, "extra": json.dumps(extra)})

    def disconnect(self) -> None:
        self.airflow.api._request("DELETE", "connections/alerts_default")

    def post(self, body: Any, secret: str | None = SECRET, **headers: str) -> requests.Response:
        """What Alertmanager does."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return requests.post(f"{self.url}/alertmanager", data=data, headers={**given, **headers}, timeout=30)

    def tell(self, *alerts: dict[str, Any]) -> requests.Response:
        return self.post(group(*alerts))

    def sign(self, body: bytes, *, age: float = 0, delivery: str = "", secret: str = MLFLOW_SECRET) -> dict[str, str]:
        """The headers that MLflow sends with a body."""
        delivery, moment = delivery or str(uuid4()), str(int(time.time() - age))
        signed = b".".join([delivery.encode(), moment.encode(), body])
        digest = base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()
        return {"X-MLflow-Delivery-Id": delivery, "X-MLflow-Timestamp": moment, "X-MLflow-Signature": f"v1,{digest}"}

    def post_mlflow(self, body: bytes, headers: dict[str, str]) -> requests.Response:
        return requests.post(f"{self.url}/mlflow", data=body, headers=headers, timeout=30)

    def runs(self) -> dict[str, dict[str, Any]]:
        """What was started, by run id."""
        return {run["dag_run_id"]: run for run in self.airflow.api.runs(DAG)}

    def events(self, asset: str) -> list[dict[str, Any]]:
        """The events of an asset."""
        found = self.airflow.api.get("assets/events", limit=100, order_by="timestamp")["asset_events"]
        return [event for event in found if event["name"] == asset]


@pytest.fixture(scope="session")
def receiver_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServer]:
    folder = tmp_path_factory.mktemp("receiver")
    dags = folder / "dags"
    dags.mkdir()
    shutil.copy(ROOT / "dags" / f"{DAG}.py", dags)
    shutil.copy(ROOT / "tests" / "plugins" / "listening.py", dags)
    # The tests' own Airflow has no scheduler to be healthy: the API server is asked alone.
    with AirflowServer(folder / "airflow", dags=dags, components=()) as server:
        server.command("dags", "reserialize")
        server.api.unpause(DAG)
        yield server


@pytest.fixture
def receiver(receiver_server: AirflowServer) -> Receiver:
    """With the connection as most tests need it."""
    found = Receiver(receiver_server)
    found.connect()
    return found


def alert(**labels: str | None) -> dict[str, Any]:
    """A firing alert that asks for a rollback of version 3 of churn; a label that is None is left out."""
    about = {"alertname": "ErrorsOfAVersion", "model": "churn", "version": "3", "action": "rollback", **labels}
    return {
        "status": "firing",
        "labels": {name: value for name, value in about.items() if value is not None},
        "annotations": {"summary": "churn 3 fails"},
        "startsAt": "2026-11-21T21:42:06.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": uuid4().hex[:16],
    }


def group(*alerts: dict[str, Any]) -> dict[str, Any]:
    """What Alertmanager posts about some alerts."""
    return {
        "version": "4",
        "groupKey": '{}:{model="churn"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "airflow",
        "groupLabels": {"model": "churn"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": list(alerts),
    }
