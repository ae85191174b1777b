from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk.module_loading import import_string

from model_lifecycle.core.errors import Invalid, Rejected, Unavailable
from model_lifecycle.hooks import prometheus as module
from model_lifecycle.triggers.health import HealthTrigger, ask_health
from tests.servers.metric_doubles import SilentDouble
from tests.servers.process import free_ports
from tests.servers.prometheus import Prometheus, Pushgateway, backfill

NEVER = 1e12


def question(query: str, **more: Any) -> dict[str, Any]:
    asked = {"metrics_conn_id": "prometheus_default", "query": query, "minimum": None, "maximum": 0.02}
    return {**asked, "lasting": 60.0, "step": 15.0, "deadline": NEVER, **more}


@pytest.fixture
def lead_to(monkeypatch):
    def lead_to(port: int) -> None:
        monkeypatch.setattr(module, "AGAIN", 0.1)
        connection = {"conn_type": "prometheus", "host": "127.0.0.1", "port": port, "extra": {"timeout": 0.5}}
        monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(connection))

    return lead_to


def test_a_number_that_stayed_within_its_limits_is_the_answer_with_its_evidence(prometheus_connection):
    found = ask_health(**question("vector(0.01)"))
    assert found is not None
    assert (found["query"], found["points"], found["lowest"], found["highest"]) == ("vector(0.01)", 5, 0.01, 0.01)


@pytest.mark.parametrize("query", ["vector(0.5)", "vector(NaN)", "1 / 0", "nothing_has_this_name"])
def test_sick_numbers_and_no_data_are_asked_again_and_the_last_look_says_which_it_was(prometheus_connection, query):
    assert ask_health(**question(query)) is None
    reason = "FAIL: the number is 0.5" if query == "vector(0.5)" else "NO_DATA: the number has no value"
    with pytest.raises(Rejected, match=f"not healthy before the time-out: {reason}"):
        ask_health(**question(query, deadline=0.0))


def test_one_bad_moment_in_the_past_begins_the_wait_anew(tmp_path, lead_to):
    server = Prometheus(tmp_path)
    now = time.time() - time.time() % 15
    moments = [now - 15 * number for number in range(240, -8, -1)]  # an hour, and what the test itself takes
    backfill(
        server,
        {
            "healed": [(at, 0.5 if at < now - 300 else 0.0) for at in moments],
            "was_away": [(at, 0.0) for at in moments if not now - 1500 < at < now - 600],
        },
    )
    with server:
        lead_to(server.port)
        assert ask_health(**question("healed", lasting=240.0)) is not None
        assert ask_health(**question("healed", lasting=600.0)) is None
        # Prometheus repeats a number for 5 minutes; of the hole of 15 minutes ten are left.
        assert ask_health(**question("was_away", lasting=540.0)) is not None
        assert ask_health(**question("was_away", lasting=1000.0)) is None


def test_a_series_that_is_young_is_not_healthy_yet(prometheus_connection, pushgateway_server: Pushgateway, caplog):
    name = f"young_{uuid4().hex}"
    pushgateway_server.get(f"/metrics/job/{name}", "PUT", f"{name} 0\n".encode())
    with caplog.at_level(logging.INFO):
        assert ask_health(**question(name)) is None
    assert "NO_DATA" in caplog.text


def test_a_wrong_question_ends_the_wait_at_once(prometheus_connection):
    with pytest.raises(Invalid, match="parse error"):
        ask_health(**question("sum(("))
    with pytest.raises(Invalid, match="cannot be looked at in steps"):
        ask_health(**question("vector(1)", lasting=1.0))


def test_a_prometheus_that_is_down_or_slow_is_asked_again_and_named_at_the_last_look(lead_to):
    lead_to(free_ports()[0])
    with pytest.raises(Unavailable, match="the connection failed"):
        ask_health(**question("vector(0)"))
    with pytest.raises(Rejected, match="not healthy before the time-out: .*the connection failed"):
        ask_health(**question("vector(0)", deadline=0.0))
    with SilentDouble() as silent:
        lead_to(silent.port)
        with pytest.raises(Rejected, match="not healthy before the time-out: .*no answer in time"):
            ask_health(**question("vector(0)", deadline=0.0))


def test_the_trigger_comes_back_from_the_database_as_it_went_in_and_yields_one_event(prometheus_connection):
    trigger = HealthTrigger(0.01, **question("vector(0)"))
    path, arguments = json.loads(json.dumps(trigger.serialize()))
    again = import_string(path)(**arguments)
    assert again.serialize() == trigger.serialize()
    event = asyncio.run(anext(again.run())).payload
    assert (event["status"], event["answer"]["highest"]) == ("found", 0.0)
