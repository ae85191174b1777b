"""Samples: what batch tasks tell a metric system about an endpoint, under names that rules and dashboards rely on.

A result that is not there makes no sample. Published samples replace what their task published before, so a check
that has NO_DATA now does not go on showing its last number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from model_lifecycle.core.drift import ColumnDrift
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.models import Endpoint

CHECK_VALUE = "model_lifecycle_check_value"
CHECK_FAILED = "model_lifecycle_check_failed"
CHECK_SAMPLES = "model_lifecycle_check_samples"
DRIFT_DISTANCE = "model_lifecycle_drift_distance"
MONITOR_TIMESTAMP = "model_lifecycle_monitor_timestamp_seconds"

_HELP = {
    CHECK_VALUE: "What a check measured.",
    CHECK_FAILED: "1 if a check's verdict is FAIL, else 0.",
    CHECK_SAMPLES: "On how many rows, requests or points a check's verdict rests.",
    DRIFT_DISTANCE: "How far a column is from the reference, 0 to 1.",
    MONITOR_TIMESTAMP: "When the endpoint was last looked at.",
}
# https://prometheus.io/docs/concepts/data_model/: without the colon, which is for recording rules.
_METRIC = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_RESERVED = re.compile(r"__.*")


@dataclass(frozen=True)
class Sample:
    """One number of one series.

    :raises Invalid: if the name or a label's name is none that Prometheus takes everywhere, or the value is NaN or
        infinite: what is no number makes no sample.
    """

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    help: str = ""

    def __post_init__(self) -> None:
        if not _METRIC.fullmatch(self.name):
            raise Invalid(f"{ascii(self.name)[:100]} is not the name of a metric", hint="use A-Z a-z 0-9 _")
        if not _is_number(self.value):
            raise Invalid(f"{self.name} is {str(self.value)[:100]} and no number", hint="leave the sample out")
        check_labels(self.labels)


def check_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Return the labels if a metric system takes them.

    :raises Invalid: if a name is not of ``A-Z a-z 0-9 _``, begins with a digit or two underscores, or a value is no
        text.
    """
    for name, value in labels.items():
        if not _METRIC.fullmatch(name) or _RESERVED.fullmatch(name):
            raise Invalid(f"{ascii(name)[:100]} is not the name of a label", hint="use A-Z a-z 0-9 _")
        if not isinstance(value, str):
            raise Invalid(f"label {name} is {type(value).__name__} and not text")
    return labels


def about(endpoint: str, version: int) -> dict[str, str]:
    """The labels that every sample about a version has.

    :raises Invalid: if the endpoint is none.
    """
    return {"endpoint": endpoint, "model": Endpoint.parse(endpoint).model, "version": str(version)}


def report_samples(report: Mapping[str, Any], at: datetime) -> list[Sample]:
    """The samples of what :func:`model_lifecycle.core.checks.report` wrote about an endpoint and a version.

    :param report: with ``endpoint``, ``version`` and ``measurements``.
    :param at: when it was measured.
    :raises Invalid: if one of the three is missing.
    """
    try:
        labels, measurements = about(report["endpoint"], int(report["version"])), report["measurements"]
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"the report cannot be published: {error!r}", hint="it needs endpoint and version") from error
    looked = Sample(MONITOR_TIMESTAMP, at.timestamp(), labels, _HELP[MONITOR_TIMESTAMP])
    return [looked, *(sample for one in measurements for sample in _measured(one, labels))]


def _measured(measurement: Mapping[str, Any], labels: Mapping[str, str]) -> Iterable[Sample]:
    own = {**labels, "check": str(measurement["check"])}
    values = {CHECK_VALUE: measurement["value"], CHECK_SAMPLES: float(measurement["samples"])}
    found = [Sample(name, value, own, _HELP[name]) for name, value in values.items() if _is_number(value)]
    # An alert must know whether the check decides.
    decides = {**own, "critical": str(bool(measurement.get("critical", True))).lower()}
    failed = float(measurement["verdict"] == "FAIL")
    return [*found, Sample(CHECK_FAILED, failed, decides, _HELP[CHECK_FAILED])]


def drift_samples(endpoint: str, version: int, drifts: Iterable[ColumnDrift]) -> list[Sample]:
    """The distances of each column, one sample for each statistic that says something.

    :raises Invalid: if the endpoint is none.
    """
    labels = about(endpoint, version)
    return [
        Sample(DRIFT_DISTANCE, value, {**labels, "column": drift.name, "statistic": statistic}, _HELP[DRIFT_DISTANCE])
        for drift in drifts
        for statistic, value in (("js", drift.js), ("ks", drift.ks))
        if value is not None and math.isfinite(value)
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
