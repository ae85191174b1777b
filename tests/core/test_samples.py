from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from model_lifecycle.core.checks import Measurement, Verdict, report
from model_lifecycle.core.drift import ColumnDrift, Finding
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.samples import Sample, about, check_labels, drift_samples, report_samples

ENDPOINT = "scorer_default/churn"
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
LABELS = {"endpoint": ENDPOINT, "model": "churn", "version": "7"}


def values(samples: list[Sample]) -> dict[tuple[str, ...], float]:
    return {(one.name.removeprefix("model_lifecycle_"), *list(one.labels.values())[3:]): one.value for one in samples}


def test_a_report_becomes_value_failure_and_samples_of_each_check_and_the_moment_of_the_look():
    found = [
        Measurement("health", Verdict.PASS, 0.0, 40),
        Measurement("log_loss", Verdict.FAIL, 0.7, 500, critical=False),
        Measurement("feature_drift", Verdict.NO_DATA),
    ]
    samples = report_samples(report(found, endpoint=ENDPOINT, version=7), MOMENT)
    assert all(LABELS.items() <= one.labels.items() and one.help for one in samples)
    assert values(samples) == {
        ("monitor_timestamp_seconds",): MOMENT.timestamp(),
        ("check_value", "health"): 0.0,
        ("check_failed", "health", "true"): 0.0,
        ("check_samples", "health"): 40.0,
        ("check_value", "log_loss"): 0.7,
        ("check_failed", "log_loss", "false"): 1.0,
        ("check_samples", "log_loss"): 500.0,
        ("check_failed", "feature_drift", "true"): 0.0,
        ("check_samples", "feature_drift"): 0.0,
    }


@pytest.mark.parametrize("missing", ["endpoint", "version", "measurements"])
def test_a_report_about_nothing_is_not_published(missing):
    whole = report([], endpoint=ENDPOINT, version=7)
    with pytest.raises(Invalid, match="the report cannot be published"):
        report_samples({key: value for key, value in whole.items() if key != missing}, MOMENT)


def test_drift_becomes_a_distance_for_each_statistic_that_says_something():
    drifts = [
        ColumnDrift("age", Finding.DRIFTED, 500, js=0.2, ks=0.3),
        ColumnDrift("town", Finding.STABLE, 500, js=0.01),
        ColumnDrift("gone", Finding.VANISHED, 500),
        ColumnDrift("odd", Finding.STABLE, 500, js=math.nan),
    ]
    assert values(drift_samples(ENDPOINT, 7, drifts)) == {
        ("drift_distance", "age", "js"): 0.2,
        ("drift_distance", "age", "ks"): 0.3,
        ("drift_distance", "town", "js"): 0.01,
    }


@pytest.mark.parametrize("name", ["", "7days", "a-b", "a:b", "a b", "é", "a\n"])
def test_names_that_not_every_prometheus_takes_are_refused(name):
    with pytest.raises(Invalid, match="not the name of a metric"):
        Sample(name, 1.0)
    with pytest.raises(Invalid, match="not the name of a label"):
        check_labels({name: "x"})


def test_labels_that_prometheus_keeps_for_itself_and_values_that_are_no_text_are_refused():
    with pytest.raises(Invalid, match="not the name of a label"):
        check_labels({"__name__": "x"})
    with pytest.raises(Invalid, match="label version is int and not text"):
        Sample("a", 1.0, {"version": 7})  # type: ignore[dict-item]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "1"])
def test_what_is_no_number_makes_no_sample(value):
    with pytest.raises(Invalid, match="and no number -> leave the sample out"):
        Sample("a", value)


def test_who_a_sample_is_about_is_an_endpoint():
    assert about(ENDPOINT, 7) == LABELS
    with pytest.raises(Invalid, match="is not an endpoint"):
        about("churn", 7)
