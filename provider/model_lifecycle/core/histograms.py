"""A column of two profiles as a person wants to see it: few bars, old against new, and where the middle has moved.

Nothing is interpolated into a bar: its borders are borders of the reference's cells, so that the rows of both sides
are counted, not guessed. All shares are of the rows that hold a value; what is missing is told apart.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from model_lifecycle.core.profile import Column

BARS = 30
CATEGORIES = 12
MAX_VALUES = 40
"""Numbers that take at most so many values are drawn value by value."""
MAX_LABEL = 80
TAIL = 0.005
"""The share of the reference on either side that may be folded into the bar of outliers, where that helps the rest."""

DIGITS = 6

Pair = dict[str, float]


def histogram(reference: Column, current: Column, bars: int = BARS) -> dict[str, Any]:
    """Both columns over the same bars, as JSON values; the kinds are those of the report's schema.

    ``number``: ``edges`` and the share of each side between two of them, with ``below`` and ``above`` for what lies
    beyond; ``values``: a bar for each value, in order; ``categories``: the most changed values, the largest change
    first. ``other`` holds the values that are not shown and ``unseen`` those that the reference has no cell for.
    """
    if reference.type == "number":
        points = _points(reference)
        return _values(reference, current, points) if points else _densities(reference, current, bars)
    if reference.type == "integer" and len(reference.labels) <= MAX_VALUES:
        return _ordered(reference, current)
    return _categories(reference, current)


def quantile(column: Column, q: float) -> tuple[float | None, str | None]:
    """A quantile of a column of numbers or integers, and ``below`` or ``above`` where it lies beyond the reference.

    Within a cell numbers are taken as evenly spread: the error is at most the width of the cell that holds it, and
    none where the cell holds one value. Values of integers that have no cell are left out.
    """
    total = sum(column.counts)
    if column.type not in {"number", "integer"} or not total or not column.labels:
        return None, None
    if column.type == "integer":
        return _place(*_by_number(column), q * total), None
    edges, inner = [float(edge) for edge in column.labels], column.counts[1:-1]
    rank = q * total - column.below
    if rank < 0 or not inner:
        return edges[0], "below" if rank < 0 else "above"
    if rank > sum(inner):
        return edges[-1], "above"
    return _within(edges, inner, rank), None


def _place(values: Sequence[float], counts: Sequence[int], rank: float) -> float:
    return values[min(bisect_left(list(accumulate(counts)), rank), len(values) - 1)]


def _within(edges: Sequence[float], inner: Sequence[int], rank: float) -> float:
    before = 0
    for (low, high), count in zip(pairwise(edges), inner, strict=True):
        if count and before + count >= rank:
            part = (rank - before) / count
            return high if _is_point(low, high) else low * (1 - part) + high * part
        before += count
    return edges[-1]


def _is_point(low: float, high: float) -> bool:
    """Whether the cell holds one value only: profiles give a repeated value a cell of its own."""
    return math.nextafter(high, -math.inf) == low


def _points(column: Column) -> list[int]:
    """The cells that hold one value each, if the reference holds nothing else and they are few."""
    cells = [number for number, count in enumerate(column.counts[1:-1]) if count]
    edges = column.labels
    few = len(cells) <= MAX_VALUES and all(_is_point(float(edges[one]), float(edges[one + 1])) for one in cells)
    return cells if few else []


def _values(reference: Column, current: Column, points: Sequence[int]) -> dict[str, Any]:
    labels = [_number(float(reference.labels[one + 1])) for one in points]
    shown = [[column.counts[one + 1] for one in points] for column in (reference, current)]
    between = [
        column.values - column.below - column.above - sum(some)
        for column, some in zip((reference, current), shown, strict=True)
    ]
    return {
        "kind": "values",
        "labels": labels,
        **_sides(reference, current, *shown),
        "below": _pair(reference, current, lambda column: column.below),
        "above": _pair(reference, current, lambda column: column.above),
        "unseen": _shares(reference, current, *between),
    }


def _ordered(reference: Column, current: Column) -> dict[str, Any]:
    labels, before = _by_number(reference)
    _, after = _by_number(current)
    return {
        "kind": "values",
        "labels": [_number(label) for label in labels],
        **_sides(reference, current, before, after),
        "unseen": _pair(reference, current, lambda column: column.outside),
    }


def _by_number(column: Column) -> tuple[list[float], list[int]]:
    pairs = sorted((float(str(label)), count) for label, count in zip(column.labels, column.counts, strict=True))
    return [label for label, _ in pairs], [count for _, count in pairs]


def _categories(reference: Column, current: Column) -> dict[str, Any]:
    n, m = max(1, reference.values), max(1, current.values)
    rows = list(zip(map(str, reference.labels), reference.counts, current.counts, strict=True))
    rows.sort(key=lambda row: (-abs(row[1] / n - row[2] / m), -row[1], row[0]))
    shown, rest = rows[:CATEGORIES], rows[CATEGORIES:]
    found: dict[str, Any] = {
        "kind": "categories",
        "labels": [short(label, MAX_LABEL) for label, _, _ in shown],
        **_sides(reference, current, [one for _, one, _ in shown], [other for _, _, other in shown]),
        "unseen": _pair(reference, current, lambda column: column.outside),
    }
    if rest:
        others = sum(one for _, one, _ in rest), sum(other for _, _, other in rest)
        found["other"] = {**_shares(reference, current, *others), "values": len(rest)}
    return found


def _densities(reference: Column, current: Column, bars: int) -> dict[str, Any]:
    labels = [float(edge) for edge in reference.labels]
    edges = _apart(labels)
    if len(edges) < 2:
        return {"kind": "none"}
    before, after = _cumulated(reference, edges), _cumulated(current, edges)
    borders = _borders(edges, *_range(edges, before), bars)
    places = [edges.index(border) for border in borders]
    sides = [[cumulated[b] - cumulated[a] for a, b in pairwise(places)] for cumulated in (before, after)]
    return {
        "kind": "number",
        "edges": [_seen(border, labels) for border in borders],
        **_sides(reference, current, *sides),
        "below": _shares(reference, current, before[places[0]], after[places[0]]),
        "above": _shares(reference, current, reference.values - before[places[-1]], current.values - after[places[-1]]),
    }


def _apart(edges: Sequence[float]) -> list[float]:
    """Of the two edges around a single value the lower one, so that bars stay comparable; of the last two the last."""
    first = [edge for place, edge in enumerate(edges) if place == 0 or not _is_point(edges[place - 1], edge)]
    return first if first[-1:] == list(edges[-1:]) else [*(first[:-1] or first), edges[-1]]


def _seen(border: float, labels: Sequence[float]) -> float:
    """A border as people write it: the value that it lies just below of, if it was made so."""
    value = math.nextafter(border, math.inf) + 0.0
    place = bisect_left(labels, value)
    made = border == labels[0] or (place < len(labels) and labels[place] == value)
    return value if made else border


def _cumulated(column: Column, edges: Sequence[float]) -> list[int]:
    """Rows up to each edge."""
    wanted, found = set(edges), []
    for edge, below in zip(column.labels, accumulate(column.counts[:-1]), strict=True):
        if edge in wanted:
            found.append(below)
    return found


def _range(edges: Sequence[float], cumulated: Sequence[int]) -> tuple[float, float]:
    """From where to where bars are drawn: everything, unless thin tails would squeeze the rest."""
    total = cumulated[-1] - cumulated[0]
    low = max((edge for edge, below in zip(edges, cumulated, strict=True) if below - cumulated[0] <= TAIL * total))
    high = min((edge for edge, below in zip(edges, cumulated, strict=True) if cumulated[-1] - below <= TAIL * total))
    full, most = edges[-1] / 2 - edges[0] / 2, high / 2 - low / 2  # halves: the whole may be beyond all floats
    return (low, high) if 0 < most < 0.6 * full else (edges[0], edges[-1])


def _borders(edges: Sequence[float], low: float, high: float, bars: int) -> list[float]:
    """Edges next to those of equal bars, none narrower than half of one; a cell wider than a bar is a bar."""
    least = (high / 2 - low / 2) / bars  # half of a bar; the whole range may be beyond all floats
    found = [low]
    for number in range(1, bars):
        target = low * (1 - number / bars) + high * (number / bars)
        place = bisect_left(edges, target)
        border = min(edges[max(0, place - 1) : place + 1], key=lambda edge: abs(edge / 2 - target / 2))
        if border - found[-1] >= least and high - border >= least:
            found.append(border)
    return [*found, high]


def _sides(reference: Column, current: Column, before: Sequence[int], after: Sequence[int]) -> dict[str, list[float]]:
    n, m = max(1, reference.values), max(1, current.values)
    return {
        "reference": [round(count / n, DIGITS) for count in before],
        "current": [round(count / m, DIGITS) for count in after],
    }


def _pair(reference: Column, current: Column, count: Callable[[Column], int]) -> Pair:
    return _shares(reference, current, count(reference), count(current))


def _shares(reference: Column, current: Column, before: int, after: int) -> Pair:
    sides = _sides(reference, current, [before], [after])
    return {"reference": sides["reference"][0], "current": sides["current"][0]}


def _number(value: float) -> str:
    return f"{value:.6g}"


def short(text: str, most: int) -> str:
    """At most so many characters, with a sign where something was cut."""
    return text if len(text) <= most else text[: most - 1] + "…"
