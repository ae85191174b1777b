"""Profiles add up exactly, survive JSON, and refuse nonsense."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Corrupt, Invalid
from model_lifecycle.core.profile import Column, Profile, profile

ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3)


def reference() -> Profile:
    rng = np.random.default_rng(1)
    return profile(
        {
            "amount": rng.normal(size=1000),
            "day": rng.integers(0, 7, 1000),
            "city": rng.choice(["Bonn", "Köln", "\ud800"], 1000),
            "paid": rng.integers(0, 2, 1000) > 0,
            "void": [None] * 1000,
        }
    )


def test_a_column_is_described_by_its_type() -> None:
    types = {name: column.type for name, column in reference().columns.items()}
    assert types == {"amount": "number", "day": "integer", "city": "string", "paid": "boolean", "void": "empty"}


@given(st.lists(st.tuples(*[ANYTHING] * 5), max_size=60), st.integers(1, 6), st.randoms(use_true_random=False))
def test_any_split_merged_in_any_order_is_one_pass_bit_for_bit(
    rows: list[tuple[Any, ...]], parts: int, order: random.Random
) -> None:
    base = reference()
    names = list(base.columns)

    def counted(some: list[tuple[Any, ...]]) -> Profile:
        return profile({name: [row[place] for row in some] for place, name in enumerate(names)}, edges_from=base)

    borders = sorted(order.randint(0, len(rows)) for _ in range(parts - 1))
    chunks = [rows[low:high] for low, high in zip([0, *borders], [*borders, len(rows)], strict=True)]
    order.shuffle(chunks)
    merged = counted(chunks[0])
    for chunk in chunks[1:]:
        merged = merged.merge(counted(chunk))
    assert merged.to_json() == counted(rows).to_json()
    assert all(column.rows == len(rows) for column in merged.columns.values())


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.lists(st.floats(), min_size=9, max_size=9), max_size=4))
def test_json_brings_the_same_profile_back(columns: dict[str, list[float]]) -> None:
    made = profile(columns)
    assert Profile.from_json(made.to_json()) == made


def test_a_profile_of_all_types_comes_back_from_json() -> None:
    assert Profile.from_json(reference().to_json()) == reference()


def test_the_order_of_rows_does_not_change_a_reference() -> None:
    values = np.random.default_rng(3).normal(size=997)
    values[:40] = -0.0
    values[40:80] = 0.0
    assert profile({"x": values}).to_json() == profile({"x": values[::-1]}).to_json()


def test_a_data_frame_is_a_mapping_of_columns() -> None:
    frame = pd.DataFrame({"x": np.arange(100.0), "carrier": ["UA", "B6"] * 50})
    made = profile(frame)
    assert made.rows == 100
    assert made.columns["carrier"].counts == (50, 50)


def test_new_data_is_counted_into_the_cells_of_the_reference() -> None:
    base = profile({"x": np.arange(1000.0), "c": ["a"] * 999 + ["b"]})
    seen = profile({"x": [-5.0, np.inf, np.nan, None, "no"], "c": ["a", "new", 7, None, "b"], "y": [1] * 5}, base)
    x, c = seen.columns["x"], seen.columns["c"]
    assert (x.below, x.above, x.infinite, x.nan, x.null, x.mismatched) == (1, 1, 1, 1, 1, 1)
    assert (c.counts, c.outside, c.mismatched, c.null) == ((1, 1), 1, 1, 1)
    assert "y" not in seen.columns


def test_a_column_that_the_data_lacks_is_counted_as_absent() -> None:
    base = profile({"x": np.arange(1000.0), "y": np.arange(1000.0)})
    part = profile({"x": [1.0, 2.0]}, edges_from=base)
    whole = part.merge(profile({"x": [3.0], "y": [3.0]}, edges_from=base))
    assert (whole.columns["y"].absent, whole.columns["y"].values, whole.rows) == (2, 1, 3)


def test_the_thousand_most_frequent_values_have_cells() -> None:
    values = [f"v{number:04}" for number in range(1500)] + ["v1499"] * 5
    column = profile({"c": values}).columns["c"]
    assert (len(column.labels), column.outside, column.rows) == (1000, 500, 1505)
    assert column.counts[column.labels.index("v1499")] == 6  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"x": [1, "a"]}, "x holds number, string"),
        ({"x": [True, 1.0]}, "x holds number, boolean"),
        ({"x": [object()]}, "x holds something else"),
        ({"x": [1.0], "y": [1.0, 2.0]}, "different lengths"),
        ({"": [1.0]}, "no name for a column"),
        ({7: [1.0]}, "no name for a column"),
    ],
)
def test_a_reference_that_cannot_be_summarised_is_refused(columns: dict[Any, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        profile(columns)


def test_profiles_of_different_cells_are_not_added() -> None:
    one, other = profile({"x": np.arange(1000.0)}), profile({"x": np.arange(1000.0) + 1})
    with pytest.raises(Invalid, match="different cells"):
        one.merge(other)
    with pytest.raises(Invalid, match="different columns"):
        one.merge(profile({"y": np.arange(1000.0)}))


def _spoil(**changes: object) -> bytes:
    value = json.loads(profile({"x": [0.0, 1.0, 2.0]}).to_json())
    value["columns"]["x"].update(changes)
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"schema":2,"rows":0,"columns":{}}',
        b'{"schema":1,"rows":-1,"columns":{}}',
        b'{"schema":1,"rows":true,"columns":{}}',
        b'{"schema":1,"rows":0,"columns":[]}',
        b'{"schema":1,"rows":0,"columns":{"x":null}}',
        b'{"schema":1,"rows":0,"columns":{},"more":1}',
        _spoil(type="complex"),
        _spoil(null=-1),
        _spoil(null=1.0),
        _spoil(null=4),
        _spoil(labels=[1.0, 0.0, 2.0, 3.0]),
        _spoil(labels=[1, 2, 3, 4]),
        _spoil(labels=["a", "b", "c", "d"]),
        _spoil(labels=[float("nan"), 0.0, 1.0, 2.0]),
        _spoil(labels=5),
        _spoil(counts=[1]),
        _spoil(surprise=1),
    ],
)
def test_nonsense_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt, match="not a profile"):
        Profile.from_json(data)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    with pytest.raises(Corrupt):
        Profile.from_json(data)


def test_an_empty_data_set_has_a_profile() -> None:
    base = profile({"x": np.arange(1000.0)})
    assert profile({"x": []}, edges_from=base).columns["x"].rows == 0
    assert profile({}) == Profile()
    assert base.merge(profile({"x": []}, edges_from=base)) == base


def test_columns_of_different_length_make_no_profile() -> None:
    with pytest.raises(Invalid, match="different length: x"):
        Profile(2, {"x": Column("empty", outside=1)})
