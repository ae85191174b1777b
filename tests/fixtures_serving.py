"""Serving systems that are not ours, one of each for the whole session; every test uses model names of its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_lifecycle.hooks.mlflow_serving import MlflowServingHook
from tests import models
from tests.servers.mlserver import MLServerServer
from tests.servers.supervisor import SLOTS, PreloadedMlflow, SupervisorServer


@pytest.fixture(scope="session")
def mlserver_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLServerServer]:
    """One MLServer that loads in the process that answers; what its runtime imports is behind it when it starts."""
    server = MLServerServer(tmp_path_factory.mktemp("mlserver"))
    server.add_model("warm", models.linear(server.repository / "warm", 0, outputs=True))
    with server:
        yield server


@pytest.fixture(scope="session")
def supervisor_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisorServer]:
    """One Supervisor with MLflow's own server in its slots, forked from a process that has imported everything."""
    preloaded = PreloadedMlflow(tmp_path_factory.mktemp("preloaded"))
    try:
        preloaded.start()
        with SupervisorServer(tmp_path_factory.mktemp("supervisor"), preloaded) as server:
            yield server
    finally:
        preloaded.stop()


@pytest.fixture
def mlflow_slots(supervisor_server: SupervisorServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SupervisorServer]:
    """The shared Supervisor with the connection ``mlflow_tried`` to it; its slots are emptied after the test."""
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_TRIED", supervisor_server.connection())
    yield supervisor_server
    hook = MlflowServingHook("mlflow_tried")
    with ThreadPoolExecutor(SLOTS) as pool:  # Supervisor looks after its programs once a second: for all at once
        list(pool.map(lambda held: hook.unload(*held), hook.slots.taken().values()))
