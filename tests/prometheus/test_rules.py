"""The rules that are shipped, asked of promtool: they are right, every alert is tested, and the example reads them."""

from __future__ import annotations

import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from tests.servers.haproxy import HaproxyServer
from tests.servers.process import Server, free_ports
from tests.servers.prometheus import Prometheus

SHIPPED = Path(str(files("model_lifecycle") / "prometheus"))
HERE = Path(__file__).parent
RULES = [SHIPPED / "recording_rules.yml", SHIPPED / "alert_rules.yml"]


def promtool(*arguments: str | Path) -> str:
    done = subprocess.run(["/usr/bin/promtool", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alerts() -> list[dict]:
    groups = yaml.safe_load((SHIPPED / "alert_rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def cases_of_alerts() -> list[dict]:
    cases = [case for file in HERE.glob("*.test.yml") for case in yaml.safe_load(file.read_text())["tests"]]
    return [test for case in cases for test in case.get("alert_rule_test", [])]


def test_the_rules_are_right():
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)


@pytest.mark.parametrize("file", sorted(HERE.glob("*.test.yml")), ids=lambda file: file.stem)
def test_the_rules_do_what_their_tests_say(file):
    promtool("test", "rules", file)


def test_the_example_configuration_is_right_and_reads_the_rules():
    assert promtool("check", "config", SHIPPED / "prometheus.yml").count("SUCCESS") == 4


def test_every_alert_fires_in_a_test_and_says_what_to_do():
    assert {rule["alert"] for rule in alerts()} == {one["alertname"] for one in cases_of_alerts() if one["exp_alerts"]}
    for rule in alerts():
        assert rule["labels"]["severity"] in {"warning", "critical"}, rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}, rule["alert"]


def test_only_what_names_a_model_and_a_version_asks_for_a_rollback():
    """The labels of an alert are those of its series; the tests of promtool show them."""
    labels = [one["exp_labels"] for test in cases_of_alerts() for one in test["exp_alerts"]]
    rolling = [one for one in labels if one.get("action") == "rollback"]
    assert rolling
    assert all({"model", "version"} <= one.keys() and one["severity"] == "critical" for one in rolling)


def test_a_real_prometheus_takes_the_rules(tmp_path):
    with Prometheus(tmp_path, rules=RULES) as server:
        groups = server.api("/api/v1/rules")["groups"]
    found = [rule["name"] for group in groups for rule in group["rules"]]
    assert {rule["alert"] for rule in alerts()} <= set(found)
    assert "model_version:error_ratio:rate5m" in found


def test_every_threshold_is_told_on_the_page():
    page = (HERE.parents[1] / "docs" / "prometheus.md").read_text()
    assert [rule["alert"] for rule in alerts() if f"`{rule['alert']}`" not in page] == []
    recorded = re.findall(r"record: (\S+)", (SHIPPED / "recording_rules.yml").read_text())
    assert [name for name in recorded if f"`{name}`" not in page] == []


def test_haproxy_shows_its_metrics_where_the_example_asks(tmp_path):
    haproxy = HaproxyServer(tmp_path)
    port = free_ports()[0]
    more = str(files("model_lifecycle") / "routers" / "haproxy_metrics.cfg")
    command = [*haproxy.command, "-f", more]
    env = {**haproxy.env, "MODELS_METRICS": f"127.0.0.1:{port}"}
    server = Server("HAProxy", command, log=tmp_path / "log", ready=haproxy.ready, env=env)
    config = {"scrape_configs": [{"job_name": "haproxy", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}]}
    try:
        server.start()
        with Prometheus(tmp_path / "prometheus", {"global": {"scrape_interval": "1s"}, **config}) as prometheus:
            assert prometheus.until('up{job="haproxy"} == 1')
            assert prometheus.until("haproxy_process_uptime_seconds")
    finally:
        server.stop()
        haproxy.remove()
