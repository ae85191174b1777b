"""What changes in MLflow and in HDFS starts DAGs: within a poll, at one request a poll, and over killed triggerers."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests

from model_lifecycle.assets import model as assets
from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.release import State, following, opening
from model_lifecycle.stores.hdfs import hdfs_store
from model_lifecycle.stores.ledger import Ledger
from tests import models
from tests.core.test_plan import plan
from tests.servers.airflow import AirflowServer
from tests.servers.airflow_api import FINISHED, wait_until
from tests.servers.hdfs import HdfsCluster
from tests.servers.mlflow import MlflowServer

FILES = [Path(__file__).parents[1] / name for name in ("triggers/watching.py", "assets/listening.py")]
DAGS = ("on_version", "on_many", "on_artifact", "on_champion", "on_told", "make", "ends_badly")

KILLS = int(os.environ.get("KILLS", "8"))
"""How often the triggerer is killed after a change, and how often after its event."""

pytestmark = pytest.mark.timeout(900)


class Counting(BaseHTTPRequestHandler):
    """Passes requests on to MLflow and keeps their paths and times."""

    target = ""
    seen: ClassVar[list[tuple[float, str]]] = []

    def do_GET(self) -> None:
        self._pass("GET")

    def do_POST(self) -> None:
        self._pass("POST")

    def _pass(self, method: str) -> None:
        self.seen.append((time.monotonic(), self.path))
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        answer = requests.request(
            method, self.target + self.path, data=body, headers={"content-type": "application/json"}, timeout=30
        )
        self.send_response(answer.status_code)
        self.send_header("content-type", answer.headers.get("content-type", "application/json"))
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@dataclass
class Watched:
    """An Airflow that watches, and the MLflow that is watched."""

    airflow: AirflowServer
    mlflow: Any
    folder: Path
    watchers: int

    def events(self, asset: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []

        def read() -> bool:
            try:
                found[:] = self.airflow.api.get("assets/events", limit=100, order_by="timestamp")["asset_events"]
            except RuntimeError:
                return False  # Airflow 3.3 answers 500 as long as a run that an event has created is queued
            return True

        wait_until(read, 60, lambda: "Airflow does not list its events")
        return [event["extra"] for event in found if event["uri"] == asset]

    def versions(self) -> list[int]:
        """The versions of churn that were told."""
        return [extra["payload"]["version"] for extra in self.events(assets.registry_changes("churn").uri)]

    def acted_on(self) -> list[str]:
        """The versions of churn that the DAG was started for, when all of its runs are over."""
        api = self.airflow.api
        wait_until(lambda: all(run["state"] in FINISHED for run in api.runs("on_version")), 300, lambda: "runs go on")
        return [uri for run in api.runs("on_version") for uri in api.xcom("on_version", run["dag_run_id"], "look")]

    def restart(self) -> None:
        """Kill the triggerer and start another."""
        self.triggerer().kill()
        self.triggerer().spawn()

    def register(self, name: str) -> int:
        """A version, as anybody with MLflow's own client makes it."""
        return int(self.mlflow.create_model_version(name, f"s3://elsewhere/{name}").version)

    def triggerer(self) -> Any:
        return self.airflow.servers["triggerer"]

    def seen(self) -> bool:
        """Whether each watcher has looked once, and what it saw is kept."""
        with closing(sqlite3.connect(self.airflow.database, timeout=60)) as database:
            (count,) = database.execute("select count(*) from asset_state_store").fetchone()
        return bool(count >= self.watchers)


@pytest.fixture(scope="module")
def watched(
    request: pytest.FixtureRequest,
    mlflow_server: MlflowServer,
    hdfs_cluster: HdfsCluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watched]:
    """An Airflow that watches churn, as many other models as asked for or 199, and the artifacts of another one."""
    from mlflow import MlflowClient

    folder, besides = tmp_path_factory.mktemp("watched"), getattr(request, "param", 199)
    dags = folder / "dags"
    dags.mkdir()
    for file in FILES:
        shutil.copy(file, dags)
    client = MlflowClient(mlflow_server.url)
    with ExitStack() as stack:
        names = {"churn", *(f"many-{number}" for number in range(besides))}
        known = {model.name for model in client.search_registered_models(max_results=1000)}
        made = stack.enter_context(ThreadPoolExecutor(1)).map(client.create_registered_model, names - known)
        Counting.target, Counting.seen = mlflow_server.url, []
        proxy = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
        stack.callback(proxy.server_close)
        stack.callback(proxy.shutdown)
        Thread(target=proxy.serve_forever, daemon=True).start()
        env = environment(hdfs_cluster.url, proxy.server_address[1], besides)
        server = stack.enter_context(AirflowServer(folder / "airflow", dags=dags, env=env))
        list(made)
        server.api.wait_for_dags(DAGS)
        for dag in DAGS:
            server.api.unpause(dag)
        found = Watched(server, client, folder, besides + 2)
        wait_until(found.seen, 300, lambda: found.triggerer().log.read_text(errors="replace")[-3000:])
        yield found


def environment(hdfs: str, mlflow: int, besides: int) -> dict[str, str]:
    where = urlsplit(hdfs)
    connections = {
        "MLFLOW_DEFAULT": {"conn_type": "mlflow", "host": "http://127.0.0.1", "port": mlflow},
        "WATCHED": {"conn_type": "webhdfs", "host": where.hostname, "port": where.port, "login": "root"},
    }
    return {
        **{f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in connections.items()},
        "WATCHED_STORE": f"hdfs://watched@/tests/{uuid4().hex}",
        "WATCHED_BESIDES": str(besides),
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",  # a dead triggerer's work is taken over sooner
    }


def test_a_version_registered_with_plain_mlflow_starts_a_dag(watched: Watched):
    before = watched.versions()
    begun = time.monotonic()
    number = watched.register("churn")
    wait_until(lambda: number in watched.versions(), 60, lambda: str(watched.versions()))
    print(f"an event after {time.monotonic() - begun:.1f} s, polling every 2 s")
    wait_until(lambda: f"models:/churn/{number}" in watched.acted_on(), 60, lambda: str(watched.acted_on()))
    print(f"a DAG run is over after {time.monotonic() - begun:.1f} s")
    assert watched.versions() == [*before, number]


def test_two_hundred_watched_models_cost_one_request_a_poll(watched: Watched):
    begun, before = time.monotonic(), len(Counting.seen)
    time.sleep(11)
    made = [path for _, path in Counting.seen[before:]]
    polls = (time.monotonic() - begun) / 2
    print(f"{len(made)} requests in {polls:.1f} intervals")
    assert made
    assert {path.partition("?")[0] for path in made} == {"/api/2.0/mlflow/registered-models/search"}
    assert len(made) <= polls + 1


def test_a_triggerer_that_is_killed_loses_nothing_and_repeats_nothing(watched: Watched):
    told = watched.versions()
    watched.triggerer().kill()
    told += [watched.register("churn"), watched.register("churn")]
    watched.triggerer().spawn()
    wait_until(lambda: len(watched.versions()) >= len(told), 300, lambda: f"{watched.versions()}, not {told}")
    time.sleep(4)
    assert watched.versions() == told


@pytest.mark.soak
@pytest.mark.parametrize("watched", [1], indirect=True)
def test_a_release_whose_task_failed_is_told_by_the_teardown_after_it(watched: Watched, hdfs_cluster: HdfsCluster):
    """Airflow stores nothing of a task that fails; the run stays failed, and the event is there."""
    store = hdfs_store([hdfs_cluster.url], watched.airflow.settings["WATCHED_STORE"].partition("@")[2], user="root")
    ledger, now = Ledger(store, Endpoint("nowhere", "told")), datetime.now(UTC)
    first = opening(replace(plan(), endpoint="nowhere/told"), 1, now, "writer", {}, "")
    back = following(first, State.ROLLING_BACK, now, "writer", reason="too many errors", evidence={"verdict": "FAIL"})
    for entry in (first, back, following(back, State.ROLLED_BACK, now, "writer")):
        ledger.append(entry)
    api = watched.airflow.api
    run = api.trigger("ends_badly")
    assert api.wait_for_run("ends_badly", run)["state"] == "failed"
    assert api.states("ends_badly", run) == {"fail": "failed", "tell": "success"}
    (event,) = watched.events("model://told/endpoints/nowhere")
    told = {name: event[name] for name in ("event", "version", "abandons", "verdict", "reason", "state")}
    assert told == {
        "event": "rollback",
        "version": 1,
        "abandons": 2,
        "verdict": "FAIL",
        "reason": "too many errors",
        "state": "ROLLED_BACK",
    }


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("watched", [1], indirect=True)
def test_wherever_a_triggerer_is_killed_nothing_is_lost_and_no_dag_acts_twice(watched: Watched):
    """After a change, and after Airflow has stored its event: from the poll to the state that is kept and beyond."""
    told = watched.versions()
    pauses = [3.2 * step / KILLS for step in range(KILLS)]
    for stored in (False, True):
        for pause in pauses:
            told.append(watched.register("churn"))
            if stored:
                wait_until(lambda: told[-1] in watched.versions(), 300, lambda: "the event does not come", pause=0.05)
            time.sleep(pause)
            watched.restart()
            wait_until(lambda: told[-1] in watched.versions(), 300, lambda: f"{watched.versions()}, not {told}")
    told.append(watched.register("churn"))
    wait_until(lambda: told[-1] in watched.versions(), 300, lambda: f"{watched.versions()}, not {told}")
    found = watched.versions()
    print(f"{2 * len(pauses)} kills, {len(told)} changes, {len(found) - len(told)} events came twice")
    assert list(dict.fromkeys(found)) == told
    assert sorted(watched.acted_on()) == sorted(f"models:/churn/{number}" for number in told)


def test_what_a_task_changes_is_told_once_and_starts_a_dag(watched: Watched):
    api = watched.airflow.api
    source = models.linear(watched.folder / "linear", 1.0)
    run = api.trigger("make", {"source": str(source)})
    assert api.wait_for_run("make", run)["state"] == "success"
    wait_until(lambda: bool(api.runs("on_told")), 60, lambda: "no run")
    heard = api.runs("on_told")[0]["dag_run_id"]
    assert api.wait_for_run("on_told", heard)["state"] == "success"
    assert sorted(extra["event"] for extra in api.xcom("on_told", heard, "hear")) == ["registration", "upload"]
    (version,) = watched.events("model://told")
    assert (version["version"], version["model_uri"]) == (1, "models:/told/1")
    (alias,) = watched.events("model://told/challenger")
    assert (alias["alias"], alias["version"], alias["digest"]) == ("challenger", 1, version["digest"])
    wait_until(lambda: bool(watched.events("model://told/events/registry")), 60, lambda: "the artifact was not seen")
    (seen,) = watched.events("model://told/events/registry")
    assert seen["payload"]["artifact_uri"].startswith("webhdfs://")
    assert seen["payload"]["artifact_uri"].endswith(version["digest"])
    wait_until(lambda: [run["state"] for run in api.runs("on_artifact")] == ["success"], 60, lambda: "no run")
    api.clear("make", run)
    assert api.wait_for_run("make", run)["state"] == "success"
    assert len(watched.events("model://told")) == len(watched.events("model://told/events/artifacts")) == 1
    assert len(watched.events("model://told/challenger")) == 1
