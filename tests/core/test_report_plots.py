from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.histograms import histogram
from model_lifecycle.core.profile import profile
from model_lifecycle.core.report_plots import most_telling, moved, name_of, number, percent, picture, text
from tests.core.reports import HOSTILE, report_of, table

CHANCE = np.random.default_rng(3)


def column(before: object, after: object, **about: object) -> dict:
    return report_of({"x": before}, {"x": after}, **about)["columns"][0]


def test_numbers_are_two_paths_with_a_title_and_what_they_show():
    drawn = picture(column(CHANCE.normal(0, 1, 900), CHANCE.normal(2, 1, 900)))
    assert drawn.count("<path class=o ") == drawn.count("<path class=e ") == 1
    assert drawn.count("<path class=m ") == 2
    assert "<title>x, old and new</title>" in drawn
    assert "<desc>median " in drawn
    assert "; reference: most, " in drawn


def test_a_side_without_values_is_not_drawn():
    drawn = picture(column(CHANCE.normal(0, 1, 900), [None] * 900))
    assert drawn.count("<path class=o ") == 1
    assert "<path class=e " not in drawn


def test_outliers_stand_apart_at_the_ends():
    drawn = picture(column(CHANCE.random(900), CHANCE.random(900) + 5))
    assert "M584 100v" in drawn


def test_few_values_have_their_names_below():
    drawn = picture(column(np.array([1, 2, 3] * 300), np.array([3] * 900)))
    assert "<span>1</span><span>2</span><span>3</span>" in drawn


def test_categories_are_a_table_that_can_be_read_aloud():
    drawn = picture(column(["a", "b"] * 400, ["a"] * 700 + ["new"] * 100))
    assert "<th scope=row><bdi>b</bdi><td>" in drawn
    assert "<em>unseen values</em>" in drawn


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=60), st.lists(st.floats(), max_size=60))
def test_whatever_the_numbers_are_the_drawing_stays_in_its_frame(before, after):
    reference = profile({"x": np.array(before)})
    current = profile({"x": np.array(after)}, edges_from=reference)
    sides = [{"values": one.columns["x"].values, "missing": 0.0} for one in (reference, current)]
    found = histogram(reference.columns["x"], current.columns["x"])
    drawn = picture({"name": "x", "reference": sides[0], "current": sides[1], "histogram": found})
    for path in re.findall(r' d="([^"]*)"', drawn):
        assert re.fullmatch(r"(M\d+ 100((v-?\d+)?h\d+)+V100)*", path), path


@pytest.mark.parametrize("evil", HOSTILE)
def test_any_text_is_shown_and_never_obeyed(evil: str):
    shown = text(evil)
    assert "<" not in shown
    assert '"' not in shown
    assert shown.isprintable()
    shown.encode()
    assert len(shown) <= 60 * 6
    assert ElementTree.fromstring(f"<b>{shown}</b>").text is not None


def test_what_turns_the_direction_is_spelt_out_and_a_language_is_not():
    assert text("\u202egnp.exe") == "\\u202egnp.exe"
    assert name_of({"name": "مرحبا"}) == "<bdi>مرحبا</bdi>"


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "none"), (0.0, "0"), (12.3456, "12.35"), (123456, "123,456"), (1e12, "1e+12")]
)
def test_numbers_have_four_digits_that_count(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "0 %"), (0.0001, "&lt;0.1 %"), (0.032, "3.2 %"), (0.5, "50 %"), (0.999, "99.9 %"), (1, "100 %")],
)
def test_a_share_that_is_there_is_never_shown_as_nothing(share, shown):
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == shown


class TestTheMostTellingChange:
    def told(self, before: object, after: object, **about: object) -> str:
        return most_telling(column(before, after, **about)).replace("\N{NO-BREAK SPACE}", " ")

    def test_is_the_median_in_its_unit(self):
        told = self.told(np.arange(1000.0), np.arange(1000.0) + 300, units={"x": "°F"})
        assert told == "median 499 → 799 °F ↑"

    def test_is_an_end_where_the_middle_stayed(self):
        rows = np.concatenate([np.full(900, 10.0), np.arange(100.0) / 10])
        told = self.told(rows, np.concatenate([np.full(600, 10.0), np.arange(400.0) / 40]))
        assert told.startswith("5 % lie below ")

    def test_is_what_is_missing(self):
        told = self.told(np.arange(1000.0), [None] * 500 + [1.0, 900.0] * 250)
        assert told == "missing 0 % → 50 %"

    def test_is_the_value_that_changed_most(self):
        assert self.told(["a", "b"] * 500, ["a"] * 1000) == "<bdi>a</bdi>: 50 % → 100 %"

    def test_is_the_value_too_where_few_numbers_keep_their_median(self):
        assert self.told(np.array([0, 0, 0, 1] * 250), np.array([0, 0, 1, 0, 1] * 250)) == "<bdi>0</bdi>: 75 % → 60 %"

    def test_is_what_nobody_had_seen(self):
        assert self.told(["a", "b"] * 500, ["c"] * 1000) == "unseen values: 0 % → 100 %"

    def test_is_beyond_what_the_reference_held(self):
        assert self.told(np.arange(1000.0), np.arange(1000.0) * 60 + 1000) == "median 499 → &gt;999 ↑"

    def test_is_nothing_where_there_are_no_bars(self):
        found = column(["a", "b"] * 500, ["a"] * 1000)
        del found["histogram"]
        assert most_telling(found) == ""


def test_a_median_that_stayed_says_so():
    found = report_of(table(600), table(600))["columns"][0]
    assert moved(found).endswith("=")
