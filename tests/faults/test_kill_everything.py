"""kill -9 of everything, one at a time, at every transition of a release that a real Airflow runs.

A shadow and then a canary on a real scorer behind a real Envoy, while callers ask. Whatever is killed and started
again, in the end the ledger has no open release, callers are sent where it says, and no version was promoted twice.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from model_lifecycle.core.errors import ModelLifecycleError
from model_lifecycle.core.plan import Change
from model_lifecycle.core.release import Release, State
from tests.callers import Load
from tests.operators.life import Life
from tests.servers.airflow import IMPATIENT, AirflowServer, session_members
from tests.servers.airflow_api import wait_until
from tests.servers.envoy import EnvoyServer
from tests.servers.mlflow import MlflowServer
from tests.servers.process import Server
from tests.servers.scorer import ScorerServer

DAGS = Path(__file__).parents[2] / "dags"
DAG, RECONCILE = "shadow_then_canary", "reconcile_releases"
FORM = {"serving_conn_id": "scorer_default", "duration": 4, "share": 100, "steps": [20, 50], "bake": 4, "soak": 4}
VICTIMS = ("worker", "triggerer", "scheduler", "scorer", "router")
MOMENTS = (
    *("VALIDATING", "SHADOW", "JUDGING", "SHIFTING 0", "BAKING 0", "JUDGING 0", "SHIFTING 1", "BAKING 1"),
    *("PROMOTING", "SOAKING", "SUCCEEDED"),
)


@dataclass
class Stage:
    """Everything that takes part, each of which can be killed and started again."""

    airflow: AirflowServer
    scorer: ScorerServer
    envoy: EnvoyServer
    store_uri: str
    connections: dict[str, str]

    def kill(self, victim: str) -> str:
        """kill -9; returns what was killed."""
        if victim == "worker":
            return self._kill_tasks()
        server = self._server(victim)
        server.kill()
        return victim

    def revive(self, victim: str) -> None:
        if victim != "worker":
            server = self._server(victim)
            server.spawn()
            server.wait_ready()

    def _server(self, victim: str) -> Server:
        return {"scorer": self.scorer, "router": self.envoy}.get(victim) or self.airflow.servers[victim]

    def _kill_tasks(self) -> str:
        """The processes that run tasks now, and those that watch them."""
        scheduler = self.airflow.servers["scheduler"].pid
        tasks = [pid for pid in session_members(scheduler) if pid != scheduler and _runs_a_task(pid)]
        for pid in tasks:
            os.kill(pid, signal.SIGKILL)
        return f"worker ({len(tasks)} processes)"


def _runs_a_task(pid: int) -> bool:
    try:
        return b"task" in (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, mlflow_server: MlflowServer) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    scorer, envoy = ScorerServer(folder / "repository", folder / "scorer.log"), EnvoyServer(folder / "envoy")
    extra = {"repository": str(scorer.repository), "timeout": 10, "router_conn_id": "envoy_default"}
    connections = {
        "MLFLOW_DEFAULT": json.dumps({"conn_type": "mlflow", "host": "http://127.0.0.1", "port": mlflow_server.port}),
        "SCORER_DEFAULT": json.dumps({"conn_type": "open_inference", "host": scorer.url, "extra": extra}),
        "ENVOY_DEFAULT": envoy.connection,
    }
    connections = {f"AIRFLOW_CONN_{name}": value for name, value in connections.items()}
    store_uri = (folder / "store").as_uri()
    env = {**IMPATIENT, **connections, "AIRFLOW__MODEL_LIFECYCLE__STORE": store_uri}
    airflow = AirflowServer(folder / "airflow", dags=DAGS, env=env, preload=("model_lifecycle.operators.deploy",))
    started = (scorer, envoy, airflow)
    try:
        for server in started:
            server.start()
        airflow.api.wait_for_dags((DAG, RECONCILE))
        airflow.api.unpause(DAG)
        yield Stage(airflow, scorer, envoy, store_uri, connections)
    finally:
        for server in reversed(started):
            server.stop()


@pytest.fixture
def life(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Life:
    """A model of which version 1 serves and version 2 is as good."""
    for name, value in stage.connections.items():
        monkeypatch.setenv(name, value)
    life = Life(tmp_path, f"m{uuid4().hex[:12]}", stage.store_uri, stage.scorer.repository)
    life.deploy(life.version(100.0), "run-1")
    life.promote(f"models:/{life.model}/1", "run-1")
    life.version(200.0)
    return life


def where(release: Release) -> str:
    return f"{release.state}" + ("" if release.step is None else f" {release.step}")


def walked(release: Release) -> list[str]:
    return [f"{entry.state}" + ("" if entry.step is None else f" {entry.step}") for entry in release.entries]


def newest(life: Life) -> Release:
    """The newest release; the ledger can always be read, a folder is never half written."""
    release = life.ledger.newest()
    assert release is not None
    return release


def wait_for(life: Life, done: Callable[[Release], bool], story: str, timeout: float = 120) -> Release:
    wait_until(lambda: done(newest(life)), timeout, lambda: f"{story}: {walked(newest(life))}", pause=0.02)
    return newest(life)


def released_while(stage: Stage, life: Life, victim: str, moment: str) -> Release:
    """Release version 2, kill at the moment, revive, and let everybody finish."""
    before = newest(life).id
    form = {**FORM, "model": life.model, "version": "2", "min_samples": 20, "reason": f"kill the {victim}"}
    run = stage.airflow.api.trigger(DAG, form)
    wait_for(life, lambda now: now.id != before, "no release was opened")
    wait_for(life, lambda now: moment in walked(now) or now.state.terminal, f"{moment} never came")
    killed = stage.kill(victim)
    time.sleep(0.5)
    stage.revive(victim)
    state = stage.airflow.api.wait_for_run(DAG, run, timeout=240)["state"]
    release = newest(life)
    if not release.state.terminal:
        reconcile(stage, life)
    print(f"{killed} at {moment}: run {state}, left {where(release)}, ended {where(newest(life))}")
    return newest(life)


def reconcile(stage: Stage, life: Life) -> None:
    """Run after run, as the schedule would."""
    stage.airflow.api.unpause(RECONCILE)
    deadline = time.monotonic() + 120
    while not newest(life).state.terminal and time.monotonic() < deadline:
        run = stage.airflow.api.trigger(RECONCILE, {"grace": 0})
        stage.airflow.api.wait_for_run(RECONCILE, run, timeout=120)


def assert_all_is_as_the_ledger_says(life: Life, load: Load) -> None:
    releases = list(life.ledger.releases())
    assert all(release.state.terminal for release in releases)
    serving = releases[0].standing.serving
    assert serving is not None
    assert life.serving.traffic(life.model) == {serving.version: 100}
    assert life.serving.mirrored(life.model) == {}
    deployed = [one for one in releases if one.plan.change is Change.DEPLOY and one.state is State.SUCCEEDED]
    assert len({one.plan.target.version for one in deployed}) == len(deployed), "a version was promoted twice"
    champion, previous = life.aliases().get("champion"), life.aliases().get("previous")
    assert champion in (serving.version, 1)
    assert previous in (None, 1)
    now = time.monotonic()
    load.go_on()
    after = [reply for reply in load.replies if reply.began > now]
    assert {(reply.version, reply.fault) for reply in after} == {(serving.version, None)}
    assert not [reply for reply in load.replies if reply.fault is None and not reply.right], "an answer was wrong"


@pytest.fixture
def load(stage: Stage, life: Life) -> Iterator[Load]:
    load = Load(stage.envoy.port, life.model, pause=0.02)
    load.start()
    yield load
    load.end()


def check(stage: Stage, life: Life, load: Load, victim: str, moment: str) -> None:
    release = released_while(stage, life, victim, moment)
    assert release.state in (State.SUCCEEDED, State.ROLLED_BACK, State.REJECTED), release.reason
    try:
        assert_all_is_as_the_ledger_says(life, load)
    except ModelLifecycleError as error:
        raise AssertionError(f"the endpoint cannot be read after it all: {error}") from error
    if victim in ("worker", "triggerer", "scheduler"):
        load.end()
        load.assert_right()
    print(f"  {load.told()}")


@pytest.mark.timeout(600)
def test_a_release_survives_the_death_of_the_router(stage: Stage, life: Life, load: Load):
    check(stage, life, load, "router", "BAKING 1")


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_release_survives_the_death_of_anything_at_any_moment(stage: Stage, life: Life, load: Load, victim, moment):
    check(stage, life, load, victim, moment)
