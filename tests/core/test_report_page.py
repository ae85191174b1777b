from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from model_lifecycle.core.checks import Measurement, Verdict
from model_lifecycle.core.drift_report import drift_report
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.profile import Profile
from model_lifecycle.core.report_page import page
from tests.core.reports import HOSTILE, many, report_of, table, valid, wide

LIMIT = 300_000
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "div", "h1", "h2", "h3", "p", "b", "i", "em"),
    *("small", "dl", "dt", "dd", "bdi", "table", "thead", "tbody", "tr", "th", "td", "a", "span", "details", "summary"),
    *("figure", "svg", "path", "desc"),
}


class Reader(HTMLParser):
    """What a browser would make of a page, as far as these tests ask."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.seen: list[str] = []
        self._in: str = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._in = tag

    def handle_data(self, data: str) -> None:
        if self._in != "style":
            self.seen.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.seen).replace("\N{NO-BREAK SPACE}", " ").split())


def of(**about: object) -> str:
    return page(report_of(table(2000), table(900, shift=1.0, seed=8), **about))


def test_verdict_reason_count_and_ranking_come_first_in_that_order():
    sick = Measurement("health", Verdict.FAIL, 0.5, 100, "50 of 100 requests failed")
    text = Reader(page(report_of(table(2000), table(900, shift=1.0, seed=8), [sick])).partition("<body>")[2]).text
    places = [
        text.index(word) for word in ("✕ FAIL", "50 of 100 requests failed", "1 of 8 columns drifted", "▲ drifted")
    ]
    assert places == sorted(places)
    assert re.search(r"n0 changed most: median -?[\d.]+ → [\d.]+ ↑", text)


def test_the_page_loads_runs_and_sends_nothing():
    read = Reader(of())
    assert {tag for tag in read.tags if tag not in TAGS} == set()
    names = {name for name, _ in read.attributes}
    assert not {name for name in names if name.startswith("on") or name in {"src", "srcset", "action", "data"}}
    assert all(value.startswith("#") for name, value in read.attributes if name == "href" and value)
    policy = next(value for name, value in read.attributes if name == "content" and value and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")


def test_every_drifted_column_is_drawn_and_linked():
    html = of()
    assert "<a href=#c0><bdi>n0</bdi></a>" in html
    assert "<figure id=c0>" in html


def test_a_page_of_thousand_columns_of_which_300_drift_is_below_300_kilobytes_and_shows_them_all():
    report = wide()
    html = page(report)
    assert len(html.encode()) < LIMIT
    assert "300 of 1000 columns drifted" in html
    missing = [column["name"] for column in report["columns"][:300] if column["name"] not in html]
    assert missing == []
    assert len(re.findall(r"<figure id=c\d+>", html)) == 300
    assert "more stand in the JSON report" in html


def test_what_does_not_fit_is_left_out_from_the_least_changed_and_counted():
    report = report_of(*many(columns=400, drifted=400))
    report["columns"] = [
        {**column, "name": f"{number}-{'ä🧨<' * 60}"} for number, column in enumerate(report["columns"] * 5)
    ]
    report["measurements"] *= 2000
    html = page(report)
    assert len(html.encode()) < LIMIT
    assert "drifted columns have no picture here" in html
    assert "more drifted; they stand in the JSON report" in html
    assert "<bdi>0-" in html


def test_hostile_names_values_and_reasons_are_shown_and_never_obeyed():
    rows = {name[:256]: [*HOSTILE * 60] for name in HOSTILE}
    moved = {name: [*HOSTILE[:2] * 300] for name in rows}
    checks = [
        Measurement(evil, Verdict.FAIL, 1.0, 3, evil, details={"estimated": True, "assumption": evil, "slice": evil})
        for evil in HOSTILE
    ]
    about = dict(zip(("endpoint", "model", "window", "data", "a<b"), HOSTILE, strict=False))
    html = page(report_of(rows, moved, checks, units={name[:256]: name for name in HOSTILE}, **about))
    html.encode()
    read = Reader(html)
    assert {tag for tag in read.tags if tag not in TAGS} == set()
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in read.text
    assert html.count("<!--") == 0
    assert not re.search(r"[\u202a-\u202e\u2066-\u2069\0]", html)


@pytest.mark.parametrize(
    ("rows", "said"),
    [(0, "No column could be compared"), (100, "No column could be compared"), (900, "None of 8 columns")],
)
def test_without_drift_or_without_data_it_says_so(rows: int, said: str):
    text = Reader(page(report_of(table(2000), {name: values[:rows] for name, values in table(900).items()}))).text
    assert said in text
    assert "What drifted" not in text


def test_a_report_of_checks_alone_says_that_no_column_was_compared():
    text = Reader(page(valid(drift_report(Profile(), Profile(), [], [])))).text
    assert "No column was compared" in text
    assert "0 rows" not in text


def test_an_estimate_is_never_shown_as_a_measurement():
    guess = Measurement(
        "roc_auc", Verdict.PASS, 0.7, 900, "about 0.7", False,
        {"estimated": True, "assumption": "it stays calibrated", "low": 0.68, "high": 0.72, "minimum": 0.6},
    )  # fmt: skip
    text = Reader(page(report_of(table(2000), table(900), [guess]))).text
    assert "roc_auc estimated, no labels does not decide" in text
    assert "0.7 0.68 to 0.72" in text
    assert "limit: at least 0.6" in text
    assert "Assumes: it stays calibrated" in text


def test_tables_have_headings_and_pictures_have_words():
    read = Reader(of())
    assert ("scope", "col") in read.attributes
    assert ("scope", "row") in read.attributes
    assert read.tags.count("svg") == read.tags.count("desc") == read.attributes.count(("role", "img"))


def test_the_same_report_gives_the_same_page():
    assert of() == of()


@pytest.mark.parametrize("schema", [None, 0, 2, "1"])
def test_a_report_of_another_schema_is_refused(schema: object):
    with pytest.raises(Invalid, match="schema"):
        page({"schema": schema})
