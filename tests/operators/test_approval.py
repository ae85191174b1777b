"""Questions to people in a running Airflow, answered over its REST API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from model_lifecycle.core.models import ModelUri
from model_lifecycle.operators.approval import APPROVAL_TAG, ModelApprovalOperator
from tests.operators.life import Life
from tests.servers.airflow import AirflowServer
from tests.servers.airflow_api import AirflowApi, wait_until
from tests.servers.mlflow import MlflowServer
from tests.servers.scorer import ScorerServer

DAG = "promote_with_approval"
DAGS = Path(__file__).parents[1] / "docs" / "approval"

pytestmark = pytest.mark.timeout(900)


@dataclass
class Office:
    """A running Airflow, and the people who use it."""

    airflow: AirflowServer
    scorer: ScorerServer
    people: dict[str, AirflowApi]

    def ask(self, life: Life, uri: str, dag: str = DAG) -> str:
        return self.airflow.api.trigger(dag, {"model_uri": uri})

    def path(self, run: str, dag: str) -> str:
        return f"dags/{dag}/dagRuns/{run}/taskInstances/ask/-1/hitlDetails"

    def asked(self, run: str, dag: str = DAG) -> dict[str, Any]:
        """The question, as soon as it is there."""
        found: list[Any] = []

        def there() -> bool:
            answer = self.airflow.api._request("GET", self.path(run, dag))
            found.extend([answer.json()] if answer.ok else [])
            return answer.ok

        wait_until(there, 200, lambda: str(self.airflow.api.states(dag, run)), pause=0.05)
        return found[0]

    def parked(self, run: str, dag: str = DAG) -> None:
        """Wait until the task waits and its worker has long left."""
        states = self.airflow.api.states
        waits = ("awaiting_input", "deferred")  # since Airflow 3.3, and before
        wait_until(lambda: states(dag, run)["ask"] in waits, 200, lambda: str(states(dag, run)))
        time.sleep(12)

    def answer(self, who: str, run: str, option: str, reason: str = "", dag: str = DAG) -> int:
        body = {"chosen_options": [option], "params_input": {"reason": reason}}
        return self.people[who]._request("PATCH", self.path(run, dag), json=body).status_code

    def ended(self, run: str, dag: str = DAG) -> dict[str, str | None]:
        self.airflow.api.wait_for_run(dag, run)
        return self.airflow.api.states(dag, run)


@pytest.fixture(scope="module")
def office(
    tmp_path_factory: pytest.TempPathFactory, scorer_server: ScorerServer, mlflow_server: MlflowServer
) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    passwords = {name: uuid4().hex for name in ("admin", "bob")}
    (folder / "airflow").mkdir()
    (folder / "airflow" / "passwords.json").write_text(json.dumps(passwords))
    extra = {"repository": str(scorer_server.repository), "timeout": 20, "trust": "code"}
    scorer = {"conn_type": "open_inference", "host": "http://127.0.0.1", "port": scorer_server.port, "extra": extra}
    env = {
        "AIRFLOW_CONN_SCORER_DEFAULT": json.dumps(scorer),
        "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps({"conn_type": "mlflow", "host": mlflow_server.url}),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,bob:op",
        "AIRFLOW__MODEL_LIFECYCLE__STORE": (folder / "store").as_uri(),
    }
    airflow = AirflowServer(
        folder / "airflow", dags=DAGS, env=env, preload=("model_lifecycle.operators.approval", "mlflow")
    )
    with airflow:
        airflow.api.wait_for_dags([DAG, "ask_bob"])
        for dag in (DAG, "ask_bob"):
            airflow.api.unpause(dag)
        people = {name: AirflowApi(airflow.url, name, password) for name, password in passwords.items()}
        yield Office(airflow, scorer_server, people)


@pytest.fixture
def life(office: Office, tmp_path: Path, mlflow_connection: str, monkeypatch: pytest.MonkeyPatch) -> Life:
    """A new model in the store that the running Airflow uses."""
    monkeypatch.setenv("AIRFLOW_CONN_SCORER_DEFAULT", office.airflow.settings["AIRFLOW_CONN_SCORER_DEFAULT"])
    store = office.airflow.settings["AIRFLOW__MODEL_LIFECYCLE__STORE"]
    return Life(tmp_path, f"m{uuid4().hex[:12]}", store, office.scorer.repository)


def tag(life: Life, uri: str) -> str:
    return life.registry.get(ModelUri.parse(uri)).tags[APPROVAL_TAG]


def test_a_person_approves_what_the_table_shows_and_a_rollback_works_meanwhile(office: Office, life: Life):
    life.release(1.0, "run-1")
    life.release(2.0, "run-2")
    uri = life.version(3.0)
    run = office.ask(life, uri)
    shown = office.asked(run)
    assert shown["subject"] == f"Shall {uri} take over?"
    assert "| size |" in shown["body"]
    assert "MLmodel changed" in shown["body"].replace("\\", "") or "changed" in shown["body"]
    assert "admin triggered this run and cannot approve it" in shown["body"].replace("\\", "")
    office.parked(run)
    assert life.roll_back("incident")["serving_version"] == 1
    assert office.answer("bob", run, "Approve", "looks good to me") == 200
    assert office.ended(run) == {"ask": "success", "promote": "success"}
    decision = office.airflow.api.xcom(DAG, run, "ask")
    assert (decision["approved"], decision["by"], decision["reason"]) == (True, "bob", "looks good to me")
    assert tag(life, uri).startswith("approved by bob at ")
    newest = life.newest()
    assert (newest.last.mark, newest.last.actor["user"]) == ("approved", "bob")
    assert newest.last.evidence["approval"]["reason"] == "looks good to me"
    assert newest.state == "ROLLED_BACK", "a decision changes nothing that serves"
    assert life.release(4.0, "run-4"), "the ledger goes on after a decision"


@pytest.mark.parametrize("option", ["Approve", "Reject"])
def test_an_answer_in_the_same_second_as_the_question_is_not_lost(office: Office, life: Life, option: str):
    life.release(1.0, "run-1")
    uri = life.version(2.0)
    run = office.ask(life, uri)
    office.asked(run)
    assert office.answer("bob", run, option, "at once") == 200
    states = office.ended(run)
    (task,) = (one for one in office.airflow.api.tasks(DAG, run) if one["task_id"] == "ask")
    print(f"{option} at once: {states}, tries {task['try_number']}")
    assert states == {"ask": "success", "promote": "success" if option == "Approve" else "skipped"}
    assert tag(life, uri).endswith(": at once")


def test_who_triggered_the_run_cannot_approve_it(office: Office, life: Life):
    uri = life.release(1.0, "run-1")
    run = office.ask(life, uri)
    office.asked(run)
    office.parked(run)
    assert office.answer("admin", run, "Approve", "mine is fine") == 200
    assert office.ended(run) == {"ask": "success", "promote": "skipped"}
    assert "rejected by admin" in tag(life, uri)
    assert life.newest().last.mark == "rejected by a person"


def test_only_those_who_were_asked_may_answer_and_silence_is_a_rejection(office: Office, life: Life):
    uri = life.version(1.0)
    run = office.ask(life, uri, "ask_bob")
    office.asked(run, "ask_bob")
    assert office.answer("admin", run, "Approve", dag="ask_bob") == 403
    assert office.ended(run, "ask_bob") == {"ask": "success", "promote": "skipped"}
    assert tag(life, uri).startswith("rejected by nobody before the deadline")


def test_there_is_always_one_more_try():
    assert ModelApprovalOperator(task_id="ask", model_uri="models:/churn/1", retries=0).retries == 1
