"""What a version was asked and how it answered, counted by whoever passes the requests on. Pure values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

_DECADE = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
BUCKETS = (*(round(part * 10.0**power, 4) for power in (-3, -2, -1, 0) for part in _DECADE), 10.0, math.inf)
"""Upper bounds in seconds that a counter of ours sorts latencies into, each at most 1.67 times the one below."""


@dataclass(frozen=True)
class Counts:
    """Requests of one version since its counter began.

    :param requests: how many were answered, or failed to be.
    :param errors: how many of them the server failed: an answer of 500 and above, or none at all.
    :param refused: how many were answered 400 to 499.
    :param latency: how many took at most so many seconds and more than the bound below; the last bound is infinite.
    """

    requests: int = 0
    errors: int = 0
    refused: int = 0
    latency: Mapping[float, int] = field(default_factory=dict)

    def since(self, before: Counts) -> Counts:
        """What was counted after ``before``; if the requests fell the counter began again, and all it holds came after.

        The other numbers of some routers are differences of two counters read one after the other, and may fall by a
        few for a moment: that is nothing.
        """
        if self.requests < before.requests:
            return self
        latency = {bound: max(0, count - before.latency.get(bound, 0)) for bound, count in self.latency.items()}
        errors, refused = max(0, self.errors - before.errors), max(0, self.refused - before.refused)
        return Counts(self.requests - before.requests, errors, refused, latency)

    def __add__(self, other: Counts) -> Counts:
        bounds = sorted({*self.latency, *other.latency})
        latency = {bound: self.latency.get(bound, 0) + other.latency.get(bound, 0) for bound in bounds}
        return Counts(self.requests + other.requests, self.errors + other.errors, self.refused + other.refused, latency)

    def to_dict(self) -> dict[str, Any]:
        """JSON values only; :meth:`from_dict` reads them back."""
        latency = {str(bound): count for bound, count in self.latency.items() if count}
        return {"requests": self.requests, "errors": self.errors, "refused": self.refused, "latency": latency}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Counts:
        """Read what :meth:`to_dict` wrote.

        :raises KeyError: if a field is missing; ValueError if a bound is no number.
        """
        latency = {float(bound): int(count) for bound, count in value["latency"].items()}
        return cls(int(value["requests"]), int(value["errors"]), int(value["refused"]), latency)


def single_buckets(below: Mapping[float, int]) -> dict[float, int]:
    """Counts of what lies between two bounds, of counts of all that took at most each bound, as Prometheus has them."""
    bounds = sorted(below)
    return {bound: max(0, below[bound] - (below[bounds[i - 1]] if i else 0)) for i, bound in enumerate(bounds)}


def quantile(latency: Mapping[float, int], q: float) -> float | None:
    """The quantile of a histogram by upper bounds, linear within a bucket; None if it is empty.

    What lies above the last finite bound counts as that bound.
    """
    total = sum(latency.values())
    if total <= 0:
        return None
    rank, below = q * total, 0
    for low, high, count in _buckets(latency):
        if count and below + count >= rank:
            return low if math.isinf(high) else low + (high - low) * (rank - below) / count
        below += count
    return max((bound for bound in latency if math.isfinite(bound)), default=None)


def slower(latency: Mapping[float, int], seconds: float) -> int:
    """How many of a histogram took longer, linear within a bucket, rounded down."""
    found = 0.0
    for low, high, count in _buckets(latency):
        if seconds <= low:
            found += count
        elif seconds < high and math.isfinite(high):
            found += count * (high - seconds) / (high - low)
    return int(found)


def _buckets(latency: Mapping[float, int]) -> Iterable[tuple[float, float, int]]:
    bounds = sorted(latency)
    return [(low, high, latency[high]) for low, high in pairwise([0.0, *bounds])]
