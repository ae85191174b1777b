"""Releases on a real scorer that are judged by what a real Prometheus says, and by its silence."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.core.checks import Verdict
from model_lifecycle.core.errors import Unavailable
from model_lifecycle.core.gate import Check
from model_lifecycle.core.query import Query
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.strategy import Canary
from model_lifecycle.hooks.open_inference import OpenInferenceHook
from tests.callers import Load
from tests.faults.test_worse_versions import made
from tests.operators.life import Life
from tests.servers.prometheus import Prometheus, Pushgateway
from tests.servers.scorer import ScorerServer

SECOND = timedelta(seconds=1)
CANARY = Canary(steps=(50,), bake=6 * SECOND, soak=SECOND, interval=SECOND, pause=60 * SECOND)
PATIENT = Canary(steps=(50,), bake=60 * SECOND, soak=SECOND, interval=SECOND, pause=60 * SECOND)
"""Time enough on a slow machine; what fails ends it."""
HASTY = Canary(steps=(50,), bake=3 * SECOND, soak=SECOND, interval=SECOND, pause=3 * SECOND)
LABELS = '{model="$model", version="$version"}'
# [START query]
ERRORS = Query(
    "errors_in_prometheus",
    f"(sum(rate(scorer_errors_total{LABELS}[5s])) or vector(0)) / sum(rate(scorer_requests_total{LABELS}[5s]))",
    maximum=0.05,
)
# [END query]
SLOWNESS = Query(
    "p95_in_prometheus",
    f"histogram_quantile(0.95, sum by (le) (rate(scorer_request_seconds_bucket{LABELS}[5s])))",
    max_ratio=2,
    min_values=1,
)
EMPTY = Query("nobody_writes_this", "no_such_series_of_$model", maximum=1)


@pytest.fixture
def prometheus(
    tmp_path: Path, scorer_server: ScorerServer, pushgateway_server: Pushgateway, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Prometheus]:
    """One that may be killed, and the connection ``prometheus_default`` to it."""
    targets = {"scorer": [f"127.0.0.1:{scorer_server.port}"], "pushgateway": [pushgateway_server.address]}
    with Prometheus(tmp_path / "prometheus", scrape=targets) as server:
        extra = {"pushgateway": pushgateway_server.url, "timeout": 5}
        connection = {"conn_type": "prometheus", "host": "http://127.0.0.1", "port": server.port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(connection))
        yield server


@pytest.fixture
def load(life: Life, scorer_server: ScorerServer) -> Iterator[Load]:
    """Callers of version 1."""
    life.deploy(made(life, 1))
    load = Load(scorer_server.port, life.model, pause=0.01)
    load.start()
    yield load
    load.end()


def release(life: Life, uri: str, *checks: Check | Query, strategy: Canary = CANARY) -> Release:
    """Deploy it; whether the task failed is told by the release."""
    try:
        life.deploy(uri, "run-2", strategy=strategy, checks=checks, metrics_conn_id="prometheus_default")
    except AirflowFailException as error:
        print(error)
    return life.newest()


def beside(act: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def wait_for(life: Life, state: State) -> Release:
    """The release once it is in that state."""
    while True:
        newest = life.newest()
        if newest.state is state and newest.plan.target.version == 2:
            return newest
        time.sleep(0.1)


def verdicts(found: Release) -> list[str]:
    """What was decided at the end of each step."""
    return [entry.evidence["verdict"] for entry in found.entries if entry.state is State.JUDGING]


def shown(server: Prometheus, expression: str) -> dict[str, str]:
    """What a series shows, by state or version, once it is there."""
    while not (found := server.ask(expression)):
        time.sleep(0.2)
    return {one["metric"].get("state") or one["metric"]["version"]: one["value"][1] for one in found}


@pytest.mark.parametrize(
    ("worse", "query"),
    [
        pytest.param({"share": 0.5}, ERRORS, marks=pytest.mark.soak, id="failing"),
        pytest.param({"seconds": 1.0}, SLOWNESS, id="slow"),
    ],
)
def test_a_version_that_only_prometheus_sees_is_worse_goes_back(life: Life, load: Load, prometheus, worse, query):
    found = release(life, made(life, 2, **worse), query, strategy=PATIENT)
    assert found.state is State.ROLLED_BACK
    assert found.reason.startswith(f"{query.name}: ")
    assert life.serving.traffic(life.model) == {1: 100}
    decided = next(entry for entry in found.entries if entry.state is State.ROLLING_BACK)
    assert decided.evidence["verdict"] == Verdict.FAIL
    assert decided.evidence["looks"][-1]["answers"][query.name]["candidate"] > 0


def test_a_good_version_goes_all_the_way_and_prometheus_shows_where_it_stands(life: Life, load: Load, prometheus):
    found = release(life, made(life, 2), ERRORS, SLOWNESS)
    assert found.state is State.SUCCEEDED, found.reason
    about = f'{{endpoint="{life.endpoint}"}}'
    while shown(prometheus, f"model_lifecycle_release_state{about}") != {"SUCCEEDED": "1"}:
        time.sleep(0.2)
    assert shown(prometheus, f"model_lifecycle_release_percent{about}") == {"2": "100"}
    load.end()
    assert {reply.fault for reply in load.replies} == {None}


def test_prometheus_counts_for_an_endpoint_that_does_not(life: Life, load: Load, prometheus, monkeypatch):
    monkeypatch.setattr(OpenInferenceHook, "counts_requests", False)
    found = release(
        life, made(life, 2, share=0.6), Check("error_rate", hard_maximum=0.2, min_samples=50), strategy=PATIENT
    )
    assert (found.state, found.reason.partition(":")[0]) == (State.ROLLED_BACK, "error_rate")


@pytest.mark.parametrize(
    ("fault", "cure", "word"),
    [
        pytest.param(Prometheus.kill, Prometheus.start, "the connection failed", id="down"),
        pytest.param(
            lambda server: server.signal(SIGSTOP),
            lambda server: server.signal(SIGCONT),
            "no answer",
            marks=pytest.mark.soak,
            id="slow",
        ),
    ],
)
def test_while_prometheus_is_away_nothing_is_promoted_or_rolled_back_and_the_verdict_says_so(
    life: Life, load: Load, prometheus: Prometheus, fault, cure, word
):
    uri = made(life, 2)
    task = beside(lambda: release(life, uri, ERRORS))
    wait_for(life, State.BAKING)
    fault(prometheus)
    paused = wait_for(life, State.PAUSED)
    assert "errors_in_prometheus: POST /api/v1/query: " in paused.reason
    assert word in paused.reason
    assert verdicts(paused) == [Verdict.ERROR]
    time.sleep(3)
    assert life.newest().generation == paused.generation
    assert life.serving.traffic(life.model) == {1: 50, 2: 50}
    cure(prometheus)
    task.join()
    assert life.newest().state is State.SUCCEEDED


def test_a_query_without_a_value_promotes_nothing_and_says_that_there_is_no_data(life: Life, load: Load, prometheus):
    found = release(life, made(life, 2), EMPTY, strategy=HASTY)
    assert verdicts(found) == [Verdict.NO_DATA]
    assert State.PAUSED in [entry.state for entry in found.entries]
    assert found.state is State.ROLLED_BACK
    assert "no clear verdict" in found.reason
    assert "the query has no value" in found.reason


def test_nothing_begins_while_prometheus_is_down(life: Life, load: Load, prometheus):
    before = life.ledger.generation()
    prometheus.stop()
    with pytest.raises(Unavailable):
        release(life, made(life, 2), ERRORS)
    assert life.ledger.generation() == before
    assert life.serving.traffic(life.model) == {1: 100}


def test_a_query_that_prometheus_cannot_read_is_refused_before_anything_begins(life: Life, load: Load, prometheus):
    before = life.ledger.generation()
    with pytest.raises(AirflowFailException, match="bad_data|parse error"):
        life.deploy(
            made(life, 2),
            "run-2",
            strategy=CANARY,
            checks=[Query("typo", "sum(rate(x[5m])", maximum=1)],
            metrics_conn_id="prometheus_default",
        )
    assert life.ledger.generation() == before
