from __future__ import annotations

import json

import pytest

from tests.cli.asking import Ask, run
from tests.operators.life import Life
from tests.servers.process import free_ports


def test_the_status_says_what_serves_since_when_and_the_way_back(old: Life, ask_old: Ask):
    began = next(one for one in old.ledger.releases() if one.plan.change == "deploy").last.at
    (row,) = ask_old("status")
    assert row == {
        "endpoint": old.endpoint,
        "serves": 4,
        "since": began.isoformat(timespec="seconds"),
        "traffic": {"4": 100},
        "newest_release": "promote 4: SUCCEEDED",
        "reason": row["reason"],
        "way_back": 3,
        "health": "well",
        "problems": [],
    }


def test_traffic_that_somebody_moved_is_a_problem(old: Life, ask_old: Ask):
    old.serving.route(old.model, {3: 50, 4: 50})
    (row,) = ask_old("status")
    old.serving.route(old.model, {4: 100})
    assert (row["traffic"], row["health"]) == ({"3": 50, "4": 50}, "sick")
    assert row["problems"] == [
        "the ledger says that version 4 serves; callers are sent to version 3: 50 %, version 4: 50 %"
    ]


def test_a_server_that_is_away_is_a_row_that_says_so(old: Life, ask_old: Ask, monkeypatch):
    away = {"conn_type": "open_inference", "host": "http://127.0.0.1", "port": free_ports()[0], "password": "sesame"}
    away["extra"] = {"repository": str(old.repository), "timeout": 0.1}
    monkeypatch.setenv("AIRFLOW_CONN_SCORER_DEFAULT", json.dumps(away))
    (row,) = ask_old("status")
    assert (row["serves"], row["traffic"]) == (4, None)
    (problem,) = row["problems"]
    assert row["health"] == "unknown"
    assert "127.0.0.1" in problem
    assert "sesame" not in problem


def test_a_rollback_counts_since_it_ended_leaves_no_way_back_and_its_history_names_who_acted(life: Life, ask: Ask):
    life.release(1.0, "run-1")
    life.release(2.0, "run-2")
    life.roll_back(reason="callers complain")
    (row,) = ask("status", life.endpoint)
    assert (row["serves"], row["way_back"], row["reason"]) == (1, None, "callers complain")
    assert row["since"] == life.newest().last.at.isoformat(timespec="seconds")
    rows = ask("history", life.endpoint, "--limit", 100)
    assert [row["generation"] for row in rows] == list(range(1, life.ledger.generation() + 1)), "the oldest first"
    assert (rows[0]["state"], rows[-1]["state"]) == ("PENDING", "ROLLED_BACK")
    assert {row["who"] for row in rows if row["change"] == "rollback"} == {"alice by life.roll_back"}
    assert "callers complain" in {row["reason"] for row in rows}
    assert {row["change"] for row in ask("history", life.endpoint, "--limit", 1)} == {"rollback"}


@pytest.mark.parametrize("name", ["status", "history"])
def test_an_endpoint_without_history_is_one_clear_line(life: Life, name: str):
    with pytest.raises(SystemExit, match="nothing was ever released"):
        run(name, life.endpoint, "--store", life.store_uri)
