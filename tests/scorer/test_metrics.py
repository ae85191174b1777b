"""Metrics: model and version on every sample."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from model_lifecycle.scorer.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, str, str], float]:
    found = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            assert {"model", "version"} <= set(sample.labels), sample
            if "le" not in sample.labels:
                found[sample.name, sample.labels["model"], sample.labels["version"]] = sample.value
    return found


def test_every_sample_carries_model_and_version():
    metrics = Metrics(lambda: [("churn", 1, True, 100), ("churn", 2, False, 0)])
    with metrics.request("churn", 1):
        assert samples(metrics)["scorer_in_flight", "churn", "1"] == 1
    with pytest.raises(KeyError), metrics.request("churn", 1):
        raise KeyError
    metrics.error("churn", 1, 500)
    found = samples(metrics)
    assert found["scorer_in_flight", "churn", "1"] == 0
    assert found["scorer_requests_total", "churn", "1"] == 2
    assert found["scorer_errors_total", "churn", "1"] == 1
    assert found["scorer_request_seconds_count", "churn", "1"] == 2
    assert found["scorer_ready", "churn", "1"] == 1
    assert found["scorer_ready", "churn", "2"] == 0
    assert found["scorer_traffic_percent", "churn", "1"] == 100
    assert found["scorer_traffic_percent", "churn", "2"] == 0


def test_what_stands_is_asked_at_every_scrape():
    standing = [("churn", 1, True, 100)]
    metrics = Metrics(lambda: standing)
    assert samples(metrics)["scorer_traffic_percent", "churn", "1"] == 100
    standing[:] = []
    assert samples(metrics) == {}
