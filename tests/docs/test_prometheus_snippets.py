"""The code of docs/prometheus.md, docs/metric.md and docs/wait-for-health.md, run against real servers."""

from __future__ import annotations

import json
import re
import urllib.request
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from model_lifecycle.core.checks import Measurement, Verdict, report
from model_lifecycle.core.samples import report_samples
from model_lifecycle.hooks.envoy import EnvoyHook
from model_lifecycle.hooks.metrics import metrics_hook
from model_lifecycle.hooks.prometheus import PrometheusHook
from model_lifecycle.operators.metric import PrometheusMetricOperator
from model_lifecycle.sensors.health import ModelHealthSensor
from model_lifecycle.testing.small_backends import SmallBackend
from tests import models
from tests.house.pages import DOCS, blocks
from tests.operators.life import context
from tests.servers.envoy import EnvoyServer
from tests.servers.mlserver import MLServerServer
from tests.servers.prometheus import Prometheus

PAGE = "prometheus.md"


def mapping(contains: str) -> dict[str, str]:
    """The extra ``counts`` of the block of the page that holds a text."""
    texts = [block.text for block in blocks(PAGE, (DOCS / PAGE).read_text()) if block.language == "json"]
    (text,) = [text for text in texts if contains in text]
    return json.loads(text)["counts"]


def connect(monkeypatch: pytest.MonkeyPatch, server: Prometheus, **extra: Any) -> PrometheusHook:
    connection = {"conn_type": "prometheus", "host": "127.0.0.1", "port": server.port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MAPPED", json.dumps(connection))
    return PrometheusHook("mapped")


def scraping(folder: Path, port: int, path: str) -> Prometheus:
    job = {"job_name": "it", "metrics_path": path, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    return Prometheus(folder, {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]})


def test_the_counts_of_envoy_are_those_that_envoy_tells_its_hook(envoy_server: EnvoyServer, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ENVOY_MAPPED", envoy_server.connection)
    envoy, backend, model = EnvoyHook("envoy_mapped"), SmallBackend(7), f"m-{uuid4().hex[:8]}"
    envoy.attach(model, 7, backend.url)
    envoy.route(model, {7: 100})
    for backend.status in (200, 200, 200, 500, 400, 0):
        caller = HTTPConnection("127.0.0.1", envoy_server.port)
        caller.request("POST", f"/{model}", b"{}")
        caller.getresponse().read()
        caller.close()
    expected = envoy.counts(model)[7]
    with scraping(tmp_path, envoy_server.admin, "/stats/prometheus") as server:
        server.until(f'envoy_cluster_upstream_rq_completed{{envoy_cluster_name="{model}/7"}} >= 6')
        found = connect(monkeypatch, server, counts=mapping("envoy_cluster_name")).counts(model)
    backend.stop()
    assert list(found) == [7]
    assert (found[7].requests, found[7].errors, found[7].refused) == (6, 2, 1)
    assert (found[7].requests, found[7].errors) == (expected.requests, expected.errors)
    assert {bound for bound, count in found[7].latency.items() if count} <= {*expected.latency}
    assert sum(found[7].latency.values()) == sum(expected.latency.values())


def test_the_counts_of_mlserver_are_those_of_the_models_that_are_its_versions(
    mlserver_server: MLServerServer, tmp_path, monkeypatch
):
    name = "mapped.7"
    mlserver_server.add_model(name, models.linear(mlserver_server.repository / name, 0, outputs=True))

    def post(path: str, body: bytes) -> None:
        urllib.request.urlopen(
            urllib.request.Request(mlserver_server.url + path, body, {"Content-Type": "application/json"}), timeout=60
        ).close()

    post(f"/v2/repository/models/{name}/load", b"{}")
    column = {"shape": [1, 1], "datatype": "FP64", "data": [1]}
    post(f"/v2/models/{name}/infer", json.dumps({"inputs": [{"name": n, **column} for n in ("x", "y")]}).encode())
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(f"/v2/models/{name}/infer", b'{"inputs": []}')
    refused.value.close()
    port = json.loads((mlserver_server.repository / "settings.json").read_text())["metrics_port"]
    with scraping(tmp_path, port, "/metrics") as server:
        server.until(f'model_infer_request_success_total{{model="{name}"}}')
        found = connect(monkeypatch, server, counts=mapping("model_infer_request")).counts("mapped")
    assert list(found) == [7]
    assert (found[7].requests, found[7].errors) == (2, 1)


def test_a_number_is_asked_for_in_a_task_of_ones_own(prometheus_connection: str):
    # [START hook]
    prometheus = metrics_hook("prometheus_default")
    prometheus.is_online()
    slowest = prometheus.query('max(model_version:latency_seconds:p95_5m{model="churn"})')
    if slowest is None:
        print("nobody asked churn in the last five minutes")
    # [END hook]
    assert slowest is None


def test_a_report_is_published(prometheus_connection: str):
    verdict = report([Measurement("log_loss", Verdict.PASS, 0.4, 900)], endpoint="scorer_default/churn", version=7)
    # [START publish]
    endpoint = {"endpoint": verdict["endpoint"]}
    samples = report_samples(verdict, at=datetime.now(UTC))
    metrics_hook("prometheus_default").publish("monitor_churn", endpoint, samples)
    # [END publish]
    assert len(samples) == 4


def test_an_operator_judges_an_error_ratio(prometheus_connection: str):
    # [START metric]
    errors = PrometheusMetricOperator(
        task_id="errors",
        query='max(model_version:error_ratio:rate5m{model="{{ params.model }}"})',
        maximum=0.01,
        samples_query='sum(increase(scorer_requests_total{model="{{ params.model }}"}[5m]))',
        min_samples=200,
        metrics_conn_id="prometheus_default",
    )
    # [END metric]
    assert set(re.findall(r"params\.\w+", errors.query + str(errors.samples_query))) == {"params.model"}
    errors.query = errors.query.replace("{{ params.model }}", "churn")
    errors.samples_query = str(errors.samples_query).replace("{{ params.model }}", "churn")
    assert errors.execute(context())["verdict"] == "NO_DATA"


def test_a_sensor_waits_for_health_that_lasts(prometheus_connection: str):
    # [START health]
    healthy = ModelHealthSensor(
        task_id="healthy",
        query='max(model_version:error_ratio:rate5m{model="{{ params.model }}"})',
        maximum=0.01,
        lasting=timedelta(minutes=10),
        metrics_conn_id="prometheus_default",
        poke_interval=15,
        timeout=3600,
    )
    # [END health]
    healthy.query = "vector(0)"
    assert healthy.execute(context())["highest"] == 0.0
