"""The drift report: what drifted, by how much and why the verdict is what it is, as JSON values.

Everything that :mod:`model_lifecycle.core.report_page` draws is in here, and nothing else: a page can be made again
from a stored report. No row of data enters it, only counts. Its form is ``schemas/drift_report.json`` in this package;
a reader refuses a ``schema`` it does not know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from model_lifecycle.core.checks import Measurement, report
from model_lifecycle.core.drift import PREDICTION, ColumnDrift, Finding
from model_lifecycle.core.histograms import BARS, histogram, quantile, short
from model_lifecycle.core.profile import Column, Profile

SCHEMA = 1
LARGE = 60
"""So many drifted columns, the most changed first, get all bars; the others get :data:`SMALL_BARS`."""
SMALL_BARS = 12
OTHERS = 12
"""So many columns that did not drift, the most changed first, get bars too."""
MAX_NAME = 256
MAX_REASON = 2000
QUANTILES = {"p05": 0.05, "median": 0.5, "p95": 0.95}


def drift_report(
    reference: Profile,
    current: Profile,
    drifts: Sequence[ColumnDrift],
    measurements: Sequence[Measurement],
    *,
    units: Mapping[str, str] | None = None,
    **about: str | float | None,
) -> dict[str, Any]:
    """Bring comparisons and measurements into one report.

    :param reference: what was compared with.
    :param current: the window that was looked at, counted into the cells of the reference.
    :param drifts: the comparison of each column, as :func:`model_lifecycle.core.drift.compare` gives it.
    :param measurements: everything that was judged; the verdict is that of all of them together.
    :param units: of columns, such as ``{"temp": "°F"}``; for people.
    :param about: what the report is about: endpoint, model, version, window, compared_with, made_at and so on.
    :returns: JSON values, the most changed column first.
    """
    ranked = sorted(drifts, key=_rank)
    bars = _bars(ranked)
    columns = [_column(drift, reference, current, units or {}, bars.get(drift.name, 0)) for drift in ranked]
    answer = report(measurements)
    return {
        "schema": SCHEMA,
        "about": {name: _scalar(value) for name, value in about.items() if value is not None},
        "verdict": answer["verdict"],
        "reason": short(_reason(answer["reason"], measurements), MAX_REASON),
        "rows": {"reference": reference.rows, "current": current.rows},
        "compared": sum(drift.finding is not Finding.TOO_FEW for drift in drifts),
        "drifted": sum(drift.finding.alarms for drift in drifts),
        "measurements": [_measurement(one) for one in measurements],
        "columns": columns,
    }


def _reason(decisive: str, measurements: Sequence[Measurement]) -> str:
    """Why the verdict is what it is; where no check decides, what they found all the same."""
    if not measurements or any(one.critical for one in measurements):
        return decisive
    return f"no check decides; {'; '.join(one.reason for one in measurements)}"


def effect_of(drift: ColumnDrift) -> float:
    """How much a column has changed, 0 to 1: the largest of what can alarm, and 1 for what is plainly broken."""
    if drift.js is None:
        return 1.0 if drift.finding.alarms else 0.0
    return min(1.0, max(drift.js, drift.ks or 0.0, abs(drift.missing or 0.0), drift.new or 0.0))


def _rank(drift: ColumnDrift) -> tuple[bool, float, bool, str]:
    """The most changed first, and of those that changed wholly what is plainly broken."""
    return not drift.finding.alarms, -effect_of(drift), drift.js is not None, drift.name


def _bars(ranked: Sequence[ColumnDrift]) -> dict[str, int]:
    drifted = [drift.name for drift in ranked if drift.finding.alarms]
    others = [drift.name for drift in ranked if not drift.finding.alarms and drift.js is not None]
    few = dict.fromkeys(drifted[LARGE:], SMALL_BARS)
    return dict.fromkeys([*drifted[:LARGE], *others[:OTHERS]], BARS) | few


def _column(
    drift: ColumnDrift, reference: Profile, current: Profile, units: Mapping[str, str], bars: int
) -> dict[str, Any]:
    before = reference.columns.get(drift.name) or Column("empty")
    after = current.columns.get(drift.name) or Column(before.type, before.labels, (0,) * len(before.counts))
    found = {
        **drift.to_dict(),
        "name": short(drift.name, MAX_NAME),
        "type": before.type,
        "prediction": drift.name == PREDICTION,
        "drifted": drift.finding.alarms,
        "effect": round(effect_of(drift), 6),
        "reference": _side(before),
        "current": _side(after),
    }
    if drift.name in units:
        found["unit"] = short(units[drift.name], 20)
    return {**found, "histogram": histogram(before, after, bars)} if bars else found


def _side(column: Column) -> dict[str, Any]:
    rows = max(1, column.rows)
    side: dict[str, Any] = {"rows": column.rows, "values": column.values, "missing": round(column.missing / rows, 6)}
    if column.rows and column.mismatched:
        side["mismatched"] = round(column.mismatched / rows, 6)
    for name, q in QUANTILES.items():
        value, beyond = quantile(column, q)
        if value is not None:
            side[name] = value
        if beyond:
            side[f"{name}_beyond"] = beyond
    return side


def _measurement(one: Measurement) -> dict[str, Any]:
    """A measurement without the evidence that stands elsewhere in the report."""
    details = one.details
    limits = {"minimum": details.get("minimum", details.get("min_coverage")), "maximum": details.get("maximum")}
    texts = {name: details.get(name) for name in ("assumption", "slice")}
    return {
        "check": short(one.check, MAX_NAME),
        "verdict": str(one.verdict),
        "value": _finite(one.value),
        "samples": one.samples,
        "reason": short(one.reason, MAX_REASON),
        "critical": one.critical,
        "estimated": bool(details.get("estimated") or details.get("assumption")),
        **_interval(one),
        **{name: value for name, number in limits.items() if (value := _finite(number)) is not None},
        **{name: short(text, MAX_REASON) for name, text in texts.items() if isinstance(text, str)},
    }


def _interval(one: Measurement) -> dict[str, float]:
    """The interval of the value; some checks tell that of a difference instead, which does not hold the value."""
    of_candidate = one.details.get("candidate")
    told = of_candidate if isinstance(of_candidate, Mapping) else one.details
    low, high, value = (_finite(number) for number in (told.get("low"), told.get("high"), one.value))
    if low is None or high is None or value is None or not low <= value <= high:
        return {}
    return {"low": low, "high": high}


def _finite(value: Any) -> float | None:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return value if numeric and math.isfinite(value) else None


def _scalar(value: Any) -> str | float:
    number = _finite(value)
    return short(str(value), MAX_REASON) if number is None else number
