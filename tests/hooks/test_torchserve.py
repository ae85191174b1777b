"""The hook for TorchServe, on a real one: alone and behind a real HAProxy; its traps one by one."""

from __future__ import annotations

import inspect
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from model_lifecycle.core.errors import Conflict, Denied, Invalid, NotFound
from model_lifecycle.hooks import torchserve as module
from model_lifecycle.hooks.model_archive import write_archive
from model_lifecycle.hooks.serving import VersionState, serving_hook
from model_lifecycle.hooks.torchserve import PARKED, TorchServeHook
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import Kind, NewHook, Publish, ServingContract, settled, values
from tests import models
from tests.callers import Load, Question
from tests.fixtures_archives import Made, connect, publisher
from tests.servers.torchserve import TorchServe

LICENSED = """\
import os
LOADED = os.path.exists({!r})
def handle(data, context):
    return [{{"fault": "" if LOADED else "no licence", "outputs": {{}}, "model_version": "1"}}]
"""


class TestTorchServe(ServingContract):
    @pytest.fixture
    def new_hook(self, torchserve_connection: str) -> NewHook:
        return lambda: serving_hook(torchserve_connection)

    @pytest.fixture
    def store(self, tmp_path: Path) -> ModelStore:
        return local_store(tmp_path / "store")

    @pytest.fixture
    def publish(self, tmp_path: Path, torchscript: Made) -> Publish:
        return publisher(tmp_path / "store", torchscript)


@pytest.mark.soak
class TestTorchServeBehindHaproxy(TestTorchServe):
    @pytest.fixture
    def new_hook(
        self,
        torchserve: TorchServe,
        torchserve_connection: str,
        haproxy_connection: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> NewHook:
        more = {"key_file": str(torchserve.key_file), "router_conn_id": haproxy_connection}
        name = connect(monkeypatch, "torchserve_routed", "torchserve", torchserve, **more)
        return lambda: serving_hook(name)


@pytest.fixture
def hook(torchserve_connection: str) -> TorchServeHook:
    return TorchServeHook(torchserve_connection)


@pytest.fixture
def model() -> str:
    return f"m{uuid4().hex[:12]}"


@pytest.fixture
def stage(hook, model, tmp_path, torchscript):
    """Stage a version; its number, times a factor, is its offset."""

    def stage(version: int, factor: int = 1) -> None:
        uri = publisher(tmp_path / "store", torchscript)(model, Kind.RIGHT, version * factor)
        hook.stage(model, version, uri, local_store(tmp_path / "store"))

    return stage


@pytest.fixture
def load(hook, model, stage):
    """Stage and load a version, and wait for it."""

    def load(version: int, factor: int = 1) -> VersionState:
        stage(version, factor)
        hook.load(model, version)
        return settled(hook, model, version)

    return load


def question(server: TorchServe, model: str) -> Question:
    def read(value, headers):
        version = int(value["model_version"])
        return version, value["outputs"] == {"output": [11.0 + 100 * version, 22.0 + 100 * version]}

    headers = {"Authorization": f"Bearer {server.key('inference')}"}
    return Question(f"/predictions/{model}", json.dumps({"inputs": models.INPUTS}), read, headers)


def test_a_release_and_a_rollback_under_load_fail_no_request(hook, torchserve, model, stage, load, capsys):
    load(1, factor=100)
    hook.route(model, {1: 100})
    callers = Load(torchserve.port, question(torchserve, model))
    callers.start()
    try:
        load(2, factor=100)
        callers.go_on()
        hook.route(model, {2: 100})
        callers.go_on()
        hook.unload(model, 1)
        callers.go_on()
        load(1, factor=100)
        hook.route(model, {1: 100})
        callers.go_on()
        hook.unload(model, 2)
        callers.go_on()
    finally:
        callers.end()
    with capsys.disabled():
        print(f"\nTorchServe, release and rollback: {callers.told()}")
    callers.assert_right()
    assert {reply.version for reply in callers.replies} == {1, 2}
    assert hook.versions(model) == {1: VersionState.READY}


def test_no_registration_is_synchronous():
    source = inspect.getsource(module)
    assert source.count('"synchronous": "false"') == source.count('"synchronous"')


def test_a_version_without_workers_gets_no_traffic_and_gets_its_workers_back_when_it_is_loaded(hook, model, load):
    for version in (1, 2):
        load(version)
    hook.route(model, {1: 100})
    hook.manage("PUT", f"/models/{model}/2", params={"min_worker": 0, "synchronous": "true"})
    assert hook.versions(model) == {1: VersionState.READY}
    with pytest.raises(Conflict):
        hook.route(model, {2: 100})
    assert load(2) is VersionState.READY
    hook.route(model, {2: 100})
    assert values(hook, model) == [13.0, 24.0]


def test_a_rollback_of_the_first_release_leaves_nothing_behind(hook, torchserve, model, load):
    load(1)
    hook.route(model, {1: 100})
    hook.route(model, {})
    assert torchserve.call("POST", f"/predictions/{model}", api="inference", body=b"{}")[0] == 503
    hook.unload(model, 1)
    assert torchserve.call("GET", f"/models/{model}")[0] == 404


def test_what_others_registered_keeps_its_traffic_while_we_load_beside_it(hook, torchserve, model, stage, load):
    stage(1)
    wanted = {"url": f"{model}-1.mar", "initial_workers": 1, "synchronous": "true"}
    hook.manage("POST", "/models", params=wanted)
    load(2)
    assert hook.traffic(model) == {1: 100}
    assert values(hook, model) == [12.0, 23.0]
    hook.route(model, {2: 100})
    hook.unload(model, 1)
    assert values(hook, model) == [13.0, 24.0]


def test_a_request_that_is_being_answered_is_answered_before_its_version_goes(hook, torchserve, model):
    slow = (
        "import time\ndef handle(data, context):\n    if data and 'body' in data[0]: time.sleep(3)\n    return [{}]\n"
    )
    write_archive(torchserve.archives / f"{model}-1.mar", model, "1", slow)
    hook.load(model, 1)
    settled(hook, model, 1)
    path = f"/predictions/{model}/1"
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(torchserve.call, "POST", path, api="inference", body=b"{}")
        while not asked.running():
            threading.Event().wait(0.01)
        hook.unload(model, 1)
        assert asked.result()[0] == 200
    assert hook.versions(model) == {}


def test_workers_that_end_whenever_they_load_are_failed_in_time(hook, torchserve, model, monkeypatch):
    write_archive(torchserve.archives / f"{model}-1.mar", model, "1", "import os\nos._exit(1)\n")
    hook.load(model, 1)
    assert hook.versions(model) == {1: VersionState.LOADING}
    more = {"key_file": str(torchserve.key_file), "load_timeout": 3}
    hasty = TorchServeHook(connect(monkeypatch, "torchserve_hasty", "torchserve", torchserve, **more))
    assert settled(hasty, model, 1) is VersionState.FAILED
    assert "0 of 1 workers run after 3 s" in str(hasty.failure(model, 1))
    with pytest.raises(NotFound):  # the server itself would never answer
        hasty.predict(model, models.INPUTS, 1)
    hasty.unload(model, 1)
    assert hasty.versions(model) == {}


def test_a_version_that_could_not_be_loaded_is_loaded_again_when_it_can(hook, torchserve, model, tmp_path):
    licence = tmp_path / "licence"
    write_archive(torchserve.archives / f"{model}-1.mar", model, "1", LICENSED.format(str(licence)))
    hook.load(model, 1)
    assert settled(hook, model, 1) is VersionState.FAILED
    assert hook.failure(model, 1) == "no licence"
    licence.touch()
    hook.load(model, 1)
    assert settled(hook, model, 1) is VersionState.READY


def test_keys_that_change_while_we_work_are_read_again(hook, torchserve, model, load):
    load(1)
    for api in ("management", "inference"):
        old = torchserve.key(api)
        torchserve.rotate(api)
        assert torchserve.key(api) != old
        assert values(hook, model, 1) == [12.0, 23.0]


@pytest.mark.parametrize("password", [None, "not-the-key-of-anybody"])
def test_without_the_right_key_nothing_is_allowed_and_no_key_is_told(torchserve, monkeypatch, password, caplog):
    name = connect(monkeypatch, "torchserve_keyless", "torchserve", torchserve, password=password)
    with pytest.raises(Denied, match="key_file") as caught:
        TorchServeHook(name).versions("churn")
    told = f"{caught.value} {caught.value.__cause__} {caplog.text}"
    assert not [key for key in (password, torchserve.key("management")) if key and key in told]


def test_a_key_file_that_is_not_there_is_denied_with_its_name(torchserve, monkeypatch):
    name = connect(monkeypatch, "torchserve_keyless", "torchserve", torchserve, key_file="/nowhere/key_file.json")
    with pytest.raises(Denied, match="extra key_file: No such file"):
        TorchServeHook(name).versions("churn")


def test_the_password_is_the_key_where_there_is_no_file(torchserve, monkeypatch):
    key = torchserve.key("management")
    name = connect(monkeypatch, "torchserve_fixed", "torchserve", torchserve, password=key)
    assert TorchServeHook(name).versions("churn") == {}


def test_the_connection_is_tested_from_the_form(hook, torchserve, monkeypatch):
    assert hook.test_connection() == (True, "TorchServe is ready")
    name = connect(monkeypatch, "torchserve_keyless", "torchserve", torchserve)
    works, reason = TorchServeHook(name).test_connection()
    assert not works
    assert "refused the management key" in reason


def test_a_server_whose_model_api_is_off_is_invalid_with_the_flag_to_set(
    tmp_path, tmp_path_factory, torchscript, monkeypatch
):
    with TorchServe(tmp_path / "server") as closed:
        name = connect(monkeypatch, "torchserve_closed", "torchserve", closed, key_file=str(closed.key_file))
        hook, store = TorchServeHook(name), local_store(tmp_path / "store")
        hook.stage("churn", 1, publisher(tmp_path / "store", torchscript)("churn", Kind.RIGHT, 1), store)
        with pytest.raises(Invalid, match="--enable-model-api"):
            hook.load("churn", 1)


def test_a_body_that_is_no_json_is_refused_and_kills_no_worker(hook, torchserve, model, load):
    load(1)
    status, said = torchserve.call("POST", f"/predictions/{model}/1", api="inference", body=b'{"inputs": ')
    assert (status, json.loads(said)) == (400, {"error": "the body is not JSON"})
    assert values(hook, model, 1) == [12.0, 23.0]


def test_the_parked_version_is_none_of_ours(hook, model, load):
    load(1)
    listed = requests.get(
        f"{hook.management.url}/models/{model}/all", headers=hook._key("management"), timeout=10
    ).json()
    assert {entry["modelVersion"] for entry in listed} == {"1", PARKED}
    assert hook.versions(model) == {1: VersionState.READY}


def test_a_version_has_an_address_of_its_own_while_it_is_loaded(hook, torchserve, model, load):
    load(1)
    assert hook.address(model, 1) == f"http://127.0.0.1:{torchserve.port}/predictions/{model}/1"
    with pytest.raises(NotFound):
        hook.address(model, 2)
