"""Whether a number stayed within its limits over a span of time, and not only at the moment somebody looked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from model_lifecycle.core.checks import Limit, Measurement, Verdict
from model_lifecycle.core.errors import Invalid

GAP = 2
"""Steps without a number that are still covered: one scrape may be lost."""
MOST = 10_000
"""Steps in a span at most; Prometheus answers 11,000."""

Point = tuple[datetime, float]


def judge_span(limit: Limit, points: Sequence[Point], start: datetime, end: datetime, step: timedelta) -> Measurement:
    """Judge all numbers of a span, oldest first.

    FAIL as soon as one is out of its limits; its value is the worst. NO_DATA if there are none, or if more than
    :data:`GAP` steps in a row have none: what nobody saw was not healthy (Law 6).
    """
    details: dict[str, Any] = {"from": start.isoformat(), "to": end.isoformat(), "points": len(points)}
    values = [value for _, value in points]
    if values:
        details |= {"lowest": min(values), "highest": max(values)}
    found = limit.judge(_worst(limit, values), len(values), **details)
    since, until = _longest_gap([at for at, _ in points], start, end)
    if found.verdict is Verdict.PASS and until - since > GAP * step:
        reason = f"{limit.name} has no value from {since:%H:%M:%S} to {until:%H:%M:%S} UTC"
        return replace(found, verdict=Verdict.NO_DATA, value=None, reason=reason)
    return found


def check_span(span: timedelta, step: timedelta) -> None:
    """Refuse a span that cannot be asked for.

    :raises Invalid: if it is not at least one step long, or longer than 10,000.
    """
    if step <= timedelta() or not 1 <= span / step <= MOST:
        message = f"a span of {span} cannot be looked at in steps of {step}"
        raise Invalid(message, hint=f"it has 1 to {MOST} steps")


def bound(value: float | str | None, name: str) -> float | None:
    """A limit as a template leaves it: a number, a text of one, or nothing.

    :raises Invalid: if it is neither.
    """
    if value is None or value in ("", "None"):
        return None
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise Invalid(f"{name} is {str(value)[:100]!r} and no number") from error


def _worst(limit: Limit, values: Sequence[float]) -> float | None:
    if not values:
        return None
    low, high = min(values), max(values)
    if limit.minimum is not None and low < limit.minimum:
        return low
    return high if limit.maximum is not None else low


def _longest_gap(moments: Sequence[datetime], start: datetime, end: datetime) -> tuple[datetime, datetime]:
    return max(pairwise([start, *moments, end]), key=lambda pair: pair[1] - pair[0])
