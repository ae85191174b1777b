"""Versions as models of their own, on a real MLServer without a router."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from airflow.sdk import Connection

from model_lifecycle.core.errors import Invalid, NotFound, Unavailable
from model_lifecycle.hooks import named_versions, session
from model_lifecycle.hooks.named_versions import KServeVersions
from model_lifecycle.hooks.open_inference import OpenInferenceHook
from model_lifecycle.hooks.open_inference_rest import RestCalls
from model_lifecycle.hooks.serving import VersionState, serving_hook
from model_lifecycle.hooks.session import ConnectionSession
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import INPUTS, settled, values
from tests import models
from tests.hooks.answering import answering
from tests.hooks.test_open_inference import connect
from tests.servers.mlserver import MLServerServer

READY, LOADING, FAILED = VersionState.READY, VersionState.LOADING, VersionState.FAILED


@pytest.fixture
def model() -> str:
    return f"m{uuid4().hex[:12]}"


@pytest.fixture
def hook(mlserver_server: MLServerServer, monkeypatch: pytest.MonkeyPatch) -> OpenInferenceHook:
    connect(monkeypatch, mlserver_server.port, repository=str(mlserver_server.repository), timeout=60)
    return OpenInferenceHook("scorer_tried")


@pytest.fixture
def stage(hook: OpenInferenceHook, model: str, tmp_path: Path):
    store = local_store(tmp_path / "store")

    def stage(version: int, maker=models.linear, **more: object) -> None:
        folder = tmp_path / uuid4().hex
        maker(folder, version, outputs=True) if maker is models.linear else maker(folder, **more)
        hook.stage(model, version, store.publish(folder, models.manifest_of(folder, model)), store)

    return stage


def test_loading_one_version_loads_no_other_and_leaves_those_that_serve(hook, model, stage, mlserver_server):
    for version in (1, 2, 3):
        stage(version)
    hook.load(model, 1)
    loads = _log(mlserver_server).count(f"Loaded model '{model}")
    hook.load(model, 3)
    assert hook.versions(model) == {1: READY, 3: READY}
    assert _log(mlserver_server).count(f"Loaded model '{model}") == loads + 1
    hook.unload(model, 3)
    assert hook.versions(model) == {1: READY}
    assert _log(mlserver_server).count(f"Loaded model '{model}") == loads + 1


def _log(server: MLServerServer) -> str:
    return server.log.read_text()


def test_the_reason_of_a_failed_load_is_the_servers_and_another_worker_reads_it(hook, model, stage):
    stage(2, models.broken, outputs=True)
    hook.load(model, 2)
    other = OpenInferenceHook("scorer_tried")
    assert other.versions(model) == {2: FAILED}
    assert "BadZipFile: File is not a zip file" in other.failure(model, 2)


def test_a_file_in_an_artifact_that_looks_like_settings_is_never_read(hook, model, tmp_path, mlserver_server):
    folder, store = models.linear(tmp_path / "m", 1, outputs=True), local_store(tmp_path / "store")
    settings = {"name": f"{model}.9", "implementation": "mlserver_mlflow.MLflowRuntime"}
    (folder / "model-settings.json").write_text(json.dumps(settings))
    hook.stage(model, 1, store.publish(folder, models.manifest_of(folder, model)), store)
    hook.load(model, 1)
    assert hook.versions(model) == {1: READY}
    listed = hook.session.call("POST", "/v2/repository/index", json={}).json()
    assert [entry["name"] for entry in listed if entry["name"].startswith(model)] == [f"{model}.1"]


def test_a_repository_that_the_server_does_not_see_is_said_so(hook, model, stage, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    extra = hook.connection.extra_dejson | {"repository": str(tmp_path / "elsewhere")}
    connect(monkeypatch, hook.session.url.rpartition(":")[2], **extra)
    hook.__dict__.clear()
    hook.__init__("scorer_tried")
    stage(1)
    with pytest.raises(NotFound, match=rf"Model {model}.1 not found"):
        hook.load(model, 1)
    assert hook.versions(model) == {}


def test_a_version_is_told_from_a_model_whose_name_ends_in_a_number(hook, model, stage):
    stage(1)
    hook.load(model, 1)
    assert hook.versions(f"{model}.1") == {}
    assert hook.versions(model[:-1]) == {}


def test_without_a_router_it_says_that_it_cannot_be_told_who_answers(hook, model):
    assert (hook.can_split, hook.counts_requests, hook.counts(model)) == (False, False, {})
    for verb in (lambda: hook.traffic(model), lambda: hook.route(model, {1: 100})):
        with pytest.raises(Invalid, match="router_conn_id"):
            verb()


def test_a_server_with_workers_of_its_own_serves_as_well(model, tmp_path, haproxy_connection, monkeypatch):
    with MLServerServer(tmp_path / "mlserver", workers=1) as server:
        extra = {"repository": str(server.repository), "router_conn_id": haproxy_connection, "timeout": 60}
        connect(monkeypatch, server.port, **extra)
        hook, store = serving_hook("scorer_tried"), local_store(tmp_path / "store")
        for version in (1, 2):
            folder = models.linear(tmp_path / str(version), version, outputs=True)
            hook.stage(model, version, store.publish(folder, models.manifest_of(folder, model)), store)
            hook.load(model, version)
            assert settled(hook, model, version) is READY
            hook.route(model, {version: 100})
            assert values(hook, model) == [11.0 + version, 22.0 + version]
        hook.unload(model, 1)
        assert hook.versions(model) == {2: READY}


class TestLoadsThatEndBadly:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[MLServerServer]:
        with MLServerServer(tmp_path / "mlserver") as server:
            yield server

    @pytest.fixture
    def mlserver_server(self, server: MLServerServer) -> MLServerServer:
        return server

    @pytest.fixture
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], OpenInferenceHook]:
        """A hook that does not wait for a server that is away."""

        def impatient() -> OpenInferenceHook:
            monkeypatch.setattr(session, "CONNECT_TIMEOUT", 0.2)
            hook = OpenInferenceHook("scorer_tried")
            hook.session.timeout = 0.2
            return hook

        return impatient

    def test_what_ends_the_server_is_failed_and_does_not_end_it_again_when_it_starts(
        self, hook, model, stage, server, impatient
    ):
        stage(1)
        hook.load(model, 1)
        stage(2, _deadly)
        hook.load(model, 2)
        server.process.wait(20)
        with pytest.raises(Unavailable):
            impatient().versions(model)
        server.start()
        assert hook.versions(model) == {1: READY, 2: FAILED}
        assert "went away while it loaded" in hook.failure(model, 2)
        assert values(hook, model, 1) == [12.0, 23.0]

    def test_a_load_that_outlasts_the_time_out_is_loading_and_then_what_it_became(
        self, hook, model, stage, server, monkeypatch
    ):
        stage(1)
        hook.load(model, 1)  # the runtime's own imports, which take seconds, are behind us
        connect(monkeypatch, server.port, repository=str(server.repository), timeout=1)
        slow = OpenInferenceHook("scorer_tried")
        stage(2, _slow)
        slow.load(model, 2)
        assert settled(hook, model, 2) is READY
        stage(3, _slow, fails=True)
        slow.load(model, 3)
        assert hook.versions(model)[3] is LOADING
        monkeypatch.setattr(named_versions, "GRACE", -60)
        assert settled(hook, model, 3) is FAILED
        assert "nobody heard how its load ended" in hook.failure(model, 3)
        hook.unload(model, 3)
        assert hook.versions(model) == {1: READY, 2: READY}

    def test_a_server_that_was_killed_comes_back_with_what_it_had_and_what_it_missed_is_not_called_failed(
        self, hook, model, stage, server, impatient
    ):
        for version in (1, 2):
            stage(version)
            hook.load(model, version)
        hook.unload(model, 1)
        server.kill()
        stage(3)
        with pytest.raises(Unavailable):
            impatient().load(model, 3)
        server.start()
        assert hook.versions(model) == {2: READY}
        assert hook.predict(model, INPUTS, 2).version == 2


def _deadly(folder: Path) -> Path:
    return _scripted(folder, "os._exit(9)")


def _slow(folder: Path, *, fails: bool = False) -> Path:
    return _scripted(folder, "time.sleep(3); 1 / 0" if fails else "time.sleep(3)")


def _scripted(folder: Path, does: str) -> Path:
    """A model whose load does that, in the server only: MLflow runs the script when it saves it, too."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    columns = Schema([ColSpec("double", name) for name in models.COLUMNS])
    signature = ModelSignature(columns, Schema([ColSpec("double", "sum")]))
    before = f"import os, sys, time\nif 'mlserver' in sys.modules: {does}"
    return models.scripted(folder, "return rows.x", before=before, signature=signature)


@pytest.fixture
def kserve(tmp_path: Path):
    """Versions on a double of KServe's server, which lists two models and knows only one of them."""
    (tmp_path / "repository").mkdir()
    ready = {"name": "churn.1", "ready": True}
    with answering({"/v2/models": {"models": ["churn.1", "churn.2"]}, "/v2/models/churn.1/ready": ready}) as port:
        connection = Connection(conn_id="kserve_tried", conn_type="open_inference", host="127.0.0.1", port=port)
        yield KServeVersions(tmp_path / "repository", RestCalls(ConnectionSession(connection)))


def test_a_model_that_is_unloaded_between_two_questions_is_not_there(kserve):
    assert kserve.versions("churn") == {1: READY}


def test_what_cannot_be_written_is_one_of_our_errors(kserve, tmp_path):
    (tmp_path / "repository" / ".staged").write_text("a file where the folder should be")
    store = local_store(tmp_path / "store")
    folder = models.linear(tmp_path / "m", 1)
    with pytest.raises(Unavailable, match=r"cannot write .*\.staged"):
        kserve.stage("churn", 3, store.publish(folder, models.manifest_of(folder, "churn")), store)


@pytest.mark.parametrize("broken", [{}, {"models": None}, [], None, {"models": 3}])
def test_a_list_of_models_of_another_shape_is_invalid(tmp_path, broken):
    with answering({"/v2/models": broken}) as port:
        connection = Connection(conn_id="kserve_tried", conn_type="open_inference", host="127.0.0.1", port=port)
        with pytest.raises(Invalid, match="none of KServe's"):
            KServeVersions(tmp_path, RestCalls(ConnectionSession(connection))).versions("churn")
