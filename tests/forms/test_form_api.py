"""The forms as Airflow's own user interface gets them, and the button of a form as it is pressed there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from model_lifecycle.connection_forms import connection_types
from tests.servers.airflow import ADMIN, AirflowServer
from tests.servers.process import free_ports


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, requests.Session]]:
    """The API server of an Airflow that allows to test connections, and a session that is logged in."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "dags").mkdir()
    env = {"AIRFLOW__CORE__TEST_CONNECTION": "Enabled"}
    with AirflowServer(folder / "home", dags=folder / "dags", env=env, components=()) as server:
        session = requests.Session()
        session.trust_env = False
        login = {"username": ADMIN, "password": server.password}
        token = session.post(f"{server.url}/auth/token", json=login, timeout=60).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        yield server.url, session


@pytest.mark.since("3.2")
def test_every_form_is_shown_with_its_fields(airflow: tuple[str, requests.Session]) -> None:
    url, session = airflow
    shown = {one["connection_type"]: one for one in session.get(f"{url}/ui/connections/hook_meta", timeout=120).json()}
    for ours in connection_types():
        form = shown[ours["connection-type"]]
        assert form["hook_name"] == ours["hook-name"]
        assert set(form["extra_fields"]) == set(ours["conn-fields"])
        behaviour = ours["ui-field-behaviour"]
        for field, text in behaviour["placeholders"].items():
            assert form["standard_fields"][field]["placeholder"] == text
    assert shown["model_alerts"]["extra_fields"]["mlflow_secret"]["schema"]["format"] == "password"
    assert shown["mlflow"]["extra_fields"]["verify"]["value"] is True


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"conn_type": "mlflow", "host": "http://mlfow.invalid"}, "the host's name cannot be resolved"),
        ({"conn_type": "mlflow", "host": "http://127.0.0.1", "port": "gone"}, "nothing listens there"),
        ({"conn_type": "haproxy", "host": "http://127.0.0.1", "port": "gone"}, "nothing listens there"),
        ({"conn_type": "webhdfs", "host": "127.0.0.1", "port": "gone"}, "nothing listens there"),
        ({"conn_type": "model_alerts"}, "nobody may send alerts"),
        ({"conn_type": "mlflow", "host": "http://127.0.0.1", "port": "airflow"}, "is this the right server"),
        ({"conn_type": "mlflow", "host": "https://127.0.0.1", "port": "airflow"}, "the server speaks no TLS"),
        (
            {"conn_type": "mlflow", "host": "http://127.0.0.1", "extra": json.dumps({"ca": "/no/ca.pem"})},
            "the extra ca names no file that exists here",
        ),
    ],
)
def test_the_button_says_what_failed(airflow: tuple[str, requests.Session], fields: dict[str, Any], said: str) -> None:
    url, session = airflow
    ports = {"gone": free_ports()[0], "airflow": int(url.rpartition(":")[2])}
    body = {"connection_id": "tried", **fields}
    if "port" in body:
        body["port"] = ports[body["port"]]
    answer = session.post(f"{url}/api/v2/connections/test", json=body, timeout=120).json()
    assert answer["status"] is False
    assert said in answer["message"]


def test_the_button_says_what_answered(airflow: tuple[str, requests.Session]) -> None:
    url, session = airflow
    body = {"connection_id": "tried", "conn_type": "model_alerts", "password": "0123456789abcdef"}
    answer = session.post(f"{url}/api/v2/connections/test", json=body, timeout=120).json()
    assert answer == {"status": True, "message": "secrets: 1 in the password; endpoints of 0 models"}
