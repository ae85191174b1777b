"""The callers that the example plays: what they ask is in a real scorer's log, and what is sick is called so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from flights import callers
from flights.callers import Callers, ask_about, logged_hours

from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.core.monitoring import Coverage, Quality
from model_lifecycle.hooks.routed import routed
from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.operators.monitor import MonitorModelOperator
from model_lifecycle.operators.profile import ProfileDataOperator
from tests import models
from tests.operators.life import Life, context
from tests.servers.scorer import ScorerServer


@pytest.fixture
def logging_life(tmp_path: Path, mlflow_connection: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    """A model on a scorer of its own, which logs all that it answers into the model store."""
    store, model = (tmp_path / "store").as_uri(), f"m{uuid4().hex[:12]}"
    flags = ("--log-predictions", store, "--log-share", "1", "--log-seconds", "1")
    with ScorerServer(tmp_path / "repository", tmp_path / "scorer.log", *flags) as server:
        extra = {"repository": str(server.repository), "trust": "code"}
        connection = {"conn_type": "open_inference", "host": "http://127.0.0.1", "port": server.port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SCORER_DEFAULT", json.dumps(connection))
        monkeypatch.setattr(callers, "MODEL", model)
        yield Life(tmp_path, model, store, server.repository)


@pytest.fixture
def flights(tmp_path: Path) -> str:
    """A month of 700 rows whose labels are about what the first model answers."""
    x = [float(number % 17) for number in range(700)]
    frame = pd.DataFrame({"x": x, "y": [1.0] * 700, "late": [value + 3 + (value % 3) / 50 for value in x]})
    frame.to_parquet(tmp_path / "month.parquet")
    return str(tmp_path / "month.parquet")


def ask(life: Life, flights: str) -> dict[str, Any]:
    return ask_about(4, flights, life.folder / "labels")


def test_what_was_asked_is_logged_profiled_and_joined_with_the_labels_that_came(
    logging_life: Life, flights: str
) -> None:
    life = logging_life
    with pytest.raises(NotFound, match="nothing serves"):
        ask(life, flights)
    model_uri = life.release(2.0, "run-1")
    asked = ask(life, flights)
    assert (asked["model_uri"], asked["answered"], asked["sick"]) == (model_uri, 700, "")
    labels = pd.read_parquet(asked["labels"])
    assert (len(labels), labels["request_id"][1]) == (595, "2013-04-000001")
    hours = logged_hours(asked, life.store_uri)
    assert 1 <= len(hours) <= 2
    reference = ProfileDataOperator(task_id="r", data=flights, name=life.model, store=life.store_uri)
    common = {"name": life.model, "between": asked["window"], "store": life.store_uri}
    task = ProfileDataOperator(task_id="p", data=hours, reference=reference.execute(context("r")), **common)
    assert json.loads(life.store.read_document(task.execute(context("p"))))["rows"] == 700
    monitor = MonitorModelOperator(
        task_id="monitor", endpoint=life.endpoint, predictions="log://", labels=asked["labels"], target="late",
        window=asked["window"], checks=[Coverage(0.8), Quality("mae", min_samples=500)], store=life.store_uri,
    )  # fmt: skip
    verdict = monitor.execute(context("monitor"))
    found = {one["check"]: one for one in verdict["measurements"]}
    assert (found["coverage"]["samples"], found["coverage"]["value"]) == (700, 0.85)
    assert verdict["verdict"] == "PASS", verdict["reason"]


def test_an_endpoint_that_refuses_is_sick_and_is_not_asked_for_ever(logging_life: Life, flights: str) -> None:
    life = logging_life
    body = "assert rows['x'].max() < 9, 'too many'; return rows['x'] + rows['y']"
    source = models.scripted(life.folder / "brittle", body)
    life.deploy(life.register(life.upload(source)), inputs=models.INPUTS)
    asked = ask(life, flights)
    assert "requests failed: " in asked["sick"]
    assert "too many" in asked["sick"]
    failed = int(asked["sick"].split()[0])
    assert callers.ENOUGH <= failed < callers.ENOUGH + callers.THREADS
    assert logged_hours({**asked, "answered": 10_000}, life.store_uri, patience=0)


def test_callers_go_through_the_router_if_there_is_one_and_need_a_server_that_takes_ids(
    haproxy_connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = {"conn_type": "open_inference", "host": "http://127.0.0.1", "port": 1}
    monkeypatch.setenv("AIRFLOW_CONN_SCORER_DEFAULT", json.dumps(at))
    direct = serving_hook("scorer_default")
    behind = Callers(routed(direct, haproxy_connection), "flights")  # type: ignore[arg-type]
    assert (behind.session.conn_id, behind.path) == (haproxy_connection, "/flights")
    assert Callers(direct, "flights").path == "/v2/models/flights/infer"
    monkeypatch.setenv(
        "AIRFLOW_CONN_SCORER_DEFAULT", json.dumps({"conn_type": "torchserve", "host": "http://127.0.0.1"})
    )
    with pytest.raises(Invalid, match="does not speak"):
        Callers(serving_hook("scorer_default"), "flights")


def test_the_hours_of_a_window_are_patterns_that_may_match_nothing(tmp_path: Path) -> None:
    window = [datetime(2026, 3, 1, hour, 30, tzinfo=UTC).isoformat() for hour in (1, 3)]
    found = logged_hours({"window": window, "answered": 0}, (tmp_path / "store").as_uri())
    day = f"{(tmp_path / 'store').as_uri()}/_predictions/flights/2026-03-01"
    assert found == [f"{day}/{hour}/*.parquet" for hour in ("01", "02", "03")]
