"""Counts out of a real Prometheus with a past: instances that begin again, go away and come back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from model_lifecycle.core.counts import Counts
from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.prometheus import PrometheusHook
from model_lifecycle.hooks.prometheus_counts import CountQueries
from tests.servers.prometheus import Prometheus, backfill

SCRAPES = 200
STEP = 15


def history(*runs: tuple[int, int, int], gap: int = 0) -> list[int | None]:
    """A counter's numbers, scrape by scrape: ``(first, per scrape, scrapes)`` of each life, ``gap`` missed between."""
    found: list[int | None] = []
    for first, by, scrapes in runs:
        found += [None] * (gap if found else 0) + [first + by * number for number in range(scrapes)]
    return found


HISTORIES = {
    # one instance runs through, the other is killed and is back after 4 scrapes
    "restarted": {"a": history((0, 2, SCRAPES)), "b": history((0, 2, 100), (0, 2, SCRAPES - 104), gap=4)},
    "twice": {"a": history((5, 1, 50), (0, 1, 70), (0, 1, 80))},
    "gone": {"a": history((0, 2, SCRAPES)), "b": history((0, 2, 60))},
    "away": {"a": history((0, 2, 50), (0, 2, SCRAPES - 50 - 120), gap=120)},  # half an hour
    "steady": {"a": history((0, 3, SCRAPES)), "b": history((0, 3, SCRAPES))},
    "new": {"a": [None] * (SCRAPES - 1) + [7]},
}
EXPECTED = {
    "restarted": 2 * (SCRAPES - 1) + 2 * 99 + 2 * (SCRAPES - 105),
    "twice": (5 + 49) + 69 + 79,
    "gone": 2 * (SCRAPES - 1) + 2 * 59,
    "away": 2 * 49 + 2 * (SCRAPES - 171),
    "steady": 6 * (SCRAPES - 1),
    "new": 7,
}


@pytest.fixture(scope="module")
def newest() -> float:
    """When the last scrape was, in seconds since 1970; one moment for all tests, however long they take."""
    return time.time() // STEP * STEP


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, newest: float) -> Iterator[Prometheus]:
    server = Prometheus(tmp_path_factory.mktemp("counted"))
    begin = newest - STEP * (SCRAPES - 1)
    series = {}
    for model, instances in HISTORIES.items():
        for instance, values in instances.items():
            points = [(begin + STEP * place, value) for place, value in enumerate(values) if value is not None]
            labels = f'model="{model}",version="1",instance="{instance}"'
            series[f"scorer_requests_total{{{labels}}}"] = points
            for bound, share in (("0.001", 0.5), ("0.0015", 0.75), ("+Inf", 1.0)):
                scaled = [(at, round(value * share)) for at, value in points]
                series[f'scorer_request_seconds_bucket{{{labels},le="{bound}"}}'] = scaled
            for status, share in (("500", 0.1), ("503", 0.1), ("400", 0.3)):
                scaled = [(at, round(value * share)) for at, value in points]
                series[f'scorer_errors_total{{{labels},status="{status}"}}'] = scaled
    backfill(server, series)
    with server:
        yield server


@pytest.fixture
def connect(prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch) -> Any:
    def connect(**extra: Any) -> PrometheusHook:
        connection = {"conn_type": "prometheus", "host": "127.0.0.1", "port": prometheus.port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_COUNTED", json.dumps(connection))
        return PrometheusHook("counted")

    return connect


@pytest.mark.parametrize("model", sorted(HISTORIES))
def test_requests_are_counted_over_the_lives_of_all_instances(connect, model):
    assert connect().counts(model)[1].requests == EXPECTED[model]


def test_errors_refusals_and_latencies_are_counted_by_the_same_rule(connect):
    found = connect().counts("steady")[1]
    requests = EXPECTED["steady"]
    assert found.errors == pytest.approx(requests * 0.2, abs=2)  # each series was rounded
    assert found.refused == pytest.approx(requests * 0.3, abs=1)
    assert sum(found.latency.values()) == requests
    assert found.latency[0.001] == pytest.approx(requests / 2, abs=2)
    assert found.latency[0.0015] == pytest.approx(requests / 4, abs=3)


def test_a_restart_between_two_looks_costs_no_count_and_invents_none(prometheus, newest):
    """What a release does: it keeps the counts of its beginning, and later asks for what came after."""
    expression = quote(CountQueries({}, "t").expressions("restarted")["requests"])

    def counted(at: float) -> Counts:
        found = prometheus.api(f"/api/v1/query?query={expression}&time={at}")["result"]
        return Counts(int(float(found[0]["value"][1])))

    before, after = counted(newest - STEP * 150), counted(newest)
    assert after.since(before).requests == EXPECTED["restarted"] - before.requests
    assert before.requests == 2 * 2 * (SCRAPES - 1 - 150)


class TestOwnExpressions:
    def test_they_replace_all_of_the_scorers_and_may_count_in_another_unit(self, connect):
        bucket = 'sum by (version, le) (scorer_request_seconds_bucket{model="$model"})'
        counts = {
            "requests": 'sum by (version) (scorer_requests_total{model="$model"})',
            "latency": bucket,
            "latency_unit": 0.001,
        }
        found = connect(counts=counts).counts("steady")[1]
        assert (found.requests, found.errors, found.refused) == (EXPECTED["steady"], 0, 0)
        assert sorted(found.latency)[:2] == pytest.approx([1e-6, 1.5e-6])

    def test_a_dollar_of_a_regular_expression_stays(self):
        queries = CountQueries(
            {"counts": {"requests": 'label_replace(x{m="$model"}, "version", "$1", "n", "^(.*)$")'}}, "t"
        )
        assert queries.expressions("churn") == {
            "requests": 'label_replace(x{m="churn"}, "version", "$1", "n", "^(.*)$")'
        }

    @pytest.mark.parametrize(
        ("counts", "message"),
        [
            ("sum(x)", "no object of expressions"),
            ("[1]", "no object of expressions"),
            ({"wishes": "x"}, "no object of expressions"),
            ({"requests": 3}, "no object of expressions"),
            ({"errors": "x"}, "no expression for requests"),
            ({"requests": "x", "latency_unit": "ms"}, "no number of seconds above 0"),
            ({"requests": "x", "latency_unit": 0}, "no number of seconds above 0"),
        ],
    )
    def test_what_is_no_set_of_expressions_is_refused(self, counts, message):
        with pytest.raises(Invalid, match=message):
            CountQueries({"counts": counts}, "t")

    def test_the_text_of_an_object_will_do(self):
        assert CountQueries({"counts": '{"requests": "x"}'}, "t").expressions("m") == {"requests": "x"}

    def test_a_dot_in_a_models_name_is_no_pattern(self):
        queries = CountQueries({"counts": {"requests": 'x{m="$model",n=~"$pattern/[0-9]+"}'}}, "t")
        assert queries.expressions("a.b-1") == {"requests": 'x{m="a.b-1",n=~"a[.]b-1/[0-9]+"}'}

    def test_latencies_without_bounds_are_refused(self, connect):
        counts = {
            "requests": 'sum by (version) (scorer_requests_total{model="$model"})',
            "latency": 'sum by (version) (scorer_requests_total{model="$model"})',
        }
        with pytest.raises(Invalid, match="the expression for latency has a series without the label le"):
            connect(counts=counts).counts("steady")
