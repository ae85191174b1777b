"""What only the scorer has, on a real one; its loads and traffic are proven in test_open_inference."""

from __future__ import annotations

import math
from uuid import uuid4

import pytest
from tenacity import Retrying, stop_after_delay, wait_fixed

from model_lifecycle.core.counts import BUCKETS, Counts
from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.answers import reading
from model_lifecycle.hooks.scorer_calls import ScorerCalls, read_counts
from model_lifecycle.hooks.session import ConnectionSession
from tests import models


@pytest.fixture
def calls(scorer_server) -> ScorerCalls:
    from airflow.sdk import Connection

    connection = Connection(conn_id="s", conn_type="open_inference", host="http://127.0.0.1", port=scorer_server.port)
    return ScorerCalls(ConnectionSession(connection))


def test_counts_hold_every_request_by_its_version_and_how_it_ended(calls, scorer_server, tmp_path):
    model = f"m{uuid4().hex[:12]}"
    models.stage(scorer_server.repository, model, 1, models.linear(tmp_path / "1", 1))
    models.stage(scorer_server.repository, model, 2, models.failing(tmp_path / "2"))
    for version in (1, 2):
        calls.change("load", model, version)
    for attempt in Retrying(stop=stop_after_delay(60), wait=wait_fixed(0.1)):
        with attempt:
            assert {state for state, _ in calls.states(model).values()} == {"READY"}
    for _ in range(3):
        calls.infer(model, 1, _tensors("x", "y"))
    for version, columns in ((1, "x"), (2, "xy"), (2, "xy")):
        with pytest.raises(Invalid):
            calls.infer(model, version, _tensors(*columns))
    counts = calls.counts(model)
    assert {version: (one.requests, one.errors, one.refused) for version, one in counts.items()} == {
        1: (4, 0, 1),
        2: (2, 2, 0),
    }
    assert all(sum(one.latency.values()) == one.requests for one in counts.values())
    assert set(counts[1].latency) == set(BUCKETS)
    assert calls.counts(f"{model}-other") == {}


def _tensors(*names: str) -> list[dict[str, object]]:
    return [{"name": name, "shape": [1], "datatype": "FP64", "data": [1.0]} for name in names]


def test_cumulative_buckets_become_single_ones():
    text = "\n".join(
        [
            "# TYPE scorer_requests counter",
            'scorer_requests_total{model="m",version="3"} 7.0',
            'scorer_requests_total{model="n",version="3"} 9.0',
            "# TYPE scorer_errors counter",
            'scorer_errors_total{model="m",version="3",status="503"} 1.0',
            'scorer_errors_total{model="m",version="3",status="500"} 1.0',
            'scorer_errors_total{model="m",version="3",status="404"} 2.0',
            "# TYPE scorer_request_seconds histogram",
            'scorer_request_seconds_bucket{model="m",version="3",le="0.1"} 4.0',
            'scorer_request_seconds_bucket{model="m",version="3",le="0.5"} 4.0',
            'scorer_request_seconds_bucket{model="m",version="3",le="+Inf"} 7.0',
            "",
        ]
    )
    assert read_counts(text, "m") == {3: Counts(7, 2, 2, {0.1: 4, 0.5: 0, math.inf: 3})}


@pytest.mark.parametrize(
    "text",
    [
        'scorer_requests_total{model="m",version="three"} 1.0\n',
        'scorer_requests_total{model="m"} 1.0\n',
        "<html>sign in</html>\n",
    ],
)
def test_what_are_no_such_metrics_is_invalid(text):
    with pytest.raises(Invalid, match="none of the scorer's"), reading("GET /metrics", "the scorer", "srv"):
        read_counts(text, "m")
