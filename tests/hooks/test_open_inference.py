"""The hook for servers of the Open Inference Protocol, on a real scorer."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest
from airflow.sdk import BaseHook

from model_lifecycle.core.errors import Invalid, Unavailable
from model_lifecycle.hooks import session
from model_lifecycle.hooks.open_inference import OpenInferenceHook
from model_lifecycle.hooks.serving import ServingHook, VersionState, serving_hook
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import Kind, NewHook, Publish, ServingContract, settled, values
from tests import models
from tests.servers.process import free_ports
from tests.servers.scorer import ScorerServer


def connect(monkeypatch: pytest.MonkeyPatch, port: int, name: str = "scorer_tried", **extra: object) -> None:
    connection = {"conn_type": "open_inference", "host": "http://127.0.0.1", "port": port, "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))


@pytest.fixture
def hook(scorer_server: ScorerServer, monkeypatch: pytest.MonkeyPatch) -> OpenInferenceHook:
    connect(monkeypatch, scorer_server.port, repository=str(scorer_server.repository), timeout=20)
    return OpenInferenceHook("scorer_tried")


@pytest.fixture(scope="session")
def makers() -> dict[Kind, Callable[[Path, float], Path]]:
    return {
        Kind.RIGHT: models.linear,
        Kind.BROKEN: lambda folder, offset: models.broken(folder),
        Kind.FAILING: lambda folder, offset: models.failing(folder),
    }


# [START contract]
class TestOpenInference(ServingContract):
    @pytest.fixture
    def new_hook(self, scorer_server: ScorerServer, monkeypatch: pytest.MonkeyPatch) -> NewHook:
        connect(monkeypatch, scorer_server.port, repository=str(scorer_server.repository), timeout=20)
        return lambda: OpenInferenceHook("scorer_tried")

    @pytest.fixture
    def store(self, tmp_path: Path) -> ModelStore:
        return local_store(tmp_path / "store")

    @pytest.fixture
    def publish(self, store: ModelStore, tmp_path: Path, makers) -> Publish:
        def publish(model: str, kind: Kind, offset: float) -> str:
            folder = makers[kind](tmp_path / uuid4().hex, offset)
            return store.publish(folder, models.manifest_of(folder, model))

        return publish


# [END contract]


def test_airflow_finds_the_hook_by_the_type_of_the_connection(hook):
    assert isinstance(BaseHook.get_hook("scorer_tried"), OpenInferenceHook)
    assert isinstance(serving_hook("scorer_tried"), OpenInferenceHook)


def test_a_connection_of_another_kind_is_refused(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY_TRIED", json.dumps({"conn_type": "mlflow", "host": "h"}))
    with pytest.raises(Invalid, match="of a type that serves no models"):
        serving_hook("registry_tried")


def test_a_backend_that_declares_itself_badly_fails_when_it_is_imported():
    with pytest.raises(TypeError, match="must declare"):
        type("Half", (ServingHook,), dict.fromkeys(ServingHook.__abstractmethods__, lambda self: None))


def test_the_connection_is_tested_from_the_form(hook, monkeypatch):
    assert hook.test_connection() == (True, "model-lifecycle-scorer 0.1.0 is ready")
    connect(monkeypatch, free_ports()[0])
    works, reason = OpenInferenceHook("scorer_tried").test_connection()
    assert not works
    assert "the connection failed" in reason


def test_a_server_that_is_away_is_unavailable(monkeypatch):
    connect(monkeypatch, free_ports()[0], timeout=0.2)
    monkeypatch.setattr(session, "CONNECT_TIMEOUT", 0.2)
    with pytest.raises(Unavailable):
        OpenInferenceHook("scorer_tried").versions("churn")


def test_a_server_that_nobody_knows_is_named_by_the_connection(monkeypatch, tmp_path):
    class Plain(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"name": "ours"}')

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Plain) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        connect(monkeypatch, server.server_address[1])
        with pytest.raises(Invalid, match="'ours' is no server that we know.*extra server"):
            OpenInferenceHook("scorer_tried").versions("churn")
        for known in ("scorer", "mlserver", "kserve"):
            connect(monkeypatch, server.server_address[1], server=known)
            assert OpenInferenceHook("scorer_tried").server == known
        server.shutdown()


@pytest.mark.parametrize("extra", [{}, {"repository": ""}, {"repository": "models"}, {"repository": 7}])
def test_staging_needs_the_folder_of_the_server(monkeypatch, tmp_path, extra):
    connect(monkeypatch, 9, **extra)
    with pytest.raises(Invalid, match="extra repository"):
        OpenInferenceHook("scorer_tried").stage("churn", 1, "file:///nowhere", local_store(tmp_path))


def test_a_folder_that_was_changed_after_staging_is_failed_and_never_loaded(hook, scorer_server, tmp_path):
    store, model = local_store(tmp_path / "store"), f"m{uuid4().hex[:12]}"
    folder = models.linear(tmp_path / "model", 1)
    hook.stage(model, 1, store.publish(folder, models.manifest_of(folder, model)), store)
    with (scorer_server.repository / model / "1" / "requirements.txt").open("a") as out:
        out.write("evil\n")
    hook.load(model, 1)
    assert settled(hook, model, 1) is VersionState.FAILED
    assert "requirements.txt is not as the manifest says" in hook.failure(model, 1)


def test_a_scorer_works_behind_a_router_as_well(scorer_server, haproxy_connection, monkeypatch, tmp_path):
    extra = {"repository": str(scorer_server.repository), "router_conn_id": haproxy_connection, "timeout": 20}
    connect(monkeypatch, scorer_server.port, **extra)
    behind, model, store = serving_hook("scorer_tried"), f"m{uuid4().hex[:12]}", local_store(tmp_path / "store")
    for version in (1, 2):
        folder = models.linear(tmp_path / str(version), version)
        behind.stage(model, version, store.publish(folder, models.manifest_of(folder, model)), store)
        behind.load(model, version)
        assert settled(behind, model, version) is VersionState.READY
    behind.route(model, {1: 50, 2: 50})
    assert {tuple(values(behind, model)) for _ in range(50)} == {(12.0, 23.0), (13.0, 24.0)}
    assert sum(count.requests for count in behind.counts(model).values()) >= 50
    assert OpenInferenceHook("scorer_tried").traffic(model) == {}


def test_importing_the_hook_loads_nothing_heavy():
    heavy = {"fastapi", "mlflow", "numpy", "pandas", "uvicorn", "prometheus_client", "sklearn"}
    code = "import sys, airflow.sdk; before = set(sys.modules); import model_lifecycle.hooks.open_inference;"
    code += f"print(sorted({heavy} & (set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_name_of_several_outputs_and_ids_is_kept(hook, scorer_server, tmp_path):
    model = f"m{uuid4().hex[:12]}"
    folder = models.scripted(tmp_path / "m", 'import pandas as pd; return pd.DataFrame({"a": rows.x, "b": ["t"] * 2})')
    models.stage(scorer_server.repository, model, 1, folder)
    hook.load(model, 1)
    settled(hook, model, 1)
    answer = hook.predict(model, models.INPUTS, 1)
    assert (answer.version, dict(answer.outputs)) == (1, {"a": [1.0, 2.0], "b": ["t", "t"]})
