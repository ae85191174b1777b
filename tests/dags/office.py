"""A running Airflow with the example DAGs that people meet, the people who work with it, and all that it tells."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from demo.servers import PRELOADED
from model_lifecycle.core.models import ModelUri
from model_lifecycle.operators.approval import APPROVAL_TAG
from model_lifecycle.operators.register import RegisterModelOperator
from model_lifecycle.operators.upload import UploadModelOperator
from tests import models
from tests.operators.life import Life, context, number
from tests.servers.airflow import AirflowServer
from tests.servers.airflow_api import AirflowApi, wait_until
from tests.servers.mlflow import MlflowServer
from tests.servers.postgres import PostgresServer
from tests.servers.scorer import ScorerServer

ROOT = Path(__file__).parents[2]
DAG_FILES = ("dags/retrain_flights.py", "dags/promote_model.py", "tests/docs/approval/ask_people.py")
RETRAIN, PROMOTE, IN_TIME = "retrain_flights", "promote_model", "release_in_time"
ASK, ASK_BOB = "promote_with_approval", "ask_bob"


@dataclass
class Asked:
    """A question about a version, and what became of it."""

    life: Life
    uri: str
    run: str = ""
    question: dict[str, Any] = field(default_factory=dict)
    states: dict[str, str | None] = field(default_factory=dict)
    refused: int = 0
    rolled_back_to: int = 0
    data_digest: str = ""

    @property
    def tag(self) -> str:
        return self.life.registry.get(ModelUri.parse(self.uri)).tags[APPROVAL_TAG]


@dataclass
class Office:
    """A running Airflow, the people who use it, and models about whose versions they are asked."""

    airflow: AirflowServer
    mlflow_url: str
    people: dict[str, AirflowApi]
    prepared: dict[str, Asked]
    runs: dict[str, str]

    @property
    def api(self) -> AirflowApi:
        return self.people["admin"]

    def approved(self) -> Asked:
        """Bob approves, after somebody has rolled back what served."""
        asked = self._asked("approved")
        self._parked(asked.run)
        asked.rolled_back_to = asked.life.roll_back("incident")["serving_version"]
        assert self._answer("bob", asked.run, "Approve", "looks good to me") == 200
        return self._ended(asked)

    def answered_at_once(self, option: str) -> Asked:
        """Bob answers as soon as there is a question."""
        asked = self._asked(option)
        assert self._answer("bob", asked.run, option, "at once") == 200
        return self._ended(asked)

    def approved_by_who_asked(self) -> Asked:
        """Who started the run tries to approve."""
        asked = self._asked("own")
        self._parked(asked.run)
        assert self._answer("admin", asked.run, "Approve", "mine is fine") == 200
        return self._ended(asked)

    def nobody_answered(self) -> Asked:
        """Bob is asked; somebody else tries to answer, and Bob does not."""
        asked = self._asked("silence", ASK_BOB)
        asked.refused = self._answer("admin", asked.run, "Approve", dag=ASK_BOB)
        return self._ended(asked, ASK_BOB)

    def links(self, dag: str, run: str, task: str) -> dict[str, str]:
        """The buttons of a task that lead somewhere."""
        found = self.api.get(f"dags/{dag}/dagRuns/{run}/taskInstances/{task}/links")["extra_links"]
        return {name: url for name, url in found.items() if url}

    def told(self) -> list[dict[str, Any]]:
        """Every event that was told to OpenLineage, the oldest first."""
        events = [json.loads(file.read_text()) for file in (self.airflow.folder / "events").iterdir()]
        return sorted(events, key=lambda event: str(event["eventTime"]))

    def _asked(self, name: str, dag: str = ASK) -> Asked:
        """Come back as soon as the question is there."""
        asked = self.prepared[name]

        def there() -> bool:
            answer = self.api._request("GET", _question(asked.run, dag))
            asked.question = answer.json() if answer.ok else {}
            return answer.ok

        wait_until(there, 300, lambda: str(self.api.states(dag, asked.run)), pause=0.2)
        return asked

    def _parked(self, run: str) -> None:
        """Wait until the task waits and its worker has long left."""
        states = self.api.states
        wait_until(lambda: states(ASK, run)["ask"] == "awaiting_input", 200, lambda: str(states(ASK, run)))
        time.sleep(12)

    def _answer(self, who: str, run: str, option: str, reason: str = "", dag: str = ASK) -> int:
        body = {"chosen_options": [option], "params_input": {"reason": reason}}
        return self.people[who]._request("PATCH", _question(run, dag), json=body).status_code

    def _ended(self, asked: Asked, dag: str = ASK) -> Asked:
        self.api.wait_for_run(dag, asked.run)
        asked.states = self.api.states(dag, asked.run)
        return asked


def _question(run: str, dag: str) -> str:
    return f"dags/{dag}/dagRuns/{run}/taskInstances/ask/-1/hitlDetails"


@contextmanager
def office(folder: Path, scorer: ScorerServer, mlflow: MlflowServer, grafana: str) -> Iterator[Office]:
    """Start it; the DAGs that ask nobody run already."""
    passwords = {name: uuid4().hex for name in ("admin", "bob")}
    home, dags = folder / "airflow", folder / "dags"
    (home / "events").mkdir(parents=True)
    (home / "passwords.json").write_text(json.dumps(passwords))
    shutil.copytree(ROOT / "dags" / "flights", dags / "flights")
    for file in DAG_FILES:
        shutil.copy(ROOT / file, dags)
    _late_at_once(dags, home / "plugins")
    env = _environment(folder, scorer, mlflow, grafana)
    preload = ("model_lifecycle.operators.approval", *PRELOADED)
    # SQLite's one writer can block Airflow's API server for a minute when many people and tasks write at once.
    with (
        PostgresServer(folder / "postgres.log") as database,
        pytest.MonkeyPatch.context() as patch,
        AirflowServer(
            home, dags=dags, env={**env, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.url}, preload=preload
        ) as airflow,
    ):
        for name in ("AIRFLOW_CONN_SCORER_DEFAULT", "AIRFLOW_CONN_MLFLOW_DEFAULT"):
            patch.setenv(name, env[name])  # what tests do besides, they do on the same servers
        people = {name: AirflowApi(airflow.url, name, password, timeout=200) for name, password in passwords.items()}
        admin, names = people["admin"], (RETRAIN, PROMOTE, IN_TIME, ASK, ASK_BOB)
        admin.wait_for_dags(names, 300)
        for dag in names:
            admin.unpause(dag)
        begun = {RETRAIN: {"month": 2}, PROMOTE: {"version": "99", "reason": "a slip"}, IN_TIME: {}}
        runs = {dag: admin.trigger(dag, conf) for dag, conf in begun.items()}
        prepared = {name: _prepared(name, folder, scorer, mlflow) for name in ("Approve", "Reject", "own", "silence")}
        prepared["approved"] = _told_of(_prepared("approved", folder, scorer, mlflow), mlflow)
        for name, asked in prepared.items():
            asked.run = admin.trigger(ASK_BOB if name == "silence" else ASK, {"model_uri": asked.uri})
        yield Office(airflow, mlflow.url, people, prepared, runs)


def _prepared(name: str, folder: Path, scorer: ScorerServer, mlflow: MlflowServer) -> Asked:
    """A model that has a first version; where a rollback is to be possible, two that served."""
    life = Life(folder / name, f"m{uuid4().hex[:12]}", (folder / "store").as_uri(), scorer.repository)
    if name == "silence":
        return Asked(life, life.version(1.0))
    uri = life.release(1.0, "run-1")
    return Asked(life, uri)


def _told_of(asked: Asked, mlflow: MlflowServer) -> Asked:
    """A third version of which much is known, beside a second one that serves."""
    life = asked.life
    champion = life.register(life.upload(models.linear(life.folder / "two", 2.0), "run-2"), "run-2",
                             mlflow_run_id=_training(mlflow, 0.7))  # fmt: skip
    life.deploy(champion, "run-2")
    life.promote(champion, "run-2")
    data = life.folder / "data.csv"
    data.write_text("x,y\n1,2\n")
    asked.data_digest = hashlib.sha256(data.read_bytes()).hexdigest()
    source = str(models.linear(life.folder / "three", 3.0, outputs=True))
    upload = UploadModelOperator(
        task_id="upload",
        model_name=life.model,
        source=source,
        store=life.store_uri,
        training_data=[str(data)],
        git_commit="4be1f3a",
    )
    register = RegisterModelOperator(
        task_id="register",
        model_name=life.model,
        artifact_uri=upload.execute(context("upload", "run-3")),
        store=life.store_uri,
        tags={"drift": "FAIL: 3 of 9 columns drifted"},
        mlflow_run_id=_training(mlflow, 0.75),
    )
    asked.uri = register.execute(context("register", "run-3"))
    assert number(asked.uri) == 3
    return asked


def _training(mlflow: MlflowServer, auc: float) -> str:
    """A run of MLflow that has measured something; returns its id."""
    calls = f"{mlflow.url}/api/2.0/mlflow/runs"
    run = requests.post(f"{calls}/create", json={"experiment_id": "0"}, timeout=60).json()["run"]["info"]["run_id"]
    told = {"run_id": run, "key": "auc", "value": auc, "timestamp": 0}
    requests.post(f"{calls}/log-metric", json=told, timeout=60).raise_for_status()
    return str(run)


def _late_at_once(dags: Path, plugins: Path) -> None:
    """The example of a deadline, which passes while its run is young."""
    authors = ROOT / "tests" / "docs" / "authors"
    plugins.mkdir()
    shutil.copy(authors / "lateness.py", plugins)
    text = (authors / "release_in_time.py").read_text()
    (dags / "release_in_time.py").write_text(text.replace("timedelta(hours=4)", "timedelta(seconds=1)"))


def _environment(folder: Path, scorer: ScorerServer, mlflow: MlflowServer, grafana: str) -> dict[str, str]:
    extra = {"repository": str(scorer.repository), "timeout": 20, "trust": "code"}
    samples = folder / "samples"
    samples.mkdir()
    connections = {
        "scorer_default": {
            "conn_type": "open_inference",
            "host": "http://127.0.0.1",
            "port": scorer.port,
            "extra": extra,
        },
        "mlflow_default": {"conn_type": "mlflow", "host": mlflow.url},
        "prometheus_default": {"conn_type": "prometheus", "extra": {"textfile": str(samples), "grafana": grafana}},
    }
    transport = {"type": "file", "log_file_path": str(folder / "airflow" / "events" / "event"), "append": False}
    return {
        **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()},
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,bob:op",
        "AIRFLOW__MODEL_LIFECYCLE__METRICS_CONN_ID": "prometheus_default",
        "AIRFLOW__MODEL_LIFECYCLE__STORE": (folder / "store").as_uri(),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "office",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        "FLIGHTS_FOLDER": str(folder / "flights"),
        "FLIGHTS_LAST_MONTH": "1",  # the schedule runs nothing; a test says what to train
        "GIT_PYTHON_REFRESH": "quiet",
    }
