from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.histograms import BARS, CATEGORIES, MAX_VALUES, histogram, quantile, short
from model_lifecycle.core.profile import Column, profile

CHANCE = np.random.default_rng(5)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def columns(before: object, after: object) -> tuple[Column, Column]:
    reference = profile({"x": before})
    return reference.columns["x"], profile({"x": after}, edges_from=reference).columns["x"]


def of(before: object, after: object, bars: int = BARS) -> dict:
    return histogram(*columns(before, after), bars)


def total(found: dict, side: str) -> float:
    return sum(found[side]) + sum(found[end][side] for end in ("below", "above", "other", "unseen") if end in found)


def test_numbers_fall_into_about_thirty_bars_that_hold_everything():
    found = of(CHANCE.normal(0, 1, 5000), CHANCE.normal(1, 1, 800))
    assert found["kind"] == "number"
    assert 20 <= len(found["reference"]) <= BARS == len(found["current"]) or len(found["current"]) >= 20
    assert found["edges"] == sorted(set(found["edges"]))
    assert [round(total(found, side), 4) for side in ("reference", "current")] == [1, 1]


@given(
    before=st.lists(NUMBERS, min_size=1, max_size=300),
    after=st.lists(st.floats(), max_size=50),
    bars=st.integers(1, 40),
)
def test_whatever_the_numbers_are_every_one_is_in_one_bar_and_every_edge_is_finite(before, after, bars):
    reference, current = columns(np.array(before), np.array(after))
    found = histogram(reference, current, bars)
    if found["kind"] == "number":
        assert len(found["edges"]) == len(found["reference"]) + 1 == len(found["current"]) + 1 <= bars + 1
        assert all(map(math.isfinite, found["edges"]))
        assert found["edges"] == sorted(found["edges"])
    assert total(found, "reference") == pytest.approx(1, abs=1e-3)
    assert total(found, "current") == pytest.approx(1 if current.values else 0, abs=1e-3)


@given(before=st.lists(st.text(max_size=5), min_size=1, max_size=80), after=st.lists(st.text(max_size=5), max_size=80))
def test_whatever_the_values_are_every_one_is_told(before, after):
    reference, current = columns(before, after)
    found = histogram(reference, current)
    assert len(found["labels"]) <= CATEGORIES
    assert total(found, "reference") == pytest.approx(1, abs=1e-3)
    assert total(found, "current") == pytest.approx(1 if current.values else 0, abs=1e-3)


def test_the_shares_between_two_edges_are_those_of_the_rows():
    rows = np.arange(1000.0) / 10
    found = of(rows, rows[:500])
    for start, end, share in zip(found["edges"], found["edges"][1:], found["reference"], strict=False):
        assert share == pytest.approx(np.mean((rows > start) & (rows <= end)), abs=0.002)


def test_thin_tails_are_folded_so_that_the_rest_can_be_seen():
    rows = np.concatenate([CHANCE.normal(0, 1, 10_000), [1e6]])
    found = of(rows, rows)
    assert found["edges"][-1] < 10
    assert 0 < found["above"]["reference"] < 0.006


def test_what_lies_beyond_the_reference_is_beyond():
    found = of(CHANCE.random(2000), CHANCE.random(1000) * 60 + 2)
    assert found["above"] == {"reference": 0.0, "current": 1.0}
    assert sum(found["current"]) == 0


def test_a_value_that_most_rows_hold_is_no_bar_without_a_width():
    rows = np.concatenate([np.full(8000, 10.0), CHANCE.random(2000) * 10])
    found = of(rows, rows)
    widths = np.diff(found["edges"])
    assert min(widths) > 0.1
    assert found["reference"][-1] > 0.79


def test_no_bar_is_much_narrower_than_the_others():
    rows = np.concatenate([CHANCE.integers(60, 90, 5000) * 1.0, np.full(300, 75.18), CHANCE.random(500) * 30 + 60])
    found = of(rows, rows)
    widths = np.diff(found["edges"])
    assert min(widths) >= (found["edges"][-1] - found["edges"][0]) / BARS / 2


def test_no_edge_is_a_number_that_nobody_has_written():
    found = of(np.concatenate([np.zeros(500), CHANCE.random(500)]), [0.0])
    assert found["edges"][0] == 0.0


def test_few_numbers_are_drawn_value_by_value_in_order():
    rows = CHANCE.choice([0.0, 0.25, 0.5, 10.0], 1000)
    found = of(rows, np.array([0.5, 0.3, -1.0, 99.0]))
    assert (found["kind"], found["labels"]) == ("values", ["0", "0.25", "0.5", "10"])
    assert found["current"] == [0, 0, 0.25, 0]
    assert [found[end]["current"] for end in ("below", "above", "unseen")] == [0.25, 0.25, 0.25]


def test_small_integers_are_in_the_order_of_numbers_not_of_letters():
    found = of(np.array([9, 10, 11, 100] * 10), np.array([9, 12]))
    assert found["labels"] == ["9", "10", "11", "100"]
    assert found["unseen"] == {"reference": 0, "current": 0.5}


def test_more_integers_than_can_be_drawn_show_the_most_changed():
    rows = np.arange(1000) % (MAX_VALUES + 5)
    assert of(rows, np.full(100, 44))["labels"][0] == "44"


def test_of_many_categories_the_most_changed_come_first_and_the_rest_is_counted():
    before = [f"v{number % 40}" for number in range(4000)]
    found = of(before, ["v7"] * 50 + ["v3"] * 30 + ["new"] * 20)
    assert found["labels"][:2] == ["v7", "v3"]
    assert found["other"]["values"] == 40 - CATEGORIES
    assert found["unseen"] == {"reference": 0, "current": 0.2}


def test_a_column_without_a_number_has_nothing_to_draw():
    assert of(np.array([np.inf, -np.inf]), np.array([1.0])) == {"kind": "none"}
    assert of([None, None], ["a"])["kind"] == "categories"


@given(st.lists(st.floats(-1e6, 1e6), min_size=400, max_size=400), st.sampled_from([0.05, 0.5, 0.95]))
def test_a_quantile_is_right_to_the_width_of_its_cell(rows, q):
    column, _ = columns(np.array(rows), [])
    found, beyond = quantile(column, q)
    ordered = sorted(rows)
    place = math.ceil(q * len(rows)) - 1
    assert beyond is None
    assert ordered[max(0, place - 4)] <= found <= ordered[min(len(rows) - 1, place + 4)]


def test_a_quantile_beyond_the_reference_says_so():
    _, column = columns(CHANCE.random(1000), np.full(10, 5.0))
    assert quantile(column, 0.5)[1] == "above"
    _, column = columns(CHANCE.random(1000), np.full(10, -5.0))
    assert quantile(column, 0.5)[1] == "below"


def test_the_median_of_integers_is_one_of_them_and_text_has_none():
    column, other = columns(np.array([1, 2, 10] * 9), np.array([10, 10, 1]))
    assert (quantile(column, 0.5), quantile(other, 0.5)) == ((2.0, None), (10.0, None))
    assert quantile(columns(["a"], ["b"])[0], 0.5) == (None, None)


def test_what_is_cut_says_so():
    assert (short("abc", 3), short("abcd", 3)) == ("abc", "ab…")
