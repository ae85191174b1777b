"""A drift report as one HTML file that needs nothing else: no network, no script, at most 300 KB whatever it holds.

What a person asks comes in that order: what is the verdict and why, how many columns drifted, which and how much, what
each looks like, old against new. What does not fit into the size is left out from the least changed, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.report_plots import (
    SIDES,
    change,
    missing,
    most_telling,
    name_of,
    number,
    percent,
    picture,
    text,
)
from model_lifecycle.core.report_style import STYLE

MAX_BYTES = 295_000
SCHEMA = 1
LARGE = 60
FIRST = 15
"""Rows of the ranking that are open from the start."""
SIGNS = {"PASS": "✓", "FAIL": "✕", "INCONCLUSIVE": "?", "NO_DATA": "∅", "ERROR": "!"}
FOUND = {
    "STABLE": "○ stable",
    "DRIFTED": "▲ drifted",
    "VANISHED": "✕ vanished",
    "TYPE_CHANGED": "✕ type changed",
    "ALL_NULL": "✕ all empty",
    "TOO_FEW": "… too few rows",
}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
HEADINGS = ("Column", "Found", "Effect, 0 to 1", "What moved", "JS", "KS", "PSI", "Missing", "Unseen")


class _Room:
    """The bytes that are left; a piece that does not fit is counted and not shown."""

    def __init__(self, left: int) -> None:
        self.left = left

    def fit(self, pieces: Iterable[str], reserve: int = 0) -> list[str]:
        """Pieces in order until the first that would leave less than ``reserve``."""
        found = []
        for piece in pieces:
            size = len(piece.encode())
            if self.left - size < reserve:
                break
            self.left -= size
            found.append(piece)
        return found


def page(report: Mapping[str, Any]) -> str:
    """The page of a report made by :func:`model_lifecycle.core.drift_report.drift_report`.

    :raises Invalid: if the report is of a schema that this version does not know.
    """
    if report.get("schema") != SCHEMA:
        raise Invalid(f"a drift report of schema {ascii(report.get('schema'))[:20]} cannot be shown")
    drifted = [column for column in report["columns"] if column["drifted"]]
    others = [column for column in report["columns"] if not column["drifted"]]
    room = _Room(MAX_BYTES - 8_000)  # for headings and what else is not counted by piece
    top = _head(report) + _top(report, drifted)
    room.left -= len(top.encode())
    parts = [top, _ranking(drifted, room), _checks(report["measurements"], room)]
    plots, rest = _plots(drifted, room), _rest(others, room)
    return "".join([*parts, plots, rest, NOTES])


def _head(report: Mapping[str, Any]) -> str:
    title = f"{report['verdict']}: {report['about'].get('model', 'drift report')}, {_count(report)}"
    return (
        '<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width">'
        f'<meta http-equiv=Content-Security-Policy content="{POLICY}"><meta name=referrer content=no-referrer>'
        f"<title>{text(title, 200)}</title><style>{STYLE}</style></head><body><main>"
    )


def _count(report: Mapping[str, Any]) -> str:
    total = len(report["columns"])
    if not report["compared"]:
        return "no column could be compared" if total else "no column was compared"
    return f"{report['drifted'] or 'none'} of {total} columns drifted"


def _top(report: Mapping[str, Any], drifted: Sequence[Mapping[str, Any]]) -> str:
    verdict = report["verdict"] if report["verdict"] in SIGNS else "ERROR"
    few = len(report["columns"]) - report["compared"]
    count = _count(report)
    count = f"<b>{count}</b>" if drifted else count[0].upper() + count[1:]
    aside = f" <small class=dim>{few} with too few rows to tell</small>" if few else ""
    return (
        f"<header><div class='v {verdict}'><h1>{SIGNS[verdict]} {verdict.replace('_', ' ')}</h1>"
        f"<p>{text(report['reason'], 500)}</p></div><p class=n>{count}{aside}</p>{_most_changed(drifted)}"
        f"{_facts(report)}</header>"
    )


def _most_changed(drifted: Sequence[Mapping[str, Any]]) -> str:
    if not drifted:
        return ""
    return f"<p>{name_of(drifted[0])} changed most: {most_telling(drifted[0]) or _found(drifted[0])[2:]}</p>"


def _facts(report: Mapping[str, Any]) -> str:
    rows = {side: f"{report['rows'][side]:,} rows" for side in SIDES}
    facts = [*list(report["about"].items())[:16], *(rows.items() if report["columns"] else ())]
    lines = (
        f"<div><dt>{text(name.replace('_', ' '))}</dt><dd><bdi>{text(value, 200)}</bdi></dd></div>"
        for name, value in facts
    )
    return f"<dl>{''.join(lines)}</dl>"


def _found(column: Mapping[str, Any]) -> str:
    return FOUND.get(column["finding"], text(column["finding"]))


def _ranking(drifted: Sequence[Mapping[str, Any]], room: _Room) -> str:
    if not drifted:
        return ""
    rows = room.fit((_row(number, column) for number, column in enumerate(drifted)), reserve=130_000)
    left = len(drifted) - len(rows)
    first, more = rows[:FIRST], rows[FIRST:]
    table = f"<h2>What drifted, the most changed first</h2>{_table(first, HEADINGS)}"
    if more:
        table += f"<details><summary>{len(more)} more that drifted</summary>{_table(more, HEADINGS)}</details>"
    return table + (f"<p class=dim>{left} more drifted; they stand in the JSON report.</p>" if left else "")


def _table(rows: Sequence[str], headings: Sequence[str], mark: str = "r") -> str:
    head = "".join(f"<th scope=col>{heading}</th>" for heading in headings)
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f"<div class=s><table class='t {mark}'>{body}</table></div>"


def _row(place: int | None, column: Mapping[str, Any]) -> str:
    name = name_of(column) if place is None or "histogram" not in column else f"<a href=#c{place}>{name_of(column)}</a>"
    about = " <small class=dim>(the model's answers)</small>" if column["prediction"] else ""
    mark = " class=y" if column["drifted"] else ""
    cells = [
        f"<td class=f>{_found(column)}",
        f'<td><div class=g><i style="--w:{column["effect"] * 100:.0f}%"></i>{column["effect"]:.2f}</div>',
        f"<td>{most_telling(column)}",
        *(f"<td>{_score(column.get(key))}" for key in ("js", "ks", "psi")),
        f"<td>{missing(column)}",
        f"<td>{percent(column['unseen']) if column.get('unseen') else ''}",
    ]
    return f"<tr{mark}><th scope=row>{name}{about}{''.join(cells)}"


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _checks(measurements: Sequence[Mapping[str, Any]], room: _Room) -> str:
    rows = room.fit((_check(one) for one in measurements), reserve=100_000)
    if not rows:
        return ""
    left = len(measurements) - len(rows)
    aside = f"<p class=dim>{left} more stand in the JSON report.</p>" if left else ""
    return f"<h2>Checks</h2>{_table(rows, ('Check', 'Verdict', 'Value', 'Samples', 'Why'), 'm')}{aside}"


def _check(one: Mapping[str, Any]) -> str:
    verdict = one["verdict"]
    value = number(one["value"])
    if "low" in one and "high" in one:
        value += f" <small class='dim f'>{number(one['low'])} to {number(one['high'])}</small>"
    marks = " <span class=b>estimated, no labels</span>" if one["estimated"] else ""
    marks += "" if one["critical"] else " <small class=dim>does not decide</small>"
    why = text(one["reason"], 500) + (f" <small class=dim>{_limits(one)}</small>" if _limits(one) else "")
    if "assumption" in one and one["assumption"] not in one["reason"]:
        why += f" <small class=dim>Assumes: {text(one['assumption'], 300)}</small>"
    mark = " class=y" if verdict in {"FAIL", "ERROR"} else ""
    check = text(one["check"]) + (f" <small class=dim>{text(one['slice'])}</small>" if "slice" in one else "")
    return (
        f"<tr{mark}><th scope=row>{check}{marks}<td class=f>{SIGNS.get(verdict, '')} {text(verdict.replace('_', ' '))}"
        f"<td>{value}<td>{one['samples']:,}<td>{why}"
    )


def _limits(one: Mapping[str, Any]) -> str:
    ends = [f"at least {number(one['minimum'])}"] if "minimum" in one else []
    ends += [f"at most {number(one['maximum'])}"] if "maximum" in one else []
    return f"limit: {' and '.join(ends)}" if ends else ""


KEY = (
    "<div class=k><span><i></i>reference (old)</span><span><i class=c></i>current (new)</span>"
    "<span><i class=d></i>median, dashed old, solid new</span></div>"
)


def _plots(drifted: Sequence[Mapping[str, Any]], room: _Room) -> str:
    """A picture of each: small ones first, so that all have a place, then large ones for the most changed."""
    drawn = [(place, column) for place, column in enumerate(drifted) if "histogram" in column]
    little = room.fit((_figure(place, column, small=True) for place, column in drawn), reserve=25_000)
    large = _grown(drawn[: len(little)], little, room)
    left = len(drifted) - len(little)
    found = f"<h2>Old against new</h2>{KEY}<div class=p>{''.join(large)}</div>" if large else ""
    if little[len(large) :]:
        aside = f"<small>{len(little) - len(large)} columns</small>"
        found += f"<h2>Smaller, as they changed less {aside}</h2>{_small(little[len(large) :])}"
    return found + (f"<p class=dim>{left} drifted columns have no picture here.</p>" if left else "")


def _grown(drawn: Sequence[tuple[int, Mapping[str, Any]]], little: Sequence[str], room: _Room) -> list[str]:
    large: list[str] = []
    for (place, column), small in list(zip(drawn, little, strict=True))[:LARGE]:
        figure = _figure(place, column)
        more = len(figure.encode()) - len(small.encode())
        if room.left - more < 25_000:
            break
        room.left -= more
        large.append(figure)
    return large


def _small(figures: Sequence[str]) -> str:
    return f"<div class='p q'>{''.join(figures)}</div>" if figures else ""


def _figure(place: int | str, column: Mapping[str, Any], *, small: bool = False) -> str:
    scores = f"{column['effect']:.2f}" if small else _scores(column)
    under = "" if small else _under(column)
    head = f"<h3>{name_of(column)} <small>{scores}</small></h3>"
    return f"<figure id=c{place}>{head}{picture(column, small=small)}{under}</figure>"


def _scores(column: Mapping[str, Any]) -> str:
    titles = {"js": "JS", "ks": "KS", "wasserstein": "W"}
    known = [f"{title} {column[key]:.2f}" for key, title in titles.items() if column.get(key) is not None]
    return " · ".join([_found(column), *known])


def _under(column: Mapping[str, Any]) -> str:
    histogram = column["histogram"]
    told = [] if histogram["kind"] == "categories" else [most_telling(column)]
    told += [f"missing {rows}"] if (rows := missing(column)) and f"missing {rows}" not in told else []
    told += [f"of another type {percent(other)}"] if (other := column["current"].get("mismatched")) else []
    words: dict[str, Callable[[], str]] = {
        "below": lambda: f"below {_end(histogram, 0)}",
        "above": lambda: f"above {_end(histogram, -1)}",
        "unseen": lambda: "other values",
    }
    for end, word in words.items():
        pair = histogram.get(end) if histogram.get("kind") != "categories" else None
        if pair and max(pair.values()) >= 0.0005:
            told.append(f"{word()}: {change(pair['reference'], pair['current'])}")
    return f"<p class=dim>{'; '.join(filter(None, told))}</p>" if any(told) else ""


def _end(histogram: Mapping[str, Any], place: int) -> str:
    return text(histogram["labels"][place]) if "labels" in histogram else number(histogram["edges"][place])


def _rest(others: Sequence[Mapping[str, Any]], room: _Room) -> str:
    if not others:
        return ""
    drawn = [column for column in others if "histogram" in column]
    figures = room.fit((_figure(f"o{place}", column, small=True) for place, column in enumerate(drawn)), reserve=15_000)
    rows = room.fit((_row(None, column) for column in others), reserve=1_000)
    left = len(others) - len(rows)
    told = f"<p class=dim>{left} more stand in the JSON report.</p>" if left else ""
    return (
        f"<h2>{_standing(others)} <small>{len(others)} columns</small></h2>{_small(figures)}"
        f"<details><summary>All their figures</summary>{_table(rows, HEADINGS)}{told}</details>"
    )


def _standing(others: Sequence[Mapping[str, Any]]) -> str:
    few = sum(column["finding"] == "TOO_FEW" for column in others)
    return "Not drifted" if not few else "Not drifted, or too few rows to tell" if few < len(others) else "Not compared"


NOTES = """<h2>How to read this</h2><div class=z>
<p><b>Drifted</b> means that the difference is large <i>and</i> not chance. <b>Effect</b> is the largest of JS,
KS and the change in the share of missing or of new values: 0 for equal, 1 for nothing in common, or for a column that
is plainly broken.</p>
<p><b>JS</b> is the Jensen-Shannon distance less what chance explains; <b>KS</b> (D) the largest gap between the two
cumulative shares of a number; <b>PSI</b> the population stability index and <b>W</b> the Wasserstein distance in
standard deviations of the reference, which decide nothing. <b>Unseen</b> is the share of rows with values that the
reference did not hold.</p>
<p>What is drawn is area: a bar's share of the rows over its true width. Bars that stand apart at the ends hold
everything beyond. A peak more than six times as high as the other side's is cut off at the top.</p></div>
</main></body></html>
"""
