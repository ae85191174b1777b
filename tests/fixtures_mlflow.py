"""The MLflow server that tests share, and the connection that leads to it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tests.servers.mlflow import MlflowServer

# MLflow calls home from every process that imports it; read when it is imported first.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """One server for the whole session; nobody stops it, and every test uses model names of its own."""
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def mlflow_connection(mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of an Airflow connection to the shared server."""
    connection = {"conn_type": "mlflow", "host": "http://127.0.0.1", "port": mlflow_server.port}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(connection))
    return "mlflow_default"
