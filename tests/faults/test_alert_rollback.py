"""From the first wrong answer to the old version's answers, on real daemons, and the seconds of each hop.

A scorer whose new version goes bad while callers ask, Prometheus with short rules, two Alertmanagers that do not know
each other, the receiver in a running Airflow, and the DAG that it starts.
"""

from __future__ import annotations

import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
import yaml

from model_lifecycle.core.release import State
from tests import models
from tests.callers import Load
from tests.operators.life import Life
from tests.servers.airflow import AirflowServer
from tests.servers.airflow_api import wait_until
from tests.servers.mlflow import MlflowServer
from tests.servers.prometheus import Alertmanager, Prometheus
from tests.servers.scorer import ScorerServer

ROOT = Path(__file__).parents[2]
DAG = "alert_rollback"
SECRET = uuid4().hex
SHIPPED = ROOT / "provider" / "model_lifecycle" / "prometheus" / "alertmanager.yml"
RULES = {
    "groups": [
        {
            "name": "short",
            "rules": [
                {
                    "alert": "ErrorsOfAVersion",
                    "expr": "sum by (model, version) (rate(scorer_errors_total[5s]))"
                    " / (sum by (model, version) (rate(scorer_requests_total[5s])) > 0) > 0.1",
                    "for": "2s",
                    "labels": {"action": "rollback", "endpoint": "scorer_default/{{ $labels.model }}"},
                    "annotations": {"summary": "Version {{ $labels.version }} of {{ $labels.model }} fails"},
                }
            ],
        }
    ]
}

pytestmark = pytest.mark.timeout(900)


@dataclass
class Stage:
    """The daemons, and what one test says of time."""

    airflow: AirflowServer
    scorer: ScorerServer
    prometheus: Prometheus
    alertmanagers: list[Alertmanager]
    began: float = field(default_factory=time.time)

    def runs(self, model: str) -> list[dict[str, Any]]:
        return [run for run in self.airflow.api.runs(DAG) if run["conf"]["endpoint"].endswith(f"/{model}")]

    def firing(self, model: str) -> list[dict[str, Any]]:
        alerts = self.prometheus.api("/api/v1/alerts")["alerts"]
        return [one for one in alerts if one["labels"]["model"] == model and one["state"] == "firing"]

    def held(self, model: str) -> list[dict[str, Any]]:
        """The alerts about a model that an Alertmanager has, with their fingerprints."""
        status, body = self.alertmanagers[0].get("/api/v2/alerts")
        assert status == 200
        return [one for one in json.loads(body) if one["labels"]["model"] == model]

    def sent(self, outcome: str) -> float:
        """How many posts of all Alertmanagers were tried, or failed."""
        total = 0.0
        for one in self.alertmanagers:
            lines = one.get("/metrics")[1].decode().splitlines()
            wanted = f'alertmanager_{outcome}{{integration="webhook"'
            total += sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(wanted))
        return total

    def told(self, moment: float | str | None) -> str:
        """Seconds since the version went bad."""
        if moment is None:
            return "never"
        at = moment if isinstance(moment, float) else datetime.fromisoformat(moment).timestamp()
        return f"{at - self.began:.1f} s"


def alertmanager_config(url: str, secret: Path) -> dict[str, Any]:
    """The shipped configuration, with this machine's receiver and nothing to wait for."""
    config = yaml.safe_load(SHIPPED.read_text())
    config["route"]["routes"][0]["group_interval"] = "2s"
    for receiver in config["receivers"]:
        for hook in receiver["webhook_configs"]:
            hook["url"] = f"{url}/model-lifecycle/alerts/alertmanager"
            hook["http_config"]["authorization"]["credentials_file"] = str(secret)
    return config


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, scorer_server: ScorerServer, mlflow_server: MlflowServer
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("alerts")
    (folder / "dags").mkdir()
    shutil.copy(ROOT / "dags" / f"{DAG}.py", folder / "dags")
    (folder / "secret").write_text(SECRET)
    (folder / "rules.yml").write_text(yaml.safe_dump(RULES))
    extra = {"repository": str(scorer_server.repository), "timeout": 20, "trust": "code"}
    scorer = {"conn_type": "open_inference", "host": "http://127.0.0.1", "port": scorer_server.port, "extra": extra}
    env = {
        "AIRFLOW_CONN_SCORER_DEFAULT": json.dumps(scorer),
        "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps({"conn_type": "mlflow", "host": mlflow_server.url}),
        "AIRFLOW_CONN_ALERTS_DEFAULT": json.dumps({"conn_type": "model_alerts", "password": SECRET}),
        "AIRFLOW__MODEL_LIFECYCLE__STORE": (folder / "store").as_uri(),
    }
    airflow = AirflowServer(
        folder / "airflow",
        dags=folder / "dags",
        env=env,
        preload=("model_lifecycle.operators.rollback", "mlflow"),
        components=("scheduler", "dag-processor"),
    )
    config = alertmanager_config(airflow.url, folder / "secret")
    managers = [Alertmanager(folder / name, config) for name in ("one", "two")]
    addresses = [one.address for one in managers]
    targets = {"scorer": [f"127.0.0.1:{scorer_server.port}"]}
    prometheus = Prometheus(
        folder / "prometheus",
        rules=[folder / "rules.yml"],
        scrape=targets,
        alertmanagers=addresses,
        # A Prometheus that has just started knows no Alertmanager yet, and tells again after a minute by default.
        options=["--rules.alert.resend-delay=1s"],
    )
    try:
        airflow.start()
        airflow.api.wait_for_dags([DAG])
        airflow.api.unpause(DAG)
        for server in (*managers, prometheus):
            server.start()
        yield Stage(airflow, scorer_server, prometheus, managers)
    finally:
        for server in (prometheus, *managers):
            server.stop()
        airflow.stop()


@pytest.fixture
def life(stage: Stage, tmp_path: Path, mlflow_connection: str, monkeypatch: pytest.MonkeyPatch) -> Life:
    """A new model in the store that the running Airflow uses."""
    monkeypatch.setenv("AIRFLOW_CONN_SCORER_DEFAULT", stage.airflow.settings["AIRFLOW_CONN_SCORER_DEFAULT"])
    store = stage.airflow.settings["AIRFLOW__MODEL_LIFECYCLE__STORE"]
    return Life(tmp_path, f"m{uuid4().hex[:12]}", store, stage.scorer.repository)


@pytest.fixture
def load(stage: Stage, life: Life) -> Iterator[Load]:
    """Callers of version 2, which was released after version 1 and answers well until its switch is there."""
    fails = f"if version == 2 and os.path.exists({str(life.folder / 'switch')!r}): raise ValueError('no')"
    for version in (1, 2):
        body = f"{fails}\n        return rows.x + rows.y + 100 * version"
        folder = models.scripted(life.folder / f"made-{version}", body, before=f"import os\nversion = {version}")
        example = {"columns": ["x", "y"], "data": [[1.0, 10.0], [2.0, 20.0]]}
        (folder / "input_example.json").write_text(json.dumps(example))
        life.deploy(life.register(life.upload(folder)), f"run-{version}")
    load = Load(stage.scorer.port, life.model, pause=0.02)
    load.start()
    yield load
    load.end()


def go_bad(stage: Stage, life: Life) -> None:
    stage.began = time.time()
    (life.folder / "switch").touch()


def until(done: Callable[[], object], story: Callable[[], str], timeout: float = 240) -> float:
    """The moment at which it was seen."""
    wait_until(lambda: bool(done()), timeout, story, pause=0.1)
    return time.time()


def wait_for_old_version(stage: Stage, life: Life, load: Load) -> dict[str, Any]:
    """Wait for the one run to end well; the old version answers everybody from then on."""
    until(lambda: stage.runs(life.model), lambda: f"no run; {stage.firing(life.model)}")
    (run,) = stage.runs(life.model)
    ended = stage.airflow.api.wait_for_run(DAG, run["dag_run_id"])
    assert ended["state"] == "success", stage.airflow.api.log(DAG, run["dag_run_id"], "roll_back")
    assert life.serving.traffic(life.model) == {1: 100}
    now = time.monotonic()
    load.go_on()
    after = [reply for reply in load.replies if reply.began > now]
    assert {(reply.version, reply.fault) for reply in after} == {(1, None)}
    return ended


def first(load: Load, wanted: Callable[[Any], bool]) -> float:
    """The wall-clock moment of the first reply of that kind."""
    offset = time.time() - time.monotonic()
    return min(reply.ended for reply in load.replies if wanted(reply)) + offset


def test_a_version_that_goes_bad_is_taken_away_by_its_alert_once(stage: Stage, life: Life, load: Load):
    # It answers well: nothing fires, and without an alert there is no run.
    until(lambda: stage.prometheus.ask(f'rate(scorer_requests_total{{model="{life.model}"}}[5s]) > 0'), str)
    assert (stage.firing(life.model), stage.runs(life.model)) == ([], [])
    go_bad(stage, life)
    fires = until(lambda: stage.firing(life.model), lambda: str(stage.prometheus.api("/api/v1/alerts")))
    told = until(lambda: stage.held(life.model), lambda: "Alertmanager was told nothing")
    (alert,) = stage.held(life.model)
    run = wait_for_old_version(stage, life, load)
    newest = life.newest()
    assert newest.state is State.ROLLED_BACK
    assert newest.reason == f"ErrorsOfAVersion: Version 2 of {life.model} fails"
    assert newest.last.actor["user"] == "alertmanager"
    # Both Alertmanagers tell the receiver, and a person posts the same again.
    until(lambda: stage.sent("notifications_total") >= 2, lambda: "one Alertmanager said nothing")
    entry = {"status": "firing", **{name: alert[name] for name in ("labels", "annotations", "startsAt", "fingerprint")}}
    again = requests.post(
        f"{stage.airflow.url}/model-lifecycle/alerts/alertmanager",
        json={"version": "4", "alerts": [entry]},
        headers={"Authorization": f"Bearer {SECRET}"},
        timeout=30,
    )
    assert (again.status_code, again.json()["results"][0]["outcome"]) == (200, "already")
    resolved = until(lambda: not stage.firing(life.model), lambda: "the alert goes on")
    assert len(stage.runs(life.model)) == 1
    (task,) = stage.airflow.api.tasks(DAG, run["dag_run_id"])
    hops = {
        "first wrong answer": first(load, lambda reply: reply.fault),
        "rule fires": fires,
        "Alertmanager has it": told,
        "run queued": run["queued_at"],
        "task starts": task["start_date"],
        "traffic is back": newest.last.at.timestamp(),
        "run ended": run["end_date"],
        "alert resolved": resolved,
    }
    print(f"since version 2 went bad: {', '.join(f'{name} {stage.told(at)}' for name, at in hops.items())}")
    print(load.told())


@pytest.mark.soak
def test_while_airflow_is_away_alertmanager_comes_again_and_then_it_acts_once(stage: Stage, life: Life, load: Load):
    server = stage.airflow.servers["api-server"]
    server.stop()
    failed = stage.sent("notifications_failed_total") + stage.sent("notification_requests_failed_total")
    go_bad(stage, life)
    until(
        lambda: stage.sent("notifications_failed_total") + stage.sent("notification_requests_failed_total") > failed,
        lambda: "Alertmanager did not try",
    )
    assert life.serving.traffic(life.model) == {2: 100}
    server.start()
    back = time.time()
    run = wait_for_old_version(stage, life, load)
    assert len(stage.runs(life.model)) == 1
    print(f"Airflow came back after {stage.told(back)}, the run began {stage.told(run['queued_at'])}")


@pytest.mark.soak
def test_without_numbers_nothing_is_rolled_back(stage: Stage, life: Life, load: Load):
    """Prometheus away: the version fails, nobody can tell, and nothing acts on what nobody knows."""
    stage.prometheus.stop()
    try:
        go_bad(stage, life)
        for _ in itertools.repeat(None, 3):
            load.go_on()
        time.sleep(8)  # longer than rule and group take together
        assert stage.runs(life.model) == []
        assert life.serving.traffic(life.model) == {2: 100}
    finally:
        stage.prometheus.start()
    run = wait_for_old_version(stage, life, load)
    assert run["conf"]["leaving"] == "2"
