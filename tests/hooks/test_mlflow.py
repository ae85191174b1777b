from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread, Timer
from uuid import uuid4

import pytest
import requests
from airflow.sdk import BaseHook

from model_lifecycle.core.errors import Conflict, Denied, Invalid, ModelLifecycleError, Unavailable
from model_lifecycle.core.models import ModelUri
from model_lifecycle.hooks import mlflow
from model_lifecycle.hooks.mlflow import API, MlflowHook
from model_lifecycle.testing.registry_contract import NewRegistry, RegistryContract, artifact_of, digest_of, register
from tests.forks import Forks
from tests.servers.mlflow import ADMIN, MlflowServer
from tests.servers.process import free_ports


@pytest.fixture
def model() -> str:
    return f"model-{uuid4().hex[:12]}"


@pytest.fixture
def hook(mlflow_connection: str) -> Iterator[MlflowHook]:
    one = MlflowHook(mlflow_connection)
    yield one
    one.session.close()


@pytest.fixture(scope="session")
def guarded_server(mlflow_server: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    root = tmp_path_factory.mktemp("mlflow-guarded")
    server = MlflowServer(root, basic_auth=True, template=mlflow_server.root)
    server.start()
    yield server
    server.stop()


def connect(monkeypatch: pytest.MonkeyPatch, **connection: object) -> MlflowHook:
    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY_TRIED", json.dumps({"conn_type": "mlflow", **connection}))
    return MlflowHook("registry_tried")


class TestMlflowRegistry(RegistryContract):
    @pytest.fixture
    def new_registry(self, mlflow_connection: str) -> Iterator[NewRegistry]:
        made: list[MlflowHook] = []

        def new() -> MlflowHook:
            made.append(MlflowHook(mlflow_connection))
            return made[-1]

        yield new
        for one in made:
            one.session.close()


def test_airflow_finds_the_hook_by_the_type_of_the_connection(mlflow_connection: str) -> None:
    assert isinstance(BaseHook.get_hook(mlflow_connection), MlflowHook)


def test_the_connection_can_be_tested(hook: MlflowHook, mlflow_server: MlflowServer) -> None:
    assert hook.test_connection() == (True, f"MLflow answers at {mlflow_server.url}")


def test_versions_registered_without_us_can_be_found_and_aliased(
    hook: MlflowHook, mlflow_server: MlflowServer, model: str
) -> None:
    api = mlflow_server.url + API
    requests.post(f"{api}/registered-models/create", json={"name": model}, timeout=10)
    body = {"name": model, "source": "s3://bucket/theirs"}
    requests.post(f"{api}/model-versions/create", json=body, timeout=10).raise_for_status()
    found = hook.get(ModelUri(model, version=1))
    assert (found.digest, found.artifact_uri, found.tags) == (None, "s3://bucket/theirs", {})
    hook.set_alias(model, "champion", 1)
    assert hook.get(ModelUri(model, alias="champion")).version == 1
    assert register(hook, model).version == 2


def test_a_search_reads_every_page(hook: MlflowHook, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow, "PAGE", 2)
    for text in "abcde":
        register(hook, model, text)
    assert [found.version for found in hook.search(model)] == [5, 4, 3, 2, 1]
    assert hook.get_by_digest(model, digest_of("d")) == hook.get(ModelUri(model, version=4))


def test_an_artifact_in_a_folder_keeps_its_uri(hook: MlflowHook, model: str) -> None:
    uri = f"file:///srv/models/{model}/{digest_of('one')}"
    assert hook.register(model, uri, digest_of("one")).artifact_uri == uri
    assert hook.get(ModelUri(model, version=1)).artifact_uri == uri
    assert hook.register(model, uri, digest_of("one")).version == 1


def test_the_page_of_a_version_is_the_user_interface_of_the_server(
    hook: MlflowHook, mlflow_server: MlflowServer, model: str
) -> None:
    assert hook.version_url(model, 3) == f"{mlflow_server.url}/#/models/{model}/versions/3"


def test_a_link_that_mlflow_cannot_keep_is_left_out(hook: MlflowHook, mlflow_server: MlflowServer, model: str) -> None:
    kept = "https://airflow.example.com/dags/retrain"
    register(hook, model, "one", link=kept)
    register(hook, model, "two", link=f"https://{'x' * 500}")
    with pytest.raises(Invalid, match="description"):
        register(hook, model, "three", description="x" * 5001)
    links = [_row(mlflow_server, model, version)["run_link"] for version in (1, 2)]
    assert links == [kept, ""]


@pytest.mark.parametrize("uri", ["", "folder", "webhdfs://", "webhdfs://host:1/", f"s3://b/{'x' * 500}", None, 5])
def test_what_is_no_artifact_uri_is_refused(hook: MlflowHook, model: str, uri: str) -> None:
    with pytest.raises(Invalid, match="artifact URI"):
        hook.register(model, uri, digest_of("one"))
    assert hook.search(model) == []


def test_a_version_that_stays_pending_is_unavailable(
    hook: MlflowHook, mlflow_server: MlflowServer, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(hook, model)
    _set_status(mlflow_server, model, "PENDING_REGISTRATION")
    monkeypatch.setattr(mlflow, "READY_SECONDS", 0.3)
    with pytest.raises(Unavailable, match="PENDING_REGISTRATION"):
        register(hook, model)


def test_a_pending_version_is_waited_for(hook: MlflowHook, mlflow_server: MlflowServer, model: str) -> None:
    register(hook, model)
    _set_status(mlflow_server, model, "PENDING_REGISTRATION")
    timer = Timer(0.5, _set_status, (mlflow_server, model, "READY"))
    timer.start()
    assert register(hook, model).version == 1
    timer.join()
    assert _row(mlflow_server, model, 1)["status"] == "READY"


def test_a_version_that_failed_is_said_to_have_failed(
    hook: MlflowHook, mlflow_server: MlflowServer, model: str
) -> None:
    register(hook, model)
    _set_status(mlflow_server, model, "FAILED_REGISTRATION")
    with pytest.raises(Invalid, match="FAILED_REGISTRATION"):
        register(hook, model)


def test_somebody_who_moves_the_alias_at_the_same_time_is_a_conflict(
    hook: MlflowHook, mlflow_connection: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(hook, model, "one")
    register(hook, model, "two")
    other = MlflowHook(mlflow_connection)
    expect = hook._expect_alias

    def interrupted(name: str, alias: str, version: int | None) -> None:
        other.set_alias(name, alias, 2)
        expect(name, alias, version)

    monkeypatch.setattr(hook, "_expect_alias", interrupted)
    with pytest.raises(Conflict, match="champion was set to 1 and now names 2"):
        hook.set_alias(model, "champion", 1)
    with pytest.raises(Conflict, match="was set to nothing and now names 2"):
        hook.delete_alias(model, "champion")
    other.session.close()


def test_a_duplicate_that_somebody_has_aliased_is_not_deleted(
    hook: MlflowHook, mlflow_server: MlflowServer, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = register(hook, model)
    settle = hook._settle

    def seen_by_a_person(made: object) -> object:
        hook.set_alias(model, "keep", 2)
        return settle(made)  # type: ignore[arg-type]

    monkeypatch.setattr(hook, "_settle", seen_by_a_person)
    monkeypatch.setattr(hook, "get_by_digest", lambda name, digest: None)
    assert register(hook, model) == first
    assert hook.get(ModelUri(model, alias="keep")).version == 2


class TestCredentials:
    def test_the_right_user_may_register(
        self, guarded_server: MlflowServer, monkeypatch: pytest.MonkeyPatch, model: str
    ) -> None:
        hook = connect(monkeypatch, host=guarded_server.url, login=ADMIN[0], password=ADMIN[1])
        assert register(hook, model).version == 1
        assert hook.attach_file(model, 1, "report.html", b"<p>", "text/html").startswith(guarded_server.url)
        assert hook.test_connection()[0]
        assert ADMIN[1] not in f"{hook.version_url(model, 1)}{os.environ.get('MLFLOW_TRACKING_PASSWORD')}"
        hook.session.close()

    @pytest.mark.parametrize(
        "credentials",
        [{}, {"login": "admin", "password": "wrong-password"}, {"password": "wrong-token"}, {"login": "nobody"}],
    )
    def test_anybody_else_is_denied_and_no_secret_is_told(
        self, guarded_server: MlflowServer, monkeypatch: pytest.MonkeyPatch, model: str, credentials: dict[str, str]
    ) -> None:
        hook = connect(monkeypatch, host=guarded_server.url, **credentials)
        with pytest.raises(Denied) as caught:
            register(hook, model)
        told, said = hook.test_connection()
        assert told is False
        assert "wrong" not in f"{caught.value!r}{caught.value}{said}"
        hook.session.close()

    def test_a_reader_may_read_but_not_move_the_champion(
        self, guarded_server: MlflowServer, monkeypatch: pytest.MonkeyPatch, model: str
    ) -> None:
        admin = connect(monkeypatch, host=guarded_server.url, login=ADMIN[0], password=ADMIN[1])
        register(admin, model)
        user = {"username": f"reader-{model}", "password": "a-long-reader-password"}
        made = requests.post(f"{guarded_server.url}{API}/users/create", json=user, auth=ADMIN, timeout=10)
        made.raise_for_status()
        reader = connect(monkeypatch, host=guarded_server.url, login=user["username"], password=user["password"])
        assert reader.get(ModelUri(model, version=1)).version == 1
        with pytest.raises(Denied):
            reader.set_alias(model, "champion", 1)
        admin.session.close()
        reader.session.close()


class TestWrongServers:
    def test_a_server_that_is_down_is_unavailable(self, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
        hook = connect(monkeypatch, host="127.0.0.1", port=free_ports()[0], extra={"timeout": 0.2})
        with pytest.raises(Unavailable):
            register(hook, model)

    def test_a_server_that_never_answers_is_unavailable(self, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            hook = connect(monkeypatch, host="127.0.0.1", port=silent.getsockname()[1], extra={"timeout": 0.2})
            with pytest.raises(Unavailable):
                hook.search(model)

    def test_an_mlflow_under_another_path_says_so(
        self, mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch, model: str
    ) -> None:
        hook = connect(monkeypatch, host=f"{mlflow_server.url}/elsewhere")
        with pytest.raises(Invalid, match="no MLflow server answers there"):
            hook.search(model)
        hook.session.close()

    def test_a_server_of_web_pages_says_so(self, monkeypatch: pytest.MonkeyPatch, model: str, tmp_path: Path) -> None:
        page = tmp_path / "api/2.0/mlflow/registered-models/get"
        page.parent.mkdir(parents=True)
        page.write_text("<html><body>Welcome</body></html>")
        with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, directory=str(tmp_path))) as server:
            Thread(target=server.serve_forever, args=(0.05,)).start()
            hook = connect(monkeypatch, host="127.0.0.1", port=server.server_port)
            with pytest.raises(Invalid, match="no MLflow server answers there"):
                hook.search(model)
            with pytest.raises(Invalid, match="HTML"):
                hook._aliases(model)
            hook.session.close()
            server.shutdown()


class _Pages(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def register_one(model: str) -> None:
    """One registration, as a task makes it; run in a fork."""
    made = MlflowHook("mlflow_default").register(model, artifact_of(model, "one"), digest_of("one"))
    assert made.version == 1


def test_a_registration_killed_anywhere_and_run_again_leaves_one_version(
    hook: MlflowHook, mlflow_connection: str, model: str, tmp_path: Path
) -> None:
    work, visited = "tests.hooks.test_mlflow:register_one", 0
    with Forks(tmp_path / "forks.log") as forks:
        for point in ("before-send", "after-answer"):
            for number in range(1, 40):
                name = f"{model}-{point}-{number}"
                killed = forks.killed(point, number, work, name)
                assert not forks.killed("never", 0, work, name)
                assert [(found.version, found.digest) for found in hook.search(name)] == [(1, digest_of("one"))]
                if not killed:
                    break
                visited += 1
            assert not killed, "the registration never got through"
    assert visited > 10


def test_an_answer_that_is_lost_on_the_way_is_looked_up(
    hook: MlflowHook, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = hook.session.call

    def losing(method: str, path: str, **kwargs: object) -> object:
        answer = call(method, path, **kwargs)  # type: ignore[arg-type]
        if path.endswith("model-versions/create"):
            raise Unavailable("the answer was lost")
        return answer

    monkeypatch.setattr(hook.session, "call", losing)
    assert register(hook, model).version == 1
    assert [found.version for found in hook.search(model)] == [1]


def test_no_error_but_ours_leaves_the_hook(hook: MlflowHook, model: str) -> None:
    with pytest.raises(ModelLifecycleError):
        hook.register(model, artifact_of(model, "one"), digest_of("one"), run_id=5)  # type: ignore[arg-type]
    with pytest.raises(ModelLifecycleError):
        hook.get(ModelUri(model, version=-1))


def _row(server: MlflowServer, model: str, version: int) -> dict[str, str]:
    params = {"name": model, "version": str(version)}
    answer = requests.get(f"{server.url}{API}/model-versions/get", params=params, timeout=10)
    return dict(answer.json()["model_version"])


def _set_status(server: MlflowServer, model: str, status: str) -> None:
    # MLflow's own server never leaves a version pending; registries that copy the files do.
    _in_database(server.database, "UPDATE model_versions SET status = ? WHERE name = ?", (status, model))


def _in_database(path: Path, statement: str, values: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(path, timeout=10)) as database, database:
        database.execute(statement, values)
