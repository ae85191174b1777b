from __future__ import annotations

import json
from typing import Any

import pytest

from model_lifecycle.core.checks import Measurement, Verdict, report
from model_lifecycle.core.drift import ColumnDrift, Finding
from model_lifecycle.operators.results import publish_result
from tests.servers.process import free_ports
from tests.servers.prometheus import Pushgateway


def result(endpoint: str) -> dict[str, Any]:
    found = Measurement("log_loss", Verdict.FAIL, 0.61, 900, "worse")
    return report([found], endpoint=endpoint, version=3)


def test_what_was_found_stands_in_the_pushgateway(prometheus_connection: str, pushgateway_server: Pushgateway):
    drifts = [ColumnDrift("temp", Finding.DRIFTED, 900, js=0.4, ks=0.3)]
    assert publish_result(prometheus_connection, "results_test", result("scorer/told"), drifts)
    lines = [line for line in pushgateway_server.get("/metrics")[1].decode().splitlines() if "scorer/told" in line]
    about = 'endpoint="scorer/told",instance="",job="results_test",model="told"'
    assert f'model_lifecycle_check_failed{{check="log_loss",critical="true",{about},version="3"}} 1' in lines
    assert f'model_lifecycle_drift_distance{{column="temp",{about},statistic="js",version="3"}} 0.4' in lines


@pytest.mark.parametrize("extra", [{}, {"pushgateway": f"http://127.0.0.1:{free_ports()[0]}", "timeout": 1}])
def test_a_verdict_is_not_lost_because_nobody_could_be_told(extra, monkeypatch, caplog):
    connection = {"conn_type": "prometheus", "host": "http://127.0.0.1", "port": 9, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(connection))
    assert not publish_result("prometheus_default", "results_test", result("scorer/untold"))
    assert "Nobody could be told" in caplog.text
