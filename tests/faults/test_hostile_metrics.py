"""A metric system that answers with far more than was asked for: one clear error, and no more memory than the limit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.prometheus import MAX_ANSWER, PrometheusHook
from tests.servers.metric_doubles import AnsweringDouble
from tests.servers.prometheus import Prometheus, Pushgateway

ASK = """
import resource, sys, time
from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.prometheus import PrometheusHook
hook = PrometheusHook("hostile")
hook.is_online()
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
try:
    hook.query(sys.argv[1])
except Invalid as error:
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{time.monotonic() - began:.2f} {grown:.0f} {error.message}")
"""


def lead_to(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    connection = {"conn_type": "prometheus", "host": "127.0.0.1", "port": port, "extra": {"timeout": 60}}
    monkeypatch.setenv("AIRFLOW_CONN_HOSTILE", json.dumps(connection))


def test_a_million_series_are_not_read_to_their_end(monkeypatch):
    one = json.dumps({"metric": {"__name__": "up", "instance": "host:9090", "number": "1234567"}, "value": [1, "1"]})
    series = ",".join([one] * 1000)
    begin = '{"status": "success", "data": {"resultType": "vector", "result": ['
    with AnsweringDouble(body=(begin + ",".join([series] * 1000) + "]}}").encode()) as double:
        assert len(double.answer[2]) > 5 * MAX_ANSWER
        lead_to(monkeypatch, double.port)
        with pytest.raises(Invalid, match=f"the answer is larger than {MAX_ANSWER} bytes, in the expression up"):
            PrometheusHook("hostile").query("up")


@pytest.mark.soak
def test_two_hundred_thousand_real_series_are_one_error_and_bounded_memory(tmp_path: Path, monkeypatch):
    text = "".join(f'many{{number="{number}",pod="pod-{number % 997}"}} 1\n' for number in range(200_000))
    with Pushgateway(tmp_path / "gateway") as gateway:
        assert gateway.get("/metrics/job/many", "PUT", text.encode())[0] == 200
        scrape = {"pushgateway": [gateway.address]}
        with Prometheus(tmp_path / "prometheus", scrape=scrape, interval="10s") as prometheus:
            prometheus.until("count(many) == 200000", timeout=120)
            lead_to(monkeypatch, prometheus.port)
            found = PrometheusHook("hostile").query("sum(many)")
            assert found == 200_000
            for expression in ("many", 'many{number=~"1.?.?.?.?"}'):
                done = subprocess.run([sys.executable, "-W", "ignore", "-c", ASK, expression], capture_output=True)
                seconds, grown, message = done.stdout.decode().splitlines()[-1].split(" ", 2)
                assert "the answer is larger" in message or "series, which differ in number" in message
                assert float(grown) < 400, seconds
