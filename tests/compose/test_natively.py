"""The services of docker-compose.yml, started natively with the same configuration files, work together.

What needs no database and no queue of Airflow's is started here; the rest of the stack in ``test_airflow_natively.py``.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.callers import infer
from tests.compose.life import Composed
from tests.compose.native import LOOPBACK, Native, answer
from tests.compose.stack import AIRFLOW, SCORERS, SECRETS


@pytest.fixture
def composed(native: Native, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Composed:
    return Composed(native, tmp_path, monkeypatch)


def asked(native: Native, path: str) -> Any:
    status, body = answer(native.url("prometheus", 9090) + path)
    assert status == 200, body
    return json.loads(body)["data"]


def wait_until(done: Callable[[], Any], timeout: float = 120) -> Any:
    end = time.monotonic() + timeout
    while not (found := done()):
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.5)
    return found


def test_prometheus_reaches_everything_that_it_is_told_to_scrape_and_its_alertmanager(native: Native):
    def down() -> dict[str, str]:
        found = asked(native, "/api/v1/targets")["activeTargets"]
        return {one["scrapeUrl"]: one["lastError"] for one in found if one["health"] != "up"}

    wait_until(lambda: not down())
    managers = wait_until(lambda: asked(native, "/api/v1/alertmanagers")["activeAlertmanagers"])
    assert [one["url"] for one in managers] == [native.url("alertmanager", 9093) + "/api/v2/alerts"]


def test_a_version_goes_through_hdfs_and_mlflow_to_a_scorer_and_is_asked_through_haproxy(composed: Composed):
    versions = [composed.version(100.0), composed.version(200.0)]
    for uri in versions:
        composed.deploy(uri)
    status, body = answer(composed.address, infer(composed.model).body.encode())
    assert (status, json.loads(body)["outputs"][0]["data"]) == (200, [211.0, 222.0])
    assert len(composed.listed(f"/models/{composed.model}")) == 2

    # ... and who watches sees the version, the share it was given, and how the release ended.
    def seen(query: str) -> list[dict[str, str]]:
        found = asked(composed.native, f"/api/v1/query?query={query}")["result"]
        return [one["metric"] for one in found if one["metric"].get("model") == composed.model]

    def share() -> list[dict[str, str]]:
        answer(composed.address, infer(composed.model).body.encode())
        return seen("model_version:requests:rate1m%3E0")

    assert {one["version"] for one in wait_until(share)} <= {"1", "2"}
    state = wait_until(lambda: seen("model_lifecycle_release_state"))
    assert [(one["version"], one["state"]) for one in state] == [("2", "SUCCEEDED")]


def test_haproxy_leads_to_models_on_both_scorers(composed: Composed):
    composed.deploy(composed.version(300.0), "scorer_second")
    status, body = answer(composed.address, infer(composed.model).body.encode())
    assert (status, json.loads(body)["outputs"][0]["data"]) == (200, [311.0, 322.0])
    staged = [(composed.native.folder / "volumes" / "models" / name[-1] / composed.model).is_dir() for name in SCORERS]
    assert staged == [False, True]


class Receiver(HTTPServer):
    """A double of Airflow's API server: it takes what Alertmanager posts and keeps it."""

    def __init__(self, port: int) -> None:
        self.taken: list[tuple[str, str, dict[str, Any]]] = []
        taken = self.taken

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                taken.append((self.path, self.headers.get("Authorization", ""), body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__((LOOPBACK, port), Handler)


def test_alertmanager_posts_a_firing_alert_to_airflow_with_the_shared_secret(native: Native):
    labels = {"alertname": "ModelVersionErrors", "model": "m", "version": "2", "action": "rollback"}
    alert = [{"labels": labels, "startsAt": datetime.now(UTC).isoformat()}]
    with Receiver(native.ports[AIRFLOW, 8080]) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, daemon=True)
        thread.start()
        try:
            url = native.url("alertmanager", 9093) + "/api/v2/alerts"
            assert answer(url, json.dumps(alert).encode())[0] == 200
            path, secret, body = wait_until(lambda: receiver.taken)[0]
        finally:
            receiver.shutdown()
            thread.join()
    assert path == "/model-lifecycle/alerts/alertmanager"
    assert secret == f"Bearer {SECRETS['ALERT_SECRET']}"
    assert [one["labels"] for one in body["alerts"]] == [labels]


def test_what_grafana_would_ask_answers(native: Native):
    source = native.text("grafana", "http://prometheus:9090")
    assert answer(f"{source}/api/v1/query?query=up")[0] == 200
