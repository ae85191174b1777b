"""A model's life on real servers, for every test that needs one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.operators.life import Life
from tests.servers.scorer import ScorerServer


@pytest.fixture(scope="session")
def scorer_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScorerServer]:
    """One scorer for the whole session; nobody stops it, and every test uses model names of its own."""
    folder = tmp_path_factory.mktemp("scorer")
    with ScorerServer(folder / "repository", folder / "scorer.log") as server:
        yield server


@pytest.fixture
def life(tmp_path: Path, scorer_server: ScorerServer, mlflow_connection: str, monkeypatch: pytest.MonkeyPatch) -> Life:
    """A new model on the shared servers, with a store of its own."""
    return new_life(tmp_path, scorer_server, monkeypatch)


def new_life(folder: Path, scorer_server: ScorerServer, monkeypatch: pytest.MonkeyPatch) -> Life:
    """The same, for fixtures of a wider scope."""
    extra = {"repository": str(scorer_server.repository), "timeout": 20, "trust": "code"}  # models.scripted is code
    connection = {"conn_type": "open_inference", "host": "http://127.0.0.1", "port": scorer_server.port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SCORER_DEFAULT", json.dumps(connection))
    store = (folder / "store").as_uri()
    return Life(folder, f"m{uuid4().hex[:12]}", store, scorer_server.repository)
