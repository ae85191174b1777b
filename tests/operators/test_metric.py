from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.core.errors import Unavailable
from model_lifecycle.hooks import prometheus as module
from model_lifecycle.operators.metric import PrometheusMetricOperator
from tests.operators.life import context
from tests.servers.metric_doubles import AnsweringDouble, SilentDouble
from tests.servers.process import free_ports

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# 10 a minute before the moment, 0 at the moment
FALLING = f"vector(({MOMENT.timestamp():.0f} - time()) / 6)"


def ask(**arguments: Any) -> dict[str, Any]:
    return PrometheusMetricOperator(task_id="errors", **arguments).execute(context())


@pytest.fixture(autouse=True)
def connection(prometheus_connection: str) -> None:
    pass


@pytest.fixture
def lead_to(monkeypatch):
    def lead_to(port: int, **extra: Any) -> None:
        monkeypatch.setattr(module, "AGAIN", 0.1)
        connection = {"conn_type": "prometheus", "host": "127.0.0.1", "port": port, "extra": {"timeout": 0.5, **extra}}
        monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(connection))

    return lead_to


@pytest.mark.parametrize(
    ("query", "verdict", "value"),
    [
        ("vector(0.01)", "PASS", 0.01),
        ("vector(0.5)", "FAIL", 0.5),
        ("nothing_has_this_name", "NO_DATA", None),
        ("vector(NaN)", "NO_DATA", None),
        ("1 / 0", "NO_DATA", None),
    ],
)
def test_a_number_becomes_a_verdict_and_a_sick_one_does_not_fail_the_task(query, verdict, value):
    result = ask(query=query, maximum=0.02)
    (measured,) = result["measurements"]
    assert (result["verdict"], measured["value"], measured["check"]) == (verdict, value, "errors")
    assert json.loads(json.dumps(result)) == result
    assert result["query"] == query


def test_the_moment_may_be_that_of_the_run():
    result = ask(query=FALLING, maximum=1, at=(MOMENT - timedelta(minutes=1)).isoformat())
    assert (result["verdict"], result["measurements"][0]["value"]) == ("FAIL", 10.0)
    assert result["at"] == "2026-01-02T03:03:05+00:00"


def test_a_window_passes_only_if_every_number_in_it_does():
    at = MOMENT.isoformat()
    assert ask(query=FALLING, maximum=1, at=at)["verdict"] == "PASS"
    result = ask(query=FALLING, maximum=1, at=at, window=timedelta(minutes=1))
    assert (result["verdict"], result["measurements"][0]["value"]) == ("FAIL", 10.0)
    assert result["measurements"][0]["details"]["points"] == 5
    assert ask(query=FALLING, maximum=10, at=at, window=timedelta(minutes=1))["verdict"] == "PASS"


def test_a_window_with_a_hole_is_no_data():
    query = f"{FALLING} < 3"
    assert ask(query=query, maximum=10, at=MOMENT.isoformat(), window=timedelta(minutes=1))["verdict"] == "NO_DATA"


def test_too_few_samples_are_inconclusive_whatever_the_number():
    for value in (0, 1):
        result = ask(query=f"vector({value})", maximum=0.5, samples_query="vector(49)", min_samples=50)
        assert result["verdict"] == "INCONCLUSIVE"
        assert result["reason"] == "errors rests on 49 of at least 50 samples"
    assert ask(query="vector(1)", maximum=0.5, samples_query="vector(50)", min_samples=50)["verdict"] == "FAIL"
    assert ask(query="vector(1)", maximum=0.5, samples_query="no_such", min_samples=50)["verdict"] == "INCONCLUSIVE"
    assert ask(query="no_such", maximum=0.5, samples_query="vector(50)")["verdict"] == "NO_DATA"


def test_limits_come_out_of_templates():
    assert ask(query="vector(1)", minimum="0.5", maximum="None")["verdict"] == "PASS"


def test_verdicts_may_fail_the_task_and_the_evidence_stays():
    told = context()
    task = PrometheusMetricOperator(task_id="errors", query="vector(1)", maximum=0.5, fail_on=["FAIL", "NO_DATA"])
    with pytest.raises(AirflowFailException, match=r"FAIL: errors is 1, should be at most 0\.5"):
        task.execute(told)
    assert told["ti"].pushed["return_value"]["verdict"] == "FAIL"
    assert ask(query="vector(0)", maximum=0.5, fail_on=["FAIL"])["verdict"] == "PASS"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": "sum((", "maximum": 1}, "parse error"),
        ({"query": "vector(1)"}, "has neither a minimum nor a maximum"),
        ({"query": "vector(1)", "maximum": "much"}, "maximum is 'much' and no number"),
        ({"query": "vector(1)", "maximum": 1, "at": "yesterday"}, "at is 'yesterday' and no moment"),
        ({"query": "vector(1)", "maximum": 1, "at": "2026-01-02T00:00:00"}, "without a time zone"),
        ({"query": "vector(1)", "maximum": 1, "fail_on": ["BAD"]}, r"fail_on is \['BAD'\] -> a list of PASS, FAIL"),
        ({"query": "vector(1)", "maximum": 1, "fail_on": "FAIL"}, "fail_on is 'FAIL'"),
        ({"query": "vector(1)", "maximum": 1, "window": timedelta(seconds=1)}, "cannot be looked at in steps"),
        ({"query": "vector(1)", "maximum": 1, "metrics_conn_id": "nowhere"}, "there is no connection nowhere"),
    ],
)
def test_a_wrong_question_fails_the_task_for_good(arguments, message):
    with pytest.raises(AirflowFailException, match=message):
        ask(**arguments)


def test_a_prometheus_that_is_down_or_slow_is_no_verdict_and_says_which(lead_to):
    lead_to(free_ports()[0])
    with pytest.raises(Unavailable, match="the connection failed"):
        ask(query="vector(0)", maximum=1)
    with SilentDouble() as silent:
        lead_to(silent.port)
        with pytest.raises(Unavailable, match="no answer in time"):
            ask(query="vector(0)", maximum=1)


def test_the_page_of_somebody_else_is_no_number(lead_to):
    with AnsweringDouble(kind="text/html", body=b"<html>1</html>") as double:
        lead_to(double.port)
        with pytest.raises(AirflowFailException, match="answered with HTML"):
            ask(query="vector(0)", maximum=1)
