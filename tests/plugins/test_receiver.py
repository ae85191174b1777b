"""The receiver in a real API server: strangers, liars and fools get nowhere, and an alert acts once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from tests.plugins.conftest import DAG, MLFLOW_SECRET, SECRET, Receiver, alert, group
from tests.servers.mlflow import MlflowServer

WRONG = {"error": "the shared secret is missing or wrong"}
UNSIGNED = {"error": "the signature is missing or wrong, or its time is not now"}
TAGGED = {"entity": "model_version_tag", "action": "set", "timestamp": "2026-11-21T21:42:06+00:00"}
TAGGED = {**TAGGED, "data": {"name": "churn", "version": "3", "key": "approved", "value": "by nobody you know"}}


def test_a_firing_alert_with_the_label_starts_a_run_that_says_why(receiver: Receiver):
    told = alert()
    answer = receiver.tell(told)
    run_id = f"alert__2026-11-21T21:42:06.123456+00:00__{told['fingerprint']}"
    result = {"fingerprint": told["fingerprint"], "outcome": "started", "dag": DAG, "run": run_id}
    assert (answer.status_code, answer.json()) == (200, {"results": [result]})
    run = receiver.runs()[run_id]
    assert run["conf"] == {
        "endpoint": "scorer_default/churn",
        "leaving": "3",
        "alert": "ErrorsOfAVersion",
        "reason": "ErrorsOfAVersion: churn 3 fails",
    }
    assert (run["state"], run["triggering_user_name"]) == ("queued", "alertmanager")


def test_the_same_firing_acts_once_whoever_tells_it_and_however_often(receiver: Receiver):
    told = alert()
    before = len(receiver.runs())
    outcomes = [receiver.tell(told).json()["results"][0]["outcome"] for _ in range(3)]
    later = {**group({**told, "annotations": {"summary": "told otherwise"}}), "receiver": "the other one"}
    outcomes.append(receiver.post(later).json()["results"][0]["outcome"])
    assert outcomes == ["started", "already", "already", "already"]
    assert len(receiver.runs()) == before + 1


def test_an_alert_that_ended_and_comes_back_is_another(receiver: Receiver):
    told = alert()
    again = {**told, "startsAt": "2026-11-21T22:42:06Z"}
    assert [receiver.tell(one).json()["results"][0]["outcome"] for one in (told, again)] == ["started", "started"]


def test_what_is_resolved_starts_nothing(receiver: Receiver):
    before = receiver.runs()
    answer = receiver.tell({**alert(), "status": "resolved", "endsAt": "2026-11-21T21:50:00Z"})
    assert (answer.status_code, answer.json()["results"][0]["outcome"]) == (200, "nothing")
    assert receiver.runs() == before


def test_another_firing_alert_is_an_event_of_its_model_once(receiver: Receiver):
    told = alert(action="retrain", severity="page")
    before = len(receiver.events("model://churn/events/alerts"))
    assert [receiver.tell(told).json()["results"][0]["outcome"] for _ in range(2)] == ["event", "already"]
    events = receiver.events("model://churn/events/alerts")
    assert len(events) == before + 1
    assert events[-1]["extra"].items() >= {"version": "3", "severity": "page", "action": "retrain"}.items()


def test_an_event_that_no_dag_waits_for_is_left_alone(receiver: Receiver):
    answer = receiver.tell(alert(action=None, model="other"))
    assert (answer.status_code, answer.json()["results"][0]["outcome"]) == (200, "nobody listens")
    assert receiver.tell(alert(action=None, model=None)).json()["results"][0]["outcome"] == "nothing"


@pytest.mark.parametrize(
    ("labels", "detail"),
    [
        ({"version": None}, "the label version is no version number"),
        ({"version": "3; rm -rf"}, "the label version is no version number"),
        ({"version": "latest"}, "the label version is no version number"),
        ({"model": None}, "the label model"),
        ({"model": "../churn"}, "the label model '../churn' is not allowed"),
        ({"model": "{{ var.value.x }}"}, "is not allowed"),
        ({"model": "other"}, "nobody says which endpoint serves other"),
        ({"endpoint": "scorer_default/other"}, "does not serve churn"),
        ({"endpoint": "scorer_default/churn/.."}, "is not an endpoint"),
        ({"endpoint": "%2e%2e/churn"}, "is not allowed"),
    ],
)
def test_labels_that_name_no_version_of_an_endpoint_are_refused(receiver: Receiver, labels, detail):
    before = receiver.runs()
    answer = receiver.tell(alert(**labels))
    (result,) = answer.json()["results"]
    assert (answer.status_code, result["outcome"]) == (422, "refused")
    assert detail in result["detail"]
    assert receiver.runs() == before


def test_an_endpoint_that_the_alert_names_wins(receiver: Receiver):
    told = alert(endpoint="scorer_blue/churn")
    run = receiver.tell(told).json()["results"][0]["run"]
    assert receiver.runs()[run]["conf"]["endpoint"] == "scorer_blue/churn"


def test_one_bad_alert_does_not_hold_up_the_others(receiver: Receiver):
    answer = receiver.tell(alert(version=None), alert())
    assert answer.status_code == 422
    assert [one["outcome"] for one in answer.json()["results"]] == ["refused", "started"]


def test_what_people_wrote_is_taken_as_text(receiver: Receiver):
    told = {**alert(), "annotations": {"summary": "{{ conn.alerts_default.password }}\n\x1b[31m" + "x" * 2000}}
    run = receiver.tell(told).json()["results"][0]["run"]
    reason = receiver.runs()[run]["conf"]["reason"]
    assert reason.startswith("ErrorsOfAVersion: {{ conn.alerts_default.password }} [31mxxx")
    assert len(reason) == 500


# Who may.


@pytest.mark.parametrize("secret", [None, "", SECRET[:-1], SECRET + "s", "S" * 32, "ö" * 32])
def test_without_the_secret_nobody_is_told_anything(receiver: Receiver, secret):
    before = receiver.runs()
    answer = receiver.post(group(alert()), secret and secret.encode().decode("latin-1"))
    assert (answer.status_code, answer.json()) == (401, WRONG)
    assert receiver.runs() == before


@pytest.mark.parametrize("header", [SECRET, f"Basic {SECRET}", "Bearer", f"Bearer {SECRET} {SECRET}"])
def test_the_secret_in_another_form_does_not_open(receiver: Receiver, header):
    answer = receiver.post(group(alert()), None, Authorization=header)
    assert (answer.status_code, answer.json()) == (401, WRONG)


def test_a_login_of_airflow_does_not_open(receiver: Receiver):
    receiver.airflow.api.dags()  # logs in
    token = receiver.airflow.api._session.headers["Authorization"]
    answer = receiver.post(group(alert()), None, Authorization=str(token), Cookie=f"_token={str(token).split()[1]}")
    assert (answer.status_code, answer.json()) == (401, WRONG)


def test_nothing_is_read_from_whoever_does_not_know_the_secret(receiver: Receiver):
    assert receiver.post(b"x" * (4 << 20), "wrong").status_code == 401


def test_a_secret_is_changed_without_a_gap_and_without_a_restart(receiver: Receiver):
    new = "n" * 40
    receiver.connect(f"{SECRET} {new}")
    assert {receiver.post(group(), one).status_code for one in (SECRET, new)} == {200}
    receiver.connect(new)
    assert [receiver.post(group(), one).status_code for one in (SECRET, new)] == [401, 200]


@pytest.mark.parametrize("password", ["", "short", f"{SECRET} short"])
def test_without_a_proper_secret_nothing_is_taken_and_the_sender_comes_again(receiver: Receiver, password):
    receiver.connect(password)
    answers = [receiver.post(group(alert()), one) for one in (password or "x", SECRET)]
    assert {answer.status_code for answer in answers} == {503}
    assert "connection alerts_default cannot be used: its password" in answers[0].json()["error"]
    assert "short" not in answers[0].json()["error"].replace("shorter", "")


def test_without_the_connection_the_sender_comes_again(receiver: Receiver):
    receiver.disconnect()
    answer = receiver.post(group(alert()))
    assert answer.status_code == 503
    assert "there is no such connection" in answer.json()["error"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("route", ["alertmanager", "mlflow"])
def test_only_a_post_is_answered(receiver: Receiver, method, route):
    headers = {"Authorization": f"Bearer {SECRET}"}
    assert requests.request(method, f"{receiver.url}/{route}", headers=headers, timeout=30).status_code == 405


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/openapi.json", "/alertmanager/x"])
def test_there_is_nothing_else_to_see(receiver: Receiver, path):
    assert requests.get(f"{receiver.url}{path}", timeout=30).status_code == 404


# What is a payload.

DEEP = b'{"version": "4", "alerts": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "the body is not JSON"),
        (b"<html>", "the body is not JSON"),
        (b"\xff\xfe", "it is not UTF-8"),
        (b"[]", "breaks the rule type"),
        (DEEP, "nested too deeply"),
        (b'{"version": "4", "alerts": [], "truncatedAlerts": NaN}', "it holds NaN"),
        (b'{"version": "4", "alerts": [], "truncatedAlerts": -Infinity}', "it holds -Infinity"),
        (b'{"version": "4", "alerts": [], "alerts": []}', "a name stands twice"),
        (b'{"version": "3", "alerts": []}', "$.version breaks the rule const"),
        (b'{"version": "4"}', "breaks the rule required"),
        (b'{"version": "4", "alerts": {}}', "$.alerts breaks the rule type"),
    ],
)
def test_what_is_no_payload_is_refused_with_its_reason(receiver: Receiver, body, error):
    answer = receiver.post(body)
    assert answer.status_code == 400
    assert error in answer.json()["error"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"fingerprint": "../../etc"}, "$.alerts[0].fingerprint breaks the rule pattern"),
        ({"startsAt": "yesterday"}, "$.alerts[0].startsAt breaks the rule pattern"),
        ({"status": "suppressed"}, "$.alerts[0].status breaks the rule enum"),
        ({"labels": {"version": 3}}, "$.alerts[0].labels.version breaks the rule type"),
        ({"labels": {"model": "x" * 9000}}, "$.alerts[0].labels.model breaks the rule maxLength"),
        ({"labels": {str(n): "x" for n in range(100)}}, "$.alerts[0].labels breaks the rule maxProperties"),
    ],
)
def test_an_alert_of_another_shape_is_refused_by_its_place(receiver: Receiver, change, place):
    answer = receiver.tell({**alert(), **change})
    assert answer.status_code == 400
    assert place in answer.json()["error"]


def test_a_day_that_does_not_exist_is_refused(receiver: Receiver):
    assert receiver.tell({**alert(), "startsAt": "2026-02-30T00:00:00Z"}).status_code == 422


def test_more_alerts_than_a_group_has_are_refused(receiver: Receiver):
    assert receiver.tell(*[alert() for _ in range(101)]).status_code == 400


def test_fields_of_a_newer_alertmanager_do_no_harm(receiver: Receiver):
    told = {**alert(), "kind": "new"}
    assert receiver.post({**group(told), "notificationReason": "first"}).status_code == 200


@pytest.mark.parametrize("declared", [True, False])
def test_a_huge_body_is_refused_before_it_is_read(receiver: Receiver, declared):
    body = b"x" * ((1 << 20) + 1)
    data = body if declared else iter([body[: 1 << 19], body[1 << 19 :]])
    headers = {"Authorization": f"Bearer {SECRET}"}
    answer = requests.post(f"{receiver.url}/alertmanager", data=data, headers=headers, timeout=30)
    assert (answer.status_code, answer.json()) == (413, {"error": "the body is longer than 1048576 bytes"})


# When Airflow cannot.


def test_while_the_dag_is_paused_the_sender_comes_again_and_then_it_acts_once(receiver: Receiver):
    told = alert()
    receiver.airflow.api.pause(DAG)
    try:
        answer = receiver.tell(told)
    finally:
        receiver.airflow.api.unpause(DAG)
    assert answer.status_code == 503
    assert answer.json()["results"][0]["detail"] == f"DAG {DAG} is paused [target {DAG}] -> unpause it"
    assert [receiver.tell(told).json()["results"][0]["outcome"] for _ in range(2)] == ["started", "already"]


# MLflow.


def test_what_mlflow_signed_is_an_event_of_its_model_once(receiver: Receiver):
    body = json.dumps(TAGGED).encode()
    headers = receiver.sign(body)
    before = len(receiver.events("model://churn/events/registry"))
    answers = [receiver.post_mlflow(body, headers) for _ in range(2)]
    assert [(one.status_code, one.json()["outcome"]) for one in answers] == [(200, "event"), (200, "already")]
    events = receiver.events("model://churn/events/registry")
    assert len(events) == before + 1
    extra = dict(events[-1]["extra"])
    assert len(extra.pop("key")) == 32
    assert extra == {"event": "model_version_tag.set", "model": "churn", "version": "3", "about": "approved"}


@pytest.mark.parametrize("age", [301, -301, 86_400])
def test_what_was_signed_at_another_time_is_refused(receiver: Receiver, age):
    body = json.dumps(TAGGED).encode()
    answer = receiver.post_mlflow(body, receiver.sign(body, age=age))
    assert (answer.status_code, answer.json()) == (401, UNSIGNED)


@pytest.mark.parametrize(
    "change",
    [
        {"X-MLflow-Signature": ""},
        {"X-MLflow-Signature": "v1,"},
        {"X-MLflow-Signature": "v2,AAAA"},
        {"X-MLflow-Timestamp": str(int(time.time()) + 60)},
        {"X-MLflow-Timestamp": "now"},
        {"X-MLflow-Timestamp": ""},
        {"X-MLflow-Delivery-Id": str(uuid4())},
        {"X-MLflow-Delivery-Id": ""},
    ],
)
def test_a_header_that_was_changed_is_refused(receiver: Receiver, change):
    body = json.dumps(TAGGED).encode()
    answer = receiver.post_mlflow(body, {**receiver.sign(body), **change})
    assert (answer.status_code, answer.json()) == (401, UNSIGNED)


def test_a_body_that_was_changed_is_refused(receiver: Receiver):
    body = json.dumps(TAGGED).encode()
    assert receiver.post_mlflow(body.replace(b"churn", b"fraud"), receiver.sign(body)).status_code == 401


def test_the_secret_of_alertmanager_signs_nothing(receiver: Receiver):
    body = json.dumps(TAGGED).encode()
    assert receiver.post_mlflow(body, receiver.sign(body, secret=SECRET)).status_code == 401


def test_what_is_about_no_model_is_nothing(receiver: Receiver):
    body = json.dumps({**TAGGED, "entity": "prompt", "action": "created"}).encode()
    answer = receiver.post_mlflow(body, receiver.sign(body))
    assert (answer.status_code, answer.json()) == (200, {"outcome": "nothing"})


def test_a_signed_name_must_be_allowed_too(receiver: Receiver):
    body = json.dumps({**TAGGED, "data": {"name": "../churn"}}).encode()
    answer = receiver.post_mlflow(body, receiver.sign(body))
    assert answer.status_code == 400
    assert "is not allowed" in answer.json()["error"]


@pytest.fixture
def telling_mlflow(tmp_path: Path, mlflow_server: MlflowServer) -> Iterator[MlflowServer]:
    """A server that may tell a receiver on this machine, by http."""
    server = MlflowServer(tmp_path / "mlflow", template=mlflow_server.root)
    server.env.update(MLFLOW_WEBHOOK_ALLOWED_SCHEMES="http,https", MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS="true")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def test_a_real_mlflow_tells_what_happens_to_a_model(receiver: Receiver, telling_mlflow: MlflowServer):
    from mlflow import MlflowClient
    from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent

    client = MlflowClient(telling_mlflow.url)
    events = [
        WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED),
        WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED),
    ]
    webhook = client.create_webhook("airflow", f"{receiver.url}/mlflow", events, secret=MLFLOW_SECRET)
    tested = client.test_webhook(webhook.webhook_id)
    assert (tested.success, tested.response_status) == (True, 200), tested.response_body
    client.create_registered_model("churn")
    before = len(receiver.events("model://churn/events/registry"))
    version = client.create_model_version("churn", "s3://nowhere/churn").version
    client.set_registered_model_alias("churn", "challenger", version)
    deadline = time.monotonic() + 30
    while len(receiver.events("model://churn/events/registry")) < before + 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    found = {
        event["extra"]["event"]: event["extra"] for event in receiver.events("model://churn/events/registry")[before:]
    }
    assert found.keys() == {"model_version.created", "model_version_alias.created"}
    assert found["model_version_alias.created"].items() >= {"alias": "challenger", "version": "1"}.items()


def test_nothing_secret_is_in_any_log(receiver: Receiver):
    receiver.tell(alert())
    receiver.post(group(alert()), "a-wrong-secret-of-somebody")
    body = json.dumps(TAGGED).encode()
    headers = receiver.sign(body)
    receiver.post_mlflow(body, headers)
    told = "".join(file.read_text(errors="replace") for file in receiver.airflow.folder.glob("logs/**/*.log"))
    assert "Denied a delivery from 127.0.0.1" in told
    assert f"MLflow's delivery {headers['X-MLflow-Delivery-Id']}" in told
    for secret in (SECRET, MLFLOW_SECRET, "a-wrong-secret-of-somebody", headers["X-MLflow-Signature"]):
        assert secret not in told
