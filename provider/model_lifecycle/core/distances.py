"""How far two columns counted in the same cells lie apart, in units of the reference's own spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from model_lifecycle.core.profile import Column


@dataclass(frozen=True)
class Wasserstein:
    """The distance of two columns, and by how much it may be wrong because values are known by cell only.

    :param distance: the area between the two cumulative distributions, in units of the column.
    :param bound: the exact distance is not farther from it than that.
    :param spread: the reference's standard deviation, values spread evenly within their cells.
    """

    distance: float
    bound: float
    spread: float

    @property
    def normalised(self) -> float | None:
        """The distance in standard deviations of the reference; None if it has none."""
        return self.distance / self.spread if self.spread > 0 else None


def wasserstein(reference: Column, current: Column) -> Wasserstein | None:
    """The Wasserstein-1 distance (Vallender 1974, Theory Probab. Appl. 18:784) of numbers; None for other columns.

    Values beyond the reference's range count as lying at its ends, for how far they lie is not known; those that are
    missing, or integers that the reference never held, do not count. Within a cell both cumulative shares rise evenly
    in the mean: with cells of width w that hold the shares p and q of the two columns, the distance is exact to the
    sum of w (p + q) / 2. Integers counted by value are exact.
    """
    points = _points(reference)
    if points is None or not sum(reference.counts) or not sum(current.counts) or len(points) < 2:
        return None
    left, right = _shares(reference), _shares(current)
    if reference.type == "integer":
        return _stepwise(points, left, right)
    return _linear(points, left, right)


def _points(column: Column) -> list[float] | None:
    if column.type == "number":
        return [float(label) for label in column.labels]
    if column.type != "integer":
        return None
    numbers = [float(label) for label in column.labels]
    return numbers if all(map(math.isfinite, numbers)) else None


def _shares(column: Column) -> list[float]:
    total = sum(column.counts)
    return [count / total for count in column.counts]


def _linear(edges: Sequence[float], left: Sequence[float], right: Sequence[float]) -> Wasserstein:
    areas, errors, gap = [], [], left[0] - right[0]
    for (low, high), p, q in zip(pairwise(edges), left[1:], right[1:], strict=False):
        width, before, gap = high - low, gap, gap + p - q
        areas.append(width * _mean_size(before, gap))
        errors.append(width * (p + q) / 2)
    middles = [edges[0], *((low + high) / 2 for low, high in pairwise(edges)), edges[-1]]
    widths = [0.0, *(high - low for low, high in pairwise(edges)), 0.0]
    return Wasserstein(math.fsum(areas), math.fsum(errors), _spread(middles, left, widths))


def _mean_size(before: float, after: float) -> float:
    """The mean of the absolute value of what goes evenly from one number to the other."""
    if before * after >= 0:
        return abs(before + after) / 2
    return (before**2 + after**2) / (2 * (abs(before) + abs(after)))


def _stepwise(labels: Sequence[float], left: Sequence[float], right: Sequence[float]) -> Wasserstein:
    ordered = sorted(zip(labels, left, right, strict=True))
    areas, gap = [], 0.0
    for (low, p, q), (high, _, _) in pairwise(ordered):
        gap += p - q
        areas.append((high - low) * abs(gap))
    return Wasserstein(math.fsum(areas), 0.0, _spread(labels, left, [0.0] * len(labels)))


def _spread(middles: Sequence[float], shares: Sequence[float], widths: Sequence[float]) -> float:
    mean = math.fsum(one * share for one, share in zip(middles, shares, strict=True))
    parts = (
        share * ((one - mean) ** 2 + width**2 / 12) for one, share, width in zip(middles, shares, widths, strict=True)
    )
    return math.sqrt(math.fsum(parts))
