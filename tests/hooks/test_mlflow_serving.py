"""MLflow's own server in slots that a real Supervisor runs, behind a real HAProxy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from model_lifecycle.core.errors import Conflict, Denied, Invalid, NotFound
from model_lifecycle.hooks.mlflow_serving import MlflowServingHook, read_predictions, reason_in
from model_lifecycle.hooks.routed import RoutedServing
from model_lifecycle.hooks.serving import ServingHook, VersionState, serving_hook
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import INPUTS, NewHook, settled, values
from tests import models
from tests.hooks.published import PublishedModels
from tests.servers.supervisor import SLOTS, SupervisorServer

READY, LOADING, FAILED = VersionState.READY, VersionState.LOADING, VersionState.FAILED


class TestMlflowServing(PublishedModels):
    @pytest.fixture
    def new_hook(
        self, mlflow_slots: SupervisorServer, haproxy_connection: str, monkeypatch: pytest.MonkeyPatch
    ) -> NewHook:
        monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_ROUTED", mlflow_slots.connection(router_conn_id=haproxy_connection))
        return lambda: serving_hook("mlflow_routed")


@pytest.fixture
def hook(mlflow_slots: SupervisorServer) -> MlflowServingHook:
    return MlflowServingHook("mlflow_tried")


@pytest.fixture
def model() -> str:
    return f"m{uuid4().hex[:12]}"


@pytest.fixture
def stage(tmp_path: Path, model: str) -> Callable[..., None]:
    store = local_store(tmp_path / "store")

    def stage(hook: ServingHook, *versions: int, maker: Callable[..., Path] | None = None) -> None:
        for version in versions:
            folder = tmp_path / uuid4().hex
            maker(folder) if maker else models.linear(folder, version)
            hook.stage(model, version, store.publish(folder, models.manifest_of(folder, model)), store)

    return stage


def test_when_no_slot_is_free_it_says_what_is_in_them(hook, model, stage):
    stage(hook, *range(1, SLOTS + 2))
    for version in range(1, SLOTS + 1):
        hook.load(model, version)
    with pytest.raises(Conflict, match=f"no slot is free; they hold {model} 1, {model} 2.*numprocs"):
        hook.load(model, SLOTS + 1)
    hook.unload(model, 2)
    hook.load(model, SLOTS + 1)
    assert settled(hook, model, SLOTS + 1) is READY
    assert values(hook, model, SLOTS + 1) == [11.0 + SLOTS + 1, 22.0 + SLOTS + 1]


def test_a_version_that_cannot_be_loaded_is_failed_with_the_last_line_that_its_process_wrote(hook, model, stage):
    stage(hook, 1, maker=models.broken)
    hook.load(model, 1)
    assert settled(hook, model, 1) is FAILED
    assert MlflowServingHook("mlflow_tried").failure(model, 1) == "zipfile.BadZipFile: File is not a zip file"
    with pytest.raises(NotFound):
        hook.predict(model, INPUTS, 2)


def test_a_failed_version_that_is_loaded_again_is_tried_again(hook, model, stage, mlflow_slots):
    stage(hook, 1)
    saved = mlflow_slots.repository / model / "1" / "model.skops"
    saved.rename(saved.with_suffix(".away"))
    hook.load(model, 1)
    assert settled(hook, model, 1) is FAILED
    saved.with_suffix(".away").rename(saved)
    hook.load(model, 1)
    assert settled(hook, model, 1) is READY


def test_a_process_that_dies_under_load_is_started_again(hook, model, stage):
    def deadly(folder: Path) -> Path:
        return models.scripted(folder, "import os; os._exit(9) if rows.x[0] < 0 else None; return rows.x")

    stage(hook, 1, maker=deadly)
    hook.load(model, 1)
    assert settled(hook, model, 1) is READY
    with pytest.raises(Exception, match="failed|disconnected"):
        hook._session_of(hook._slot(model, 1)).call(
            "POST",
            "/invocations",
            json={"dataframe_split": {"columns": ["x", "y"], "data": [[-1.0, 1.0]]}},
            retry=False,
        )
    assert settled(hook, model, 1) is READY
    assert values(hook, model, 1) == [1.0, 2.0]


def test_unversioned_calls_need_a_router_and_traffic_says_so(hook, model):
    with pytest.raises(NotFound, match="router"):
        hook.predict(model, INPUTS)
    for verb in (lambda: hook.traffic(model), lambda: hook.route(model, {1: 100})):
        with pytest.raises(Invalid, match="router_conn_id"):
            verb()


def test_the_connection_is_tested_from_the_form(mlflow_slots, monkeypatch):
    hook = MlflowServingHook("mlflow_tried")
    assert hook.test_connection() == (True, f"Supervisor 4.3.0 runs {SLOTS} slots")
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_OTHER", mlflow_slots.connection(program="other"))
    works, reason = MlflowServingHook("mlflow_other").test_connection()
    assert not works
    assert "has no program " + ", ".join(f"other:other_{number:02d}" for number in range(SLOTS)) in reason
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_OTHER", mlflow_slots.connection().replace("slots-of-mlflow", "wrong"))
    other = MlflowServingHook("mlflow_other")
    works, reason = other.test_connection()
    assert not works
    assert "401" in reason
    with pytest.raises(Denied):
        other.supervisor.states()


@pytest.mark.parametrize(
    "extra",
    [
        {"repository": None},
        {"repository": "models"},
        {"slots": None},
        {"slots": []},
        {"slots": ["host"]},
        {"slots": ["http://host:1"]},
        {"slots": [7]},
    ],
)
def test_a_connection_that_cannot_be_used_says_which_extra(supervisor_server, monkeypatch, extra):
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_OTHER", supervisor_server.connection(**extra))
    with pytest.raises(Invalid, match=f"extra {next(iter(extra))}"):
        MlflowServingHook("mlflow_other").versions("churn")


def test_an_artifact_that_mlflow_did_not_save_is_refused(hook, model, stage):
    def other(folder: Path) -> Path:
        folder.mkdir()
        (folder / "weights.bin").write_bytes(b"1")
        return folder

    stage(hook, 1, maker=other)
    with pytest.raises(Invalid, match="no file MLmodel"):
        hook.load(model, 1)


@pytest.mark.parametrize(
    ("answer", "columns"),
    [
        ({"predictions": [1.0, 2.0]}, {"predictions": [1.0, 2.0]}),
        ({"predictions": [[1.0], [2.0]]}, {"predictions": [1.0, 2.0]}),
        ({"predictions": [[1.0, 2.0], [3.0, 4.0]]}, {"predictions": [[1.0, 2.0], [3.0, 4.0]]}),
        ({"predictions": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}, {"a": [1, 2], "b": ["x", "y"]}),
        ({"predictions": {"a": [1, 2]}}, {"a": [1, 2]}),
        ({"predictions": []}, {"predictions": []}),
    ],
)
def test_answers_become_columns(answer, columns):
    assert read_predictions(answer) == columns


@pytest.mark.parametrize("answer", [None, [], {}, {"predictions": None}, {"predictions": 7}, {"error": "x"}])
def test_what_is_no_answer_is_invalid(answer):
    with pytest.raises(Invalid, match="no predictions"):
        read_predictions(answer)


SERVER = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nValueError: bad\nweights\n'
COMMAND = (
    'Traceback (most recent call last):\n  File "mlflow", line 10, in <module>\n    sys.exit(cli())\n'
    "Exception: Command '['bash']' returned non zero return code. Return code = 1\n"
)
BIND = "INFO: Started server process [7]\nERROR: [Errno 98] address already in use\n"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (SERVER, "ValueError: bad\nweights"),
        ("2026 INFO x\n" + SERVER + COMMAND, "ValueError: bad\nweights"),
        (SERVER.replace("bad", "worse") + SERVER + COMMAND, "ValueError: bad\nweights"),
        (BIND + COMMAND, "ERROR: [Errno 98] address already in use"),
        (COMMAND, ""),
        ("", ""),
    ],
)
def test_the_reason_is_the_servers_own_and_not_that_its_command_ended(log, reason):
    assert reason_in(log) == reason


def test_importing_the_hook_loads_nothing_heavy():
    heavy = {"fastapi", "mlflow", "numpy", "pandas", "uvicorn", "prometheus_client", "sklearn"}
    code = "import sys, airflow.sdk; before = set(sys.modules); import model_lifecycle.hooks.mlflow_serving;"
    code += f"print(sorted({heavy} & (set(sys.modules) - before)))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


class TestRestarts:
    """With ``mlflow models serve`` itself in the slots, as it is installed."""

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[SupervisorServer]:
        with SupervisorServer(tmp_path / "supervisor") as server:
            yield server

    @pytest.mark.soak
    def test_what_was_loaded_runs_again_after_supervisor_was_killed_and_nothing_is_left_behind(
        self, server, model, stage, haproxy_connection, monkeypatch
    ):
        monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_RESTARTED", server.connection(router_conn_id=haproxy_connection))
        hook = serving_hook("mlflow_restarted")
        assert isinstance(hook, RoutedServing)
        stage(hook, 7)
        stage(hook, 5, maker=models.broken)
        for version in (5, 7):
            hook.load(model, version)
        assert hook.versions(model) == {5: LOADING, 7: LOADING}
        assert [settled(hook, model, version, 240) for version in (5, 7)] == [FAILED, READY]
        assert hook.failure(model, 5) == "zipfile.BadZipFile: File is not a zip file"
        hook.route(model, {7: 100})
        assert values(hook, model) == [18.0, 29.0]
        hook.unload(model, 5)
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait(10)
        server.start()
        assert settled(hook, model, 7, 240) is READY
        assert hook.versions(model) == {7: READY}
        assert values(hook, model) == [18.0, 29.0]
