"""What Prometheus answers, read: series, one number, points. Law 6 is kept here: what is no number is no data.

The format is that of the HTTP API v1, which Thanos, Mimir, Cortex and VictoriaMetrics answer too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.answers import one_line

SHOWN = 3


@dataclass(frozen=True)
class Series:
    """One series of an answer: its labels, and its numbers with their moments in seconds since 1970."""

    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Result:
    """What an expression came to: ``scalar``, ``vector``, ``matrix`` or ``string``, its series, and warnings."""

    kind: str
    series: Sequence[Series]
    warnings: Sequence[str] = ()


def read_result(answer: Any, target: str) -> Result:
    """Read the body of an answer.

    :raises Invalid: if it is none of Prometheus: something else answers there.
    """
    try:
        data = answer["data"]
        kind, found = data["resultType"], data["result"]
        series = [_series(one, kind) for one in ([found] if kind in ("scalar", "string") else found)]
        warnings = [one_line(str(text)) for text in answer.get("warnings") or ()]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        hint = "is this the address of a Prometheus?"
        raise Invalid("something that is no result of a query was answered", target=target, hint=hint) from error
    return Result(kind, series, warnings)


def _series(one: Any, kind: str) -> Series:
    if kind == "scalar":
        return Series({}, [_point(one)])
    if kind == "string":
        return Series({}, [])
    # A native histogram has "histogram" here, and no number of its own.
    points = one.get("values", []) if kind == "matrix" else [one["value"]] if "value" in one else []
    return Series({str(name): str(value) for name, value in one["metric"].items()}, [_point(point) for point in points])


def _point(value: Sequence[Any]) -> tuple[float, float]:
    return float(value[0]), float(value[1])


def single(result: Result, kinds: Sequence[str]) -> Series | None:
    """The one series of a result, or None if there is none.

    :param kinds: the result types that are wanted.
    :raises Invalid: if the result is of another type, or has several series; the labels that differ are named.
    """
    if result.kind not in kinds:
        hints = {
            "matrix": "a range such as x[5m] has many numbers: write rate(x[5m]) or max_over_time(x[5m])",
            "string": "a text is no number",
        }
        raise Invalid(f"the expression gives a {one_line(result.kind)}", hint=hints.get(result.kind))
    if len(result.series) > 1:
        hint = "choose one by its labels, or join them with sum(), max() or avg()"
        raise Invalid(
            f"the expression has {len(result.series)} series, which differ in {differing(result.series)}", hint=hint
        )
    if result.series and not result.series[0].points:
        raise Invalid("the expression gives a native histogram", hint="write histogram_quantile(0.95, ...) of it")
    return result.series[0] if result.series else None


def differing(series: Sequence[Series]) -> str:
    """The labels in which series differ, each with some of its values."""
    names = sorted({name for one in series for name in one.labels})
    values = {name: sorted({one.labels.get(name, "") for one in series}) for name in names}
    return ", ".join(
        f"{one_line(name)[:60]} ({', '.join(one_line(text)[:60] or 'none' for text in found[:SHOWN])}"
        f"{', ...' if len(found) > SHOWN else ''})"
        for name, found in values.items()
        if len(found) > 1
    )


def number(result: Result) -> float | None:
    """The one number of an instant query; None for no series, NaN and infinities.

    :raises Invalid: if there are several series, or the result is no number.
    """
    found = single(result, ("scalar", "vector"))
    value = found.points[0][1] if found else math.nan
    return value if math.isfinite(value) else None


def points(result: Result) -> list[tuple[datetime, float]]:
    """The numbers of a range query with their moments; NaN and infinities are gaps.

    :raises Invalid: if there are several series.
    """
    found = single(result, ("matrix",))
    return [
        (datetime.fromtimestamp(at, UTC), value)
        for at, value in (found.points if found else ())
        if math.isfinite(value)
    ]
