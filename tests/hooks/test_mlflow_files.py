from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
import requests

from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.hooks.mlflow import API, MlflowHook
from model_lifecycle.hooks.mlflow_files import (
    EXPERIMENT,
    VERSION_TAG,
    page_path,
    run_for_files,
    upload_path,
)
from model_lifecycle.testing.registry_contract import register
from tests.servers.mlflow import MlflowServer

PATH = "drift_reports/2013-12/drift_report.html"


@pytest.fixture
def model() -> str:
    return f"files-{uuid4().hex[:12]}"


@pytest.fixture
def hook(mlflow_connection: str) -> Iterator[MlflowHook]:
    one = MlflowHook(mlflow_connection)
    yield one
    one.session.close()


def post(server: MlflowServer, path: str, **body: Any) -> dict[str, Any]:
    answer = requests.post(f"{server.url}{API}/{path}", json=body, timeout=20)
    answer.raise_for_status()
    return answer.json()


def run(server: MlflowServer, **experiment: str) -> str:
    made = post(server, "experiments/create", name=uuid4().hex, **experiment)
    return str(post(server, "runs/create", experiment_id=made["experiment_id"])["run"]["info"]["run_id"])


def content(server: MlflowServer, run_id: str, path: str = PATH) -> requests.Response:
    return requests.get(f"{server.url}/get-artifact", params={"run_uuid": run_id, "path": path}, timeout=20)


def run_of(url: str) -> str:
    return url.partition("/runs/")[2].partition("/")[0]


def test_a_version_that_a_run_has_made_keeps_its_files_in_that_run(
    hook: MlflowHook, mlflow_server: MlflowServer, model: str
) -> None:
    made_by = run(mlflow_server)
    register(hook, model, run_id=made_by)
    url = hook.attach_file(model, 1, PATH, b"<p>drifted", "text/html")
    assert run_of(url) == made_by
    answer = content(mlflow_server, made_by)
    assert (answer.content, answer.headers["Content-Type"].partition(";")[0]) == (b"<p>drifted", "text/html")
    listed = requests.get(
        f"{mlflow_server.url}{API}/artifacts/list",
        params={"run_id": made_by, "path": "drift_reports/2013-12"},
        timeout=20,
    ).json()
    assert [(file["path"], file["file_size"]) for file in listed["files"]] == [(PATH, 10)]


def test_a_version_without_a_run_has_one_of_ours_found_by_its_tag(
    hook: MlflowHook, mlflow_server: MlflowServer, model: str
) -> None:
    register(hook, model)
    url = hook.attach_file(model, 1, PATH, b"<p>one", "text/html")
    assert hook.attach_file(model, 1, PATH, b"<p>two", "text/html") == url
    assert content(mlflow_server, run_of(url)).content == b"<p>two"
    found = requests.get(f"{mlflow_server.url}{API}/runs/get", params={"run_id": run_of(url)}, timeout=20).json()["run"]
    assert {"key": VERSION_TAG, "value": f"{model}/1"} in found["data"]["tags"]
    assert found["info"]["status"] == "FINISHED"


def test_many_who_file_at_once_use_one_run(
    hook: MlflowHook, mlflow_connection: str, mlflow_server: MlflowServer, model: str
) -> None:
    register(hook, model)
    hooks = [MlflowHook(mlflow_connection) for _ in range(4)]
    barrier = Barrier(len(hooks))

    def file(one: MlflowHook) -> str:
        barrier.wait()
        return one.attach_file(model, 1, PATH, b"<p>same", "text/html")

    with ThreadPoolExecutor(len(hooks)) as pool:
        list(pool.map(file, hooks))
    urls = {one.attach_file(model, 1, PATH, b"<p>same", "text/html") for one in hooks}
    for one in hooks:
        one.session.close()
    assert len(urls) == 1
    assert content(mlflow_server, run_of(urls.pop())).content == b"<p>same"


def test_a_run_that_has_been_deleted_is_not_used(hook: MlflowHook, mlflow_server: MlflowServer, model: str) -> None:
    made_by = run(mlflow_server)
    register(hook, model, run_id=made_by)
    post(mlflow_server, "runs/delete", run_id=made_by)
    url = hook.attach_file(model, 1, PATH, b"<p>", "text/html")
    assert run_of(url) != made_by
    post(mlflow_server, "runs/delete", run_id=run_of(url))
    assert run_of(hook.attach_file(model, 1, PATH, b"<p>", "text/html")) not in {made_by, run_of(url)}


def test_a_run_whose_artifacts_the_server_cannot_write_is_not_used(
    hook: MlflowHook, mlflow_server: MlflowServer, model: str
) -> None:
    made_by = run(mlflow_server, artifact_location="s3://bucket/theirs")
    register(hook, model, run_id=made_by)
    assert run_of(hook.attach_file(model, 1, PATH, b"<p>", "text/html")) != made_by


def test_a_run_that_does_not_exist_is_not_used(hook: MlflowHook, model: str) -> None:
    register(hook, model, run_id=uuid4().hex)
    assert hook.attach_file(model, 1, PATH, b"<p>", "text/html")


def test_a_server_that_takes_no_files_says_so(hook: MlflowHook, model: str) -> None:
    register(hook, model)

    def call(method: str, path: str, **more: Any) -> dict[str, Any]:
        """A double of a server without ``--serve-artifacts``: its runs keep their files elsewhere."""
        answer = hook._call(method, path, **more)
        for one in [answer.get("run"), *answer.get("runs", [])]:
            if one:
                one["info"]["artifact_uri"] = "file:///srv/mlruns/0/1/artifacts"
        return answer

    with pytest.raises(Invalid, match="takes no files"):
        run_for_files(call, model, 1)


def test_an_experiment_of_ours_that_somebody_deleted_is_named(hook: MlflowHook, model: str) -> None:
    register(hook, model)

    def call(method: str, path: str, **more: Any) -> dict[str, Any]:
        """A double of a server on which the experiment is deleted; on the shared one other tests need it."""
        answer = hook._call(method, path, **more)
        if "experiment" in answer:
            answer["experiment"]["lifecycle_stage"] = "deleted"
        return answer

    hook.attach_file(model, 1, PATH, b"", "text/html")
    with pytest.raises(Invalid, match=f"{EXPERIMENT} has been deleted"):
        run_for_files(call, model, 1)


def test_a_version_that_does_not_exist_is_not_found(hook: MlflowHook, model: str) -> None:
    with pytest.raises(NotFound):
        run_for_files(hook._call, model, 1)


@pytest.mark.parametrize("uri", ["mlflow-artifacts:/1/ab/artifacts", "mlflow-artifacts://host:5000/1/ab/artifacts"])
def test_the_address_of_a_file_is_that_of_its_run(uri: str) -> None:
    info = {"artifact_uri": uri, "experiment_id": "1", "run_id": "ab"}
    assert upload_path(info, "a/b.html") == "/api/2.0/mlflow-artifacts/artifacts/1/ab/artifacts/a/b.html"
    assert page_path(info, "a/b.html") == "/#/experiments/1/runs/ab/artifacts/a/b.html"
    with pytest.raises(Invalid, match="not allowed"):
        upload_path(info, "../b.html")
