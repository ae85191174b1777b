"""The hook for multi-model-server, on a real one behind a real HAProxy."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from uuid import uuid4

import pytest

from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.hooks import multi_model_server
from model_lifecycle.hooks.model_archive import write_archive
from model_lifecycle.hooks.multi_model_server import MultiModelServerHook
from model_lifecycle.hooks.serving import VersionState, serving_hook
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import Kind, NewHook, Publish, ServingContract, settled, values
from tests import models
from tests.callers import Load, Question
from tests.fixtures_archives import Made, connect, publisher
from tests.servers.mms import MultiModelServer

LICENSED = """\
import os
LOADED = os.path.exists({!r})
def handle(data, context):
    return [{{"fault": "" if LOADED else "no licence", "outputs": {{}}, "model_version": "1"}}]
"""


class TestMultiModelServer(ServingContract):
    @pytest.fixture
    def new_hook(self, mms_connection: str) -> NewHook:
        return lambda: serving_hook(mms_connection)

    @pytest.fixture
    def store(self, tmp_path: Path) -> ModelStore:
        return local_store(tmp_path / "store")

    @pytest.fixture
    def publish(self, tmp_path: Path, onnx: Made) -> Publish:
        return publisher(tmp_path / "store", onnx)


@pytest.fixture
def hook(mms_connection: str) -> MultiModelServerHook:
    return MultiModelServerHook(mms_connection)


@pytest.fixture
def model() -> str:
    return f"m{uuid4().hex[:12]}"


@pytest.fixture
def load(hook, model, tmp_path, onnx):
    """Stage and load a version, and wait for it; its number is its offset."""

    def load(version: int) -> VersionState:
        uri = publisher(tmp_path / "store", onnx)(model, Kind.RIGHT, version)
        hook.stage(model, version, uri, local_store(tmp_path / "store"))
        hook.load(model, version)
        return settled(hook, model, version)

    return load


def test_without_a_router_there_is_no_traffic_and_the_error_names_what_to_set(hook):
    for verb in (
        lambda: hook.traffic("churn"),
        lambda: hook.route("churn", {1: 100}),
        lambda: hook.predict("churn", models.INPUTS),
    ):
        with pytest.raises(Invalid, match="router_conn_id"):
            verb()


def test_the_connection_is_tested_from_the_form(hook, mms, monkeypatch):
    assert hook.test_connection() == (True, "multi-model-server is ready")
    connect(monkeypatch, "mms_wrong", "multi_model_server", mms, management="http://127.0.0.1:9")
    assert not MultiModelServerHook("mms_wrong").test_connection()[0]


def test_a_version_has_an_address_of_its_own_while_it_is_loaded(hook, mms, model, load):
    load(3)
    assert hook.address(model, 3) == f"http://127.0.0.1:{mms.port}/predictions/{model}~3"
    hook.unload(model, 3)
    with pytest.raises(NotFound):
        hook.address(model, 3)


def test_versions_are_found_beyond_the_first_page_and_others_models_are_not_taken_for_ours(
    hook, model, load, monkeypatch
):
    monkeypatch.setattr(multi_model_server, "PAGE", 1)
    for version in (1, 2):
        load(version)
    hook.manage("POST", "/models", params={"url": f"{model}-1.mar", "model_name": model, "synchronous": "false"})
    hook.manage("POST", "/models", params={"url": f"{model}-1.mar", "model_name": f"{model}~x", "synchronous": "false"})
    assert hook.versions(model) == {1: VersionState.READY, 2: VersionState.READY}


def test_a_version_without_workers_is_not_loaded_and_gets_them_back_when_it_is(hook, model, load):
    load(1)
    hook.manage("PUT", f"/models/{model}~1", params={"min_worker": 0, "max_worker": 0, "synchronous": "true"})
    assert hook.versions(model) == {}
    assert load(1) is VersionState.READY
    assert values(hook, model, 1) == [12.0, 23.0]


def test_workers_that_end_whenever_they_load_are_failed_in_time_though_the_server_calls_them_ready(
    hook: MultiModelServerHook, mms: MultiModelServer, model, monkeypatch
):
    write_archive(mms.archives / f"{model}-1.mar", model, "1", "import os\nos._exit(1)\n")
    hook.load(model, 1)
    assert hook.versions(model) == {1: VersionState.LOADING}
    monkeypatch.setattr(multi_model_server, "PATIENCE", 1)
    connect(monkeypatch, "mms_hasty", "multi_model_server", mms, load_timeout=3)
    hasty = MultiModelServerHook("mms_hasty")
    assert settled(hasty, model, 1) is VersionState.FAILED
    assert "log tells why" in str(hasty.failure(model, 1))
    with pytest.raises(NotFound):
        hasty.predict(model, models.INPUTS, 1)


def test_a_version_that_could_not_be_loaded_is_loaded_again_when_it_can(hook, mms, model, tmp_path):
    licence = tmp_path / "licence"
    write_archive(mms.archives / f"{model}-1.mar", model, "1", LICENSED.format(str(licence)))
    hook.load(model, 1)
    assert settled(hook, model, 1) is VersionState.FAILED
    assert hook.failure(model, 1) == "no licence"
    licence.touch()
    hook.load(model, 1)
    assert settled(hook, model, 1) is VersionState.READY


def test_a_body_that_is_no_json_is_refused_and_kills_no_worker(hook, model, load):
    import requests

    load(1)
    headers = {"Content-Type": "application/json"}
    answer = requests.post(hook.address(model, 1), data=b'{"inputs": ', headers=headers, timeout=10)
    assert (answer.status_code, answer.json()) == (400, {"error": "the body is not JSON"})
    assert values(hook, model, 1) == [12.0, 23.0]


def test_a_release_and_a_rollback_under_load_fail_no_request(
    mms_connection, haproxy_server, model, tmp_path, onnx, capsys
):
    endpoint, store, publish = (
        serving_hook(mms_connection),
        local_store(tmp_path / "s"),
        publisher(tmp_path / "s", onnx),
    )

    def release(version: int) -> None:
        endpoint.stage(model, version, publish(model, Kind.RIGHT, 100 * version), store)
        endpoint.load(model, version)
        assert settled(endpoint, model, version) is VersionState.READY
        endpoint.route(model, {version: 100})

    def read(value, headers):
        version = int(headers["x-model-version"])
        outputs = {"sum": [11.0 + 100 * version, 22.0 + 100 * version]}
        return version, value == {"model_version": str(version), "outputs": outputs}

    release(1)
    question = Question(f"/predictions/{model}", json.dumps({"inputs": models.INPUTS}), read)
    callers = Load(haproxy_server.port, question)
    callers.start()
    try:
        for version, before in ((2, 1), (1, 2)):
            release(version)
            callers.go_on()
            endpoint.unload(model, before)
            callers.go_on()
    finally:
        callers.end()
    with capsys.disabled():
        print(f"\nmulti-model-server behind HAProxy, release and rollback: {callers.told()}")
    callers.assert_right()
    assert {reply.version for reply in callers.replies} == {1, 2}


def test_no_registration_is_synchronous():
    source = inspect.getsource(multi_model_server)
    assert source.count('"synchronous": "false"') == source.count('"synchronous"')
