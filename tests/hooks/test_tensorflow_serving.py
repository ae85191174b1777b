"""The hook for TensorFlow Serving, on the protocol double of tests/servers/tensorflow_double.py."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from airflow.sdk import BaseHook, Connection

from model_lifecycle.core.errors import Conflict, Invalid, NotFound, Unavailable
from model_lifecycle.hooks.serving import VersionState, serving_hook
from model_lifecycle.hooks.session import ConnectionSession
from model_lifecycle.hooks.tensorflow_serving import TensorflowServingHook
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import (
    INPUTS,
    Kind,
    NewHook,
    Publish,
    ServingContract,
    settled,
    values,
)
from tests.servers.process import free_ports
from tests.servers.tensorflow_server import TensorflowDouble, write_models


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorflowDouble]:
    folder = tmp_path_factory.mktemp("tensorflow")
    with TensorflowDouble(folder / "repository", folder / "double.log") as server:
        yield server


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("saved"))


def connect(monkeypatch: pytest.MonkeyPatch, double: TensorflowDouble, **extra: object) -> None:
    extra = {"repository": str(double.repository), "rest": double.rest, "timeout": 20, **extra}
    connection = {"conn_type": "tensorflow_serving", "host": "127.0.0.1", "port": double.port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TENSORFLOW_TRIED", json.dumps(connection))


class SavedModels(ServingContract):
    """The contract with SavedModels; ``new_hook`` is left to whoever inherits."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> ModelStore:
        return local_store(tmp_path / "store")

    @pytest.fixture
    def publish(self, store: ModelStore, tmp_path: Path, saved: Path) -> Publish:
        def publish(model: str, kind: Kind, offset: float) -> str:
            folder = tmp_path / uuid4().hex
            name = "failing" if kind is Kind.FAILING else f"right-{max(offset, 1):.0f}"
            shutil.copytree(saved / name, folder)
            if kind is Kind.BROKEN:
                (folder / "variables" / "variables.index").write_bytes(b"cut")
            return store.publish(folder, describe(folder, model))

        return publish


class TestTensorflowServing(SavedModels):
    @pytest.fixture
    def new_hook(self, double: TensorflowDouble, monkeypatch: pytest.MonkeyPatch) -> NewHook:
        connect(monkeypatch, double)
        return lambda: TensorflowServingHook("tensorflow_tried")


class TestTensorflowServingBehindHaproxy(SavedModels):
    """The double's REST port behind a real HAProxy."""

    @pytest.fixture
    def new_hook(self, double: TensorflowDouble, haproxy_connection: str, monkeypatch: pytest.MonkeyPatch) -> NewHook:
        connect(monkeypatch, double, router_conn_id=haproxy_connection)
        return lambda: serving_hook("tensorflow_tried")


class Bench:
    """One hook, one new model, and the means to bring versions of it."""

    def __init__(self, hook: TensorflowServingHook, double: TensorflowDouble, saved: Path, folder: Path) -> None:
        self.hook, self.double, self.saved, self.folder = hook, double, saved, folder
        self.store, self.model = local_store(folder / "store"), f"m{uuid4().hex[:12]}"

    def publish(self, name: str, *, inside: str = "", more: dict[str, str] | None = None) -> str:
        folder = self.folder / uuid4().hex
        shutil.copytree(self.saved / name, folder / inside)
        for path, text in (more or {}).items():
            (folder / path).write_text(text)
        return self.store.publish(folder, describe(folder, self.model))

    def bring(self, version: int, *, model: str | None = None) -> None:
        model = model or self.model
        self.hook.stage(model, version, self.publish(f"right-{version}"), self.store)
        self.hook.load(model, version)
        assert settled(self.hook, model, version) is VersionState.READY


@pytest.fixture
def bench(double: TensorflowDouble, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    connect(monkeypatch, double)
    return Bench(TensorflowServingHook("tensorflow_tried"), double, saved, tmp_path)


def test_airflow_finds_the_hook_by_the_type_of_the_connection(bench: Bench) -> None:
    assert isinstance(BaseHook.get_hook("tensorflow_tried"), TensorflowServingHook)
    assert isinstance(serving_hook("tensorflow_tried"), TensorflowServingHook)


def test_the_connection_is_tested_from_the_form(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.hook.test_connection() == (
        True,
        f"TensorFlow Serving answers at 127.0.0.1:{bench.double.port}",
    )
    bench.double.port, there = free_ports()[0], bench.double.port
    connect(monkeypatch, bench.double, timeout=0.2)
    bench.double.port = there
    works, reason = TensorflowServingHook("tensorflow_tried").test_connection()
    assert not works
    assert "UNAVAILABLE" in reason or "DEADLINE_EXCEEDED" in reason


def test_a_server_that_is_away_is_unavailable_and_the_list_stays(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.bring(1)
    before = bench.double.config.read_text()
    bench.double.port, there = free_ports()[0], bench.double.port
    connect(monkeypatch, bench.double, timeout=0.2)
    bench.double.port = there
    hook = TensorflowServingHook("tensorflow_tried")
    for verb in (lambda: hook.route(bench.model, {1: 100}), lambda: hook.load(bench.model, 1)):
        with pytest.raises(Unavailable):
            verb()
    assert bench.double.config.read_text() == before


@pytest.mark.parametrize("extra", [{"repository": ""}, {"repository": "models"}, {"repository": 7}])
def test_staging_needs_the_folder_of_the_server(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, extra: dict[str, object]
) -> None:
    connect(monkeypatch, bench.double, **extra)
    with pytest.raises(Invalid, match="extra repository"):
        TensorflowServingHook("tensorflow_tried").stage(bench.model, 1, bench.publish("right-1"), bench.store)


def test_the_savedmodel_inside_mlflows_folder_is_what_the_server_loads(bench: Bench) -> None:
    more = {"MLmodel": "flavors: {tensorflow: {saved_model_dir: tf2model}}", "requirements.txt": "tensorflow"}
    bench.hook.stage(bench.model, 2, bench.publish("right-2", inside="tf2model", more=more), bench.store)
    bench.hook.load(bench.model, 2)
    assert settled(bench.hook, bench.model, 2) is VersionState.READY
    assert values(bench.hook, bench.model, 2) == [13.0, 24.0]
    assert sorted(path.name for path in (bench.double.repository / bench.model).iterdir()) == ["2"]


def test_an_artifact_without_a_savedmodel_is_refused_before_a_byte_moves(bench: Bench) -> None:
    folder = bench.folder / "keras"
    folder.mkdir()
    (folder / "model.keras").write_text("")
    uri = bench.store.publish(folder, describe(folder, bench.model))
    with pytest.raises(Invalid, match="holds no SavedModel.*export"):
        bench.hook.stage(bench.model, 1, uri, bench.store)
    assert not (bench.double.repository / "_artifacts" / bench.model).exists()


def test_every_kind_of_column_is_asked_and_answered(bench: Bench) -> None:
    bench.hook.stage(bench.model, 1, bench.publish("mixed"), bench.store)
    bench.hook.load(bench.model, 1)
    assert settled(bench.hook, bench.model, 1) is VersionState.READY
    inputs = {
        "text": ["a", "b"],
        "whole": [1, 2],
        "flag": [True, False],
        "one": [1, 2.0],
        "rows": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
    }
    answers = {
        "flag": [False, True],
        "half_of": [0.5, 1.0],
        "rows": [[2.0, 4.0, 6.0], [8.0, 10.0, 12.0]],
        "scalar": [21.0],
        "text": ["A", "B"],
        "whole": [2, 3],
    }
    assert bench.hook.predict(bench.model, inputs, 1).outputs == answers
    session = ConnectionSession(Connection(conn_id="rest", conn_type="http", host=bench.double.rest))
    path = f"/v1/models/{bench.model}/versions/1:predict"
    answer = bench.hook.ask(session, path, bench.model, inputs, {})
    assert (answer.version, answer.outputs) == (None, answers)
    with pytest.raises(Invalid, match="column whole"):
        bench.hook.ask(session, path, bench.model, {**inputs, "whole": ["one", "two"]}, {"x-model-version": "1"})


def test_another_signature_is_named_in_the_connection(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.bring(1)
    connect(monkeypatch, bench.double, signature="scores")
    with pytest.raises(Invalid, match="no signature scores.*serving_default"):
        TensorflowServingHook("tensorflow_tried").predict(bench.model, INPUTS, 1)


def test_callers_ask_by_the_label_over_rest(bench: Bench) -> None:
    bench.bring(1)
    bench.bring(2)
    url = f"{bench.double.rest}/v1/models/{bench.model}/labels/stable:predict"
    for version in (1, 2, 1):
        bench.hook.route(bench.model, {version: 100})
        assert requests.post(url, json={"inputs": INPUTS}, timeout=10).json() == {
            "outputs": [11.0 + version, 22.0 + version]
        }
    bench.hook.route(bench.model, {})
    assert requests.post(url, json={"inputs": INPUTS}, timeout=10).status_code == 400


def test_the_label_has_the_name_that_the_connection_gives_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.bring(1)
    connect(monkeypatch, bench.double, label="live")
    hook = TensorflowServingHook("tensorflow_tried")
    hook.route(bench.model, {1: 100})
    assert (hook.traffic(bench.model), bench.hook.traffic(bench.model)) == ({1: 100}, {})
    with pytest.raises(Conflict, match="has traffic"):
        bench.hook.unload(bench.model, 1)  # another label is at it
    connect(monkeypatch, bench.double, label="not a label")
    with pytest.raises(Invalid, match="no label of TensorFlow Serving"):
        TensorflowServingHook("tensorflow_tried").traffic(bench.model)


def test_the_address_of_a_version_is_its_own_rest_url(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.bring(1)
    url = bench.hook.address(bench.model, 1)
    assert url == f"{bench.double.rest}/v1/models/{bench.model}/versions/1:predict"
    assert requests.post(url, json={"inputs": INPUTS}, timeout=10).json() == {"outputs": [12.0, 23.0]}
    with pytest.raises(NotFound):
        bench.hook.address(bench.model, 2)
    connect(monkeypatch, bench.double, rest="")
    with pytest.raises(Invalid, match="extra rest is no URL"):
        TensorflowServingHook("tensorflow_tried").address(bench.model, 1)


def test_a_list_that_somebody_else_wrote_is_kept_and_what_is_not_ours_is_not_touched(bench: Bench) -> None:
    other = f"{bench.model}-latest"
    folder = bench.double.repository / "by-hand" / other
    shutil.copytree(bench.saved / "right-7", folder / "7")
    config = bench.hook._models.read()
    config.model_config_list.config.add(name=other, base_path=str(folder), model_platform="tensorflow")
    config.model_config_list.config[-1].model_version_policy.latest.num_versions = 1
    bench.hook._models.write(config)
    bench.bring(1)  # sends the whole list
    assert settled(bench.hook, other, 7) is VersionState.READY
    assert values(bench.hook, other, 7) == [18.0, 29.0]
    bench.hook.stage(other, 1, bench.publish("right-1"), bench.store)
    for verb in (lambda: bench.hook.load(other, 1), lambda: bench.hook.route(other, {7: 100})):
        with pytest.raises(Conflict, match="in a way of its own"):
            verb()
    assert "num_versions: 1" in bench.double.config.read_text()


def test_without_a_list_nothing_is_sent_that_would_unload_what_others_serve(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.bring(1)
    folder = bench.folder / "elsewhere"
    folder.mkdir()
    connect(monkeypatch, bench.double, repository=str(folder))
    hook = TensorflowServingHook("tensorflow_tried")
    hook.stage(bench.model, 2, bench.publish("right-2"), bench.store)
    with pytest.raises(NotFound, match="no list of models.*--model_config_file"):
        hook.load(bench.model, 2)
    assert bench.hook.versions(bench.model) == {1: VersionState.READY}


def test_a_reader_without_the_folder_sees_what_the_server_says(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.bring(1)
    bench.hook.route(bench.model, {1: 100})
    for folder in ("", str(bench.folder / "nowhere")):
        connect(monkeypatch, bench.double, repository=folder)
        hook = TensorflowServingHook("tensorflow_tried")
        assert hook.versions(bench.model) == {1: VersionState.READY}
        assert hook.traffic(bench.model) == {1: 100}
        assert values(hook, bench.model) == [12.0, 23.0]


@pytest.mark.parametrize("unloaded", [True, False])
def test_a_version_that_failed_can_be_asked_for_again(bench: Bench, unloaded: bool) -> None:
    bench.bring(1)
    bench.hook.stage(bench.model, 2, bench.publish("right-2"), bench.store)
    variables = bench.double.repository / "_artifacts" / bench.model / "2" / "variables"
    variables.rename(variables.with_name("away"))  # as a disk that was not mounted
    bench.hook.load(bench.model, 2)
    assert settled(bench.hook, bench.model, 2) is VersionState.FAILED
    if unloaded:
        bench.hook.unload(bench.model, 2)
    variables.with_name("away").rename(variables)
    bench.hook.load(bench.model, 2)
    assert settled(bench.hook, bench.model, 2) is VersionState.READY


def test_many_workers_change_the_list_at_once_and_none_is_forgotten(bench: Bench) -> None:
    models = [f"{bench.model}-{number}" for number in range(4)]
    for model in models:
        bench.hook.stage(model, 1, bench.publish("right-1"), bench.store)

    def bring(model: str) -> None:
        hook = TensorflowServingHook("tensorflow_tried")
        hook.load(model, 1)
        settled(hook, model, 1)
        hook.route(model, {1: 100})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(bring, models))
    assert [bench.hook.traffic(model) for model in models] == [{1: 100}] * 4


def test_two_processes_change_the_list_at_once_and_none_is_forgotten(bench: Bench) -> None:
    models = [f"{bench.model}-{number}" for number in range(2)]
    for model in models:
        bench.hook.stage(model, 1, bench.publish("right-1"), bench.store)
    code = "import sys; from model_lifecycle.hooks.tensorflow_serving import TensorflowServingHook as Hook\n"
    code += "Hook('tensorflow_tried').load(sys.argv[1], 1)"
    workers = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, model]) for model in models]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert [settled(bench.hook, model, 1) for model in models] == [VersionState.READY] * 2


@pytest.mark.soak
def test_moving_the_label_under_load_fails_no_request(bench: Bench) -> None:
    bench.bring(1)
    bench.bring(2)
    bench.hook.route(bench.model, {1: 100})
    url = f"{bench.double.rest}/v1/models/{bench.model}/labels/stable:predict"
    done, statuses = threading.Event(), []

    def ask() -> None:
        with requests.Session() as session:
            while not done.is_set():
                statuses.append(session.post(url, json={"inputs": INPUTS}, timeout=10).status_code)

    callers = [threading.Thread(target=ask) for _ in range(2)]
    for caller in callers:
        caller.start()
    for version in (2, 1, 2, 1, 2):
        bench.hook.route(bench.model, {version: 100})
        enough = len(statuses) + 200
        while len(statuses) < enough and any(caller.is_alive() for caller in callers):
            time.sleep(0.01)
    bench.hook.unload(bench.model, 1)
    done.set()
    for caller in callers:
        caller.join()
    print(f"{len(statuses)} requests")
    assert set(statuses) == {200}


def test_a_server_started_again_with_the_list_serves_what_it_served(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TensorflowDouble(tmp_path / "repository", tmp_path / "double.log") as double:
        connect(monkeypatch, double)
        bench = Bench(TensorflowServingHook("tensorflow_tried"), double, saved, tmp_path)
        assert bench.hook.traffic(bench.model) == {}  # a server that was never told of any model
        bench.bring(1)
        bench.bring(2)
        bench.hook.route(bench.model, {1: 100})
        double.kill()
        double.start()
        hook = TensorflowServingHook("tensorflow_tried")
        assert [settled(hook, bench.model, version) for version in (1, 2)] == [VersionState.READY] * 2
        assert hook.traffic(bench.model) == {1: 100}
        assert values(hook, bench.model) == [12.0, 23.0]
        # Nobody may move a label in the list to what is not loaded: the server would not start any more.
        hook.route(bench.model, {2: 100})
        with pytest.raises(Conflict):
            hook.route(bench.model, {7: 100})
        assert hook.traffic(bench.model) == {2: 100}


def test_a_worker_killed_between_the_list_and_the_call_leaves_what_the_next_change_makes_true(bench: Bench) -> None:
    other = f"{bench.model}-b"
    bench.bring(1)
    bench.bring(2)
    bench.bring(1, model=other)
    bench.hook.route(bench.model, {1: 100})
    config = bench.hook._models.read()
    bench.hook._models.entry(config, bench.model).version_labels["stable"] = 2
    bench.hook._models.write(config)
    assert bench.hook.traffic(bench.model) == {1: 100}  # what is observed, not what is listed
    bench.hook.route(other, {1: 100})
    assert bench.hook.traffic(bench.model) == {2: 100}
    bench.hook.route(bench.model, {1: 100})
    assert (bench.hook.traffic(bench.model), bench.hook.traffic(other)) == ({1: 100}, {1: 100})


def test_a_list_that_the_server_refuses_is_taken_back(bench: Bench) -> None:
    bench.bring(1)
    bench.bring(2)
    bench.hook.route(bench.model, {1: 100})
    config = bench.hook._models.read()
    bench.hook._models.entry(config, bench.model).version_labels["stable"] = 9  # nothing that we would write
    bench.hook._models.write(config)
    before = bench.double.config.read_text()
    try:
        with pytest.raises(Conflict, match="not currently available"):
            bench.hook.load(bench.model, 2)
        assert bench.double.config.read_text() == before
    finally:
        bench.hook.route(bench.model, {})
