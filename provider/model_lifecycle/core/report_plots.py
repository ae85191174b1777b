"""One column of a drift report as a picture, old against new: inline SVG for what is ordered, a table for categories.

Everything here takes the JSON values of :mod:`model_lifecycle.core.drift_report` and gives HTML. Whatever a name or a
value holds is shown, and never obeyed: :func:`text` is the only way into a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from model_lifecycle.core.histograms import short

WIDTH, HEIGHT = 600, 100
SLOT, GAP = 16, 8
"""Width of the bar of outliers at either end, and its distance from the others."""
TALLEST = 6
"""A side whose peak is higher than so many times the other's is cut off, lest the other be a flat line."""
NAME = 60
LABEL = 40
FEW = 12
SHOWN = 0.0005
"""Smaller shares are not worth a word."""

TOLD = 0.1
"""A change of the share that is missing that says more about a column than where its values went."""

SPACE = "\N{NO-BREAK SPACE}"
SIDES = ("reference", "current")
QUANTILES = {"median": "median", "p05": "5 % lie below", "p95": "5 % lie above"}


def text(value: object, most: int = NAME) -> str:
    """Any text, safe in HTML and honest to the eye: what cannot be seen, or turns the direction, is spelt out."""
    seen = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in short(str(value), most))
    return escape(seen)


def name_of(column: Mapping[str, Any]) -> str:
    """A column's name for the page; its direction of writing ends with it."""
    return f"<bdi>{text(column['name'])}</bdi>"


def number(value: float | None) -> str:
    """A number with four digits that count."""
    if value is None:
        return "none"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def percent(share: float) -> str:
    """A share as people write it; what is there is never shown as nothing."""
    if 0 < share < SHOWN:
        return f"&lt;0.1{SPACE}%"
    digits = 1 if 0 < share < 0.1 or 0.9 < share < 1 else 0
    return f"{share * 100:.{digits}f}{SPACE}%"


def change(before: float, after: float) -> str:
    """Two shares as from what to what."""
    return f"{percent(before)} → {percent(after)}"


def moved(column: Mapping[str, Any], name: str = "median") -> str:
    """From where to where the middle of a column has moved, or another quantile; empty if it has none."""
    before, after = (column[side].get(name) for side in SIDES)
    if before is None or after is None:
        return ""
    arrow = "=" if before == after else "↑" if after > before else "↓"
    signs = {"above": "&gt;", "below": "&lt;"}
    ends = [signs.get(column[side].get(f"{name}_beyond"), "") + number(column[side][name]) for side in SIDES]
    unit = f"{SPACE}{text(column['unit'])}" if "unit" in column else ""
    return f"{ends[0]} → {ends[1]}{unit}{SPACE}{arrow}"


def missing(column: Mapping[str, Any]) -> str:
    """How the share of rows without a value has changed; empty if there never were any."""
    before, after = (column[side]["missing"] for side in SIDES)
    return change(before, after) if before or after else ""


def most_telling(column: Mapping[str, Any]) -> str:
    """The one change that says most about a column: what is missing, where its middle or an end went, which value."""
    if abs(column["current"]["missing"] - column["reference"]["missing"]) >= TOLD:
        return f"missing {missing(column)}"
    histogram = column.get("histogram", {})
    few = histogram.get("kind") == "values" and column["reference"].get("median") == column["current"].get("median")
    if moved(column) and not few:
        name = max(QUANTILES, key=lambda one: _distance(column, one) * (3 if one == "median" else 1))
        return f"{QUANTILES[name]} {moved(column, name)}"
    return _value(histogram)


def _value(histogram: Mapping[str, Any]) -> str:
    """The value whose share has changed most; empty if there is none."""
    if not histogram.get("labels"):
        return ""
    before, after = histogram["reference"], histogram["current"]
    most = max(range(len(before)), key=lambda place: abs(after[place] - before[place]))
    unseen = histogram["unseen"]
    if unseen["current"] > abs(after[most] - before[most]):
        return f"unseen values: {change(unseen['reference'], unseen['current'])}"
    return f"<bdi>{text(histogram['labels'][most], 30)}</bdi>: {change(before[most], after[most])}"


def _distance(column: Mapping[str, Any], name: str) -> float:
    """How far a quantile went, to compare with others of the same column; far beyond the reference is farther yet."""
    before, after = column["reference"], column["current"]
    if name not in before or name not in after:
        return 0.0
    return abs(float(after[name]) / 2 - float(before[name]) / 2)


def picture(column: Mapping[str, Any], *, small: bool = False) -> str:
    """The drawing of one column, without its heading; empty where there is nothing to draw."""
    histogram = column.get("histogram", {})
    kind = histogram.get("kind")
    if kind == "categories":
        return _table(histogram, 3 if small else FEW)
    return _ordered(column, histogram, small=small) if kind in {"number", "values"} else ""


def _ordered(column: Mapping[str, Any], histogram: Mapping[str, Any], *, small: bool) -> str:
    borders = histogram["edges"] if histogram["kind"] == "number" else list(range(len(histogram["labels"]) + 1))
    ends = {end: histogram.get(end, {}) for end in ("below", "above")}
    slots = {end: max(pair.values(), default=0.0) >= SHOWN for end, pair in ends.items()}
    left = SLOT + GAP if slots["below"] else 0
    right = WIDTH - (SLOT + GAP if slots["above"] else 0)
    places = _places(borders, left, right)
    tall = {side: _heights(histogram[side], places) for side in SIDES}
    most = _most([max(heights, default=0.0) for heights in tall.values()])
    paths = ""
    for side, mark in zip(SIDES, "oe", strict=True):
        if not column[side]["values"]:
            continue
        beyond = {end: ends[end].get(side, 0.0) / SLOT / most for end in ends if slots[end]}
        paths += f'<path class={mark} d="{_steps(places, [tall_one / most for tall_one in tall[side]], beyond)}"/>'
    medians = "" if small else _medians(column, borders, places, histogram["kind"])
    return _svg(column, histogram, paths + medians, small=small) + _axis(histogram, small=small)


def _places(borders: Sequence[float], left: int, right: int) -> list[int]:
    scale = max(abs(border) for border in borders) or 1.0
    low, span = borders[0] / scale, borders[-1] / scale - borders[0] / scale
    return [round(left + (right - left) * ((border / scale - low) / (span or 1.0))) for border in borders]


def _heights(shares: Sequence[float], places: Sequence[int]) -> list[float]:
    """Share by width: what is seen is area."""
    return [share / max(1, end - start) for share, (start, end) in zip(shares, pairwise(places), strict=True)]


def _most(peaks: Sequence[float]) -> float:
    """The height of the picture: the higher peak, unless the other would be flat beside it."""
    low, high = sorted(peaks)
    return (min(high, low * TALLEST) if low else high) or 1.0


def _steps(places: Sequence[int], heights: Sequence[float], beyond: Mapping[str, float]) -> str:
    found = _run(places[0], [end - start for start, end in pairwise(places)], heights)
    for end, start in (("below", 0), ("above", WIDTH - SLOT)):
        if beyond.get(end):
            found += _run(start, [SLOT], [beyond[end]])
    return found


def _run(start: int, widths: Sequence[int], heights: Sequence[float]) -> str:
    found, level = f"M{start} {HEIGHT}", HEIGHT
    for width, height in zip(widths, heights, strict=True):
        top = max(-4, round(HEIGHT - (HEIGHT - 4) * min(height, 2.0)))
        if height and top >= HEIGHT - 1:
            top = HEIGHT - 1  # what is there is seen
        found += (f"v{top - level}" if top != level else "") + f"h{width}"
        level = top
    return f"{found}V{HEIGHT}"


def _medians(column: Mapping[str, Any], borders: Sequence[float], places: Sequence[int], kind: str) -> str:
    found = ""
    for side in SIDES:
        value = column[side].get("median")
        if kind != "number" or value is None:
            return ""
        scale = max(abs(border) for border in borders) or 1.0
        span = borders[-1] / scale - borders[0] / scale or 1.0
        part = min(1.0, max(0.0, (value / scale - borders[0] / scale) / span))
        found += f'<path class=m d="M{round(places[0] + (places[-1] - places[0]) * part)} 0V{HEIGHT}"/>'
    return found


def _svg(column: Mapping[str, Any], histogram: Mapping[str, Any], drawn: str, *, small: bool) -> str:
    middle = moved(column)
    told = [f"median {middle}"] if middle else []
    told += [] if middle and small else [_words(histogram)]
    words = f"<title>{text(column['name'])}, old and new</title><desc>{'; '.join(told)}</desc>"
    return f'<svg role=img viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio=none>{words}{drawn}</svg>'


def _words(histogram: Mapping[str, Any]) -> str:
    """What the picture shows at its highest, for those who do not see it."""
    names = histogram.get("labels") or [f"{number(a)} to {number(b)}" for a, b in pairwise(histogram["edges"])]
    told = []
    for side in SIDES:
        shares = histogram[side]
        best = max(range(len(shares)), key=lambda place: shares[place], default=None)
        told.append(f"{side}: most, {percent(shares[best])}, at {text(names[best])}" if best is not None else "")
    return "; ".join(told)


def _axis(histogram: Mapping[str, Any], *, small: bool) -> str:
    labels = histogram.get("labels")
    if labels and not small and len(labels) <= FEW:
        marks = "".join(f"<span>{text(label, 12)}</span>" for label in labels)
        return f"<div class='x a'>{marks}</div>"
    ends = (labels[0], labels[-1]) if labels else (number(histogram["edges"][0]), number(histogram["edges"][-1]))
    return f"<div class=x><span>{text(ends[0], 16)}</span><span>{text(ends[1], 16)}</span></div>"


def _table(histogram: Mapping[str, Any], most: int) -> str:
    rows = list(zip(histogram["labels"], histogram["reference"], histogram["current"], strict=True))[:most]
    lines = [(f"<bdi>{text(label, LABEL)}</bdi>", before, after) for label, before, after in rows]
    rest, unseen = histogram.get("other"), histogram["unseen"]
    if rest and most >= FEW:
        plural = "s" * (rest["values"] > 1)
        lines.append((f"<em>{rest['values']} other value{plural}</em>", rest["reference"], rest["current"]))
    if max(unseen["reference"], unseen["current"]) > 0:
        lines.append(("<em>unseen values</em>", unseen["reference"], unseen["current"]))
    widest = max((max(before, after) for _, before, after in lines), default=0.0) or 1.0
    return f"<table class=h>{''.join(_line(*line, widest) for line in lines)}</table>"


def _line(label: str, before: float, after: float, widest: float) -> str:
    bars = "".join(f'<i style="--w:{share / widest * 100:.3g}%"></i>' for share in (before, after))
    return f"<tr><th scope=row>{label}<td>{bars}<td>{change(before, after)}"
