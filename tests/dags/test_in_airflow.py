"""One running Airflow: people are asked, a model is trained, a deadline passes, and lineage is told of all of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.dags.office import ASK, ASK_BOB, IN_TIME, PROMOTE, RETRAIN, Asked, Office, office
from tests.openlineage.schemas import OURS, facets, faults
from tests.servers.airflow_api import wait_until
from tests.servers.mlflow import MlflowServer
from tests.servers.scorer import ScorerServer

pytestmark = [pytest.mark.timeout(900), pytest.mark.since("3.3")]
GRAFANA = "https://grafana.example.com"


@pytest.fixture(scope="module")
def work(
    tmp_path_factory: pytest.TempPathFactory, scorer_server: ScorerServer, mlflow_server: MlflowServer
) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("office"), scorer_server, mlflow_server, GRAFANA) as opened:
        yield opened


@pytest.fixture(scope="module")
def answered(work: Office) -> dict[str, Asked]:
    """What became of each question. All are asked at once; so are the DAGs that ask nobody."""
    cases = {
        "approved": work.approved,
        "approved at once": lambda: work.answered_at_once("Approve"),
        "rejected at once": lambda: work.answered_at_once("Reject"),
        "approved by who asked": work.approved_by_who_asked,
        "nobody answered": work.nobody_answered,
    }
    with ThreadPoolExecutor(len(cases)) as threads:
        running = {name: threads.submit(case) for name, case in cases.items()}
        return {name: case.result() for name, case in running.items()}


@pytest.fixture(scope="module")
def ended(work: Office, answered: dict[str, Asked]) -> dict[str, str]:
    """The runs of the DAGs that ask nobody, at their end."""
    for dag, run in work.runs.items():
        work.api.wait_for_run(dag, run, 600)
    return work.runs


def plain(markdown: str) -> str:
    return markdown.replace("\\", "")


def test_a_person_is_shown_all_that_speaks_for_and_against_a_version(answered: dict[str, Asked]):
    asked = answered["approved"]
    assert asked.question["subject"] == f"Shall {asked.uri} take over?"
    shown = plain(asked.question["body"])
    model = asked.life.model
    for row in (
        f"|  | models:/{model}/3, the candidate | models:/{model}/2, the champion | difference |",
        "| size | ",
        "MLmodel changed",
        "outputs.sum: nothing to double |",
        "| auc | 0.75 | 0.7 | +0.05 |",
        "| trained by | life | life |",
        "| in run | run-3 | run-2 |",
        "| commit | 4be1f3a |",
        "| data of | 2013-02-01T00:00:00+00:00/2013-03-01T00:00:00+00:00 |",
        "| drift | FAIL: 3 of 9 columns drifted |",
        "admin triggered this run and cannot approve it",
    ):
        assert row in shown, shown
    assert f"| training data (SHA-256) | {asked.data_digest[:12]} |" in shown


def test_a_rollback_works_while_people_think(answered: dict[str, Asked]):
    assert answered["approved"].rolled_back_to == 1


def test_an_approval_lets_the_rest_run_and_stands_in_the_ledger_and_on_the_version(
    work: Office, answered: dict[str, Asked]
):
    asked = answered["approved"]
    assert asked.states == {"ask": "success", "promote": "success"}
    decision = work.api.xcom(ASK, asked.run, "ask")
    assert (decision["approved"], decision["by"], decision["reason"]) == (True, "bob", "looks good to me")
    assert asked.tag.startswith("approved by bob at ")
    assert asked.tag.endswith(": looks good to me")
    newest = asked.life.newest()
    assert (newest.last.mark, newest.last.actor["user"]) == ("approved", "bob")
    assert newest.last.evidence["approval"]["reason"] == "looks good to me"
    assert newest.state == "ROLLED_BACK", "a decision changes nothing that serves"


@pytest.mark.parametrize(("case", "after"), [("approved at once", "success"), ("rejected at once", "skipped")])
def test_an_answer_in_the_same_second_as_the_question_is_not_lost(answered: dict[str, Asked], case: str, after: str):
    asked = answered[case]
    assert asked.states == {"ask": "success", "promote": after}
    assert asked.tag.endswith(": at once")


def test_who_triggered_the_run_cannot_approve_it(answered: dict[str, Asked]):
    asked = answered["approved by who asked"]
    assert asked.states == {"ask": "success", "promote": "skipped"}
    assert "rejected by admin" in asked.tag
    assert asked.life.newest().last.mark == "rejected by a person"


def test_only_those_who_were_asked_may_answer_and_silence_is_a_rejection(answered: dict[str, Asked]):
    asked = answered["nobody answered"]
    assert asked.refused == 403
    assert asked.states == {"ask": "success", "promote": "skipped"}
    assert asked.tag.startswith("rejected by nobody before the deadline")


def test_a_model_was_trained_judged_and_promoted_and_a_slip_was_refused(work: Office, ended: dict[str, str]):
    states = work.api.states(RETRAIN, ended[RETRAIN])
    done = {"train", "upload", "register", "evaluate", "decide", "deploy", "monitor", "judge", "promote"}
    assert {task for task, state in states.items() if state == "success"} == done
    assert work.api.states(PROMOTE, ended[PROMOTE])["deploy"] == "failed"


def test_each_task_has_told_openlineage_when_it_began_and_how_it_ended(work: Office, ended: dict[str, str]):
    told = [(event["job"]["name"], event["eventType"]) for event in work.told()]
    for task, state in work.api.states(RETRAIN, ended[RETRAIN]).items():
        if state == "success":
            name = f"{RETRAIN}.{task}"
            assert [(name, kind) for kind in ("START", "COMPLETE")] == [one for one in told if one[0] == name]
    assert {(RETRAIN, "COMPLETE"), (PROMOTE, "FAIL"), (f"{PROMOTE}.deploy", "FAIL"), (f"{ASK}.ask", "COMPLETE")} <= {
        *told
    }


def test_every_event_and_every_facet_is_as_the_schemas_want_it(work: Office, ended: dict[str, str]):
    told = work.told()
    assert [(event["job"]["name"], event["eventType"], faults(event)) for event in told if faults(event)] == []
    print(f"{len(told)} events, {sum(1 for event in told for _ in facets(event))} facets")


def test_lineage_leads_from_the_data_to_what_callers_get(work: Office, ended: dict[str, str]):
    steps = {event["job"]["name"].partition(".")[2]: event for event in work.told() if is_end_of(event, RETRAIN)}
    assert [one["name"].rpartition("/")[2] for one in steps["upload"]["inputs"]][1:] == ["flights-2013-01.parquet"]
    assert places(steps["upload"], "outputs") == places(steps["register"], "inputs")
    version = ("model", "flights")
    assert places(steps["register"], "outputs") == [version]
    assert version in places(steps["evaluate"], "inputs")
    assert places(steps["deploy"], "inputs") == [version]
    assert places(steps["deploy"], "outputs") == [("endpoint", "scorer_default/flights")]
    found = {name: event["run"]["facets"][OURS] for name, event in steps.items() if OURS in event["run"]["facets"]}
    assert {name: one["operator"] for name, one in found.items()} == {
        "upload": "UploadModelOperator",
        "register": "RegisterModelOperator",
        "evaluate": "EvaluateModelOperator",
        "deploy": "DeployModelOperator",
        "monitor": "MonitorModelOperator",
        "promote": "PromoteModelOperator",
    }
    assert (found["evaluate"]["verdict"], found["deploy"]["state"]) == ("PASS", "SUCCEEDED")


def test_a_task_tells_at_its_start_what_it_will_read(work: Office, ended: dict[str, str]):
    starts = {event["job"]["name"]: event for event in work.told() if event["eventType"] == "START"}
    assert places(starts[f"{RETRAIN}.deploy"], "inputs") == [("model", "flights")]
    assert places(starts[f"{RETRAIN}.deploy"], "outputs") == []
    named = [place for event in starts.values() for side in ("inputs", "outputs") for place in places(event, side)]
    assert [place for place in named if "{{" in str(place) or "XCom" in str(place)] == []


def test_each_task_leads_to_its_version_its_endpoint_its_report_and_its_dashboard(work: Office, ended: dict[str, str]):
    mlflow = work.mlflow_url
    version = f"{mlflow}/#/models/flights/versions/1"
    endpoint = f"{work.airflow.url}/plugin/models?endpoint=scorer_default%2Fflights"
    board = f"{GRAFANA}/d/model-lifecycle-{{}}?var-endpoint=scorer_default%2Fflights&var-model=flights"
    release = {"MLflow version": version, "Endpoint": endpoint, "Dashboard": board.format("release")}
    links = {task: work.links(RETRAIN, ended[RETRAIN], task) for task in work.api.states(RETRAIN, ended[RETRAIN])}
    assert links["deploy"] == release
    assert links["promote"] == release
    assert links["evaluate"] == {"MLflow version": version}
    assert links["register"] == {"MLflow version": version}
    report = links["monitor"].pop("Drift report")
    assert report.startswith(mlflow)
    assert links["monitor"] == {**release, "Dashboard": board.format("drift")}
    assert links["upload"] == links["train"] == {}
    assert set(work.links(PROMOTE, ended[PROMOTE], "deploy")) == {"MLflow version", "Endpoint", "Dashboard"}


def test_a_deadline_that_passes_calls_the_alert_of_the_page(work: Office, ended: dict[str, str]):
    log = work.airflow.folder / "logs" / "triggerer.log"
    text = f"{ended[IN_TIME]}: The release has not ended within four hours."
    wait_until(lambda: text in log.read_text(), 60, log.read_text)


def test_an_approval_tells_lineage_what_was_decided(work: Office, answered: dict[str, Asked], ended: dict[str, str]):
    told = [event["run"]["facets"][OURS] for event in work.told() if is_end_of(event, ASK_BOB, "ask")]
    assert [(one["operator"], one["version"]) for one in told] == [("ModelApprovalOperator", "1")]


def is_end_of(event: dict[str, Any], dag: str, task: str = "") -> bool:
    return event["eventType"] == "COMPLETE" and event["job"]["name"].startswith(f"{dag}.{task}")


def places(event: dict[str, Any], side: str) -> list[tuple[str, str]]:
    return [(one["namespace"], one["name"]) for one in event[side]]
