"""Files that belong to a version, kept where MLflow's UI shows them: among the artifacts of a run.

MLflow has no place for files of a registered version itself. A version that a run has made keeps them in that run,
which its page links to as *Source Run*. For any other there is one run of ours, found again by its tag, in the
experiment :data:`EXPERIMENT`; so there is for a version whose run has been deleted, or whose run's artifacts lie where
only clients of MLflow with credentials of their own can write.

Observed with MLflow 3.17: the server takes a file at ``mlflow-artifacts`` addresses if it was started with
``--serve-artifacts`` (the default); it names the type of a file by the file's ending, whatever it was told; its own
addresses of files download them, and the page of a run shows HTML in a frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from model_lifecycle.core.errors import Conflict, Invalid, NotFound
from model_lifecycle.core.names import check_path
from model_lifecycle.hooks.session import url_path

EXPERIMENT = "model_lifecycle"
VERSION_TAG = "model_lifecycle.model_version"
SCHEME = "mlflow-artifacts"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"

Call = Callable[..., dict[str, Any]]
Run = Mapping[str, Any]


def run_for_files(call: Call, name: str, version: int) -> Run:
    """The ``info`` of the run whose artifacts hold the files of a version; made if there is none.

    :param call: one call to MLflow's REST API: method, path and what goes with it.
    :raises NotFound: if there is no such version.
    :raises Invalid: if this server's artifacts cannot be written through it.
    """
    row = call("GET", "model-versions/get", params={"name": name, "version": str(version)})["model_version"]
    run = _usable(call, row.get("run_id")) or _own(call, name, version)
    if urlsplit(run["artifact_uri"]).scheme != SCHEME:
        raise Invalid(
            "this MLflow server takes no files",
            model=name,
            version=version,
            hint="start it with --serve-artifacts and without a --default-artifact-root of its own",
        )
    return run


def upload_path(run: Run, path: str) -> str:
    """Where a file of a run is written and read, below the server's own address.

    :raises Invalid: if the path is not allowed in an artifact.
    """
    inside = urlsplit(run["artifact_uri"]).path.strip("/")
    return f"{ARTIFACTS}{url_path(*inside.split('/'), *check_path(path).split('/'))}"


def page_path(run: Run, path: str) -> str:
    """The page of MLflow's UI that shows a file, below the server's own address."""
    return f"/#{url_path('experiments', run['experiment_id'], 'runs', run['run_id'], 'artifacts')}/{quote(path)}"


def _usable(call: Call, run_id: str | None) -> Run | None:
    if not run_id:
        return None
    try:
        info: Run = call("GET", "runs/get", params={"run_id": run_id})["run"]["info"]
    except NotFound:
        return None
    here = info.get("lifecycle_stage") == "active" and urlsplit(info["artifact_uri"]).scheme == SCHEME
    return info if here else None


def _own(call: Call, name: str, version: int) -> Run:
    experiment = _experiment(call)
    found = _first(call, experiment, name, version)
    if found is not None:
        return found
    now = int(time.time() * 1000)
    tags = {VERSION_TAG: f"{name}/{version}", "mlflow.runName": f"{name}-{version}-reports"}
    rows = [{"key": key, "value": value} for key, value in tags.items()]
    body = {"experiment_id": experiment, "start_time": now, "tags": rows}
    made: Run = call("POST", "runs/create", json=body, retry=False)["run"]["info"]
    call("POST", "runs/update", json={"run_id": made["run_id"], "status": "FINISHED", "end_time": now})
    first = _first(call, experiment, name, version) or made
    if first["run_id"] != made["run_id"]:  # somebody else made one at the same moment, and everybody keeps the first
        call("POST", "runs/delete", json={"run_id": made["run_id"]})
    return first


def _first(call: Call, experiment: str, name: str, version: int) -> Run | None:
    # The name is an allowed one: it holds no quote.
    wanted = {
        "experiment_ids": [experiment],
        "filter": f"tags.`{VERSION_TAG}` = '{name}/{version}'",
        "order_by": ["attributes.start_time ASC", "attributes.run_id ASC"],
        "max_results": 10,
    }
    runs = call("POST", "runs/search", json=wanted).get("runs", [])
    infos: list[Run] = [run["info"] for run in runs if run["info"].get("lifecycle_stage") == "active"]
    return infos[0] if infos else None


def _experiment(call: Call) -> str:
    try:
        return str(call("POST", "experiments/create", json={"name": EXPERIMENT})["experiment_id"])
    except Conflict:
        params = {"experiment_name": EXPERIMENT}
        found = call("GET", "experiments/get-by-name", params=params)["experiment"]
    if found.get("lifecycle_stage") != "active":
        raise Invalid(f"the MLflow experiment {EXPERIMENT} has been deleted", hint="restore it, or delete it for good")
    return str(found["experiment_id"])
