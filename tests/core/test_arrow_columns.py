"""Columns of Arrow are counted exactly as the same values in a list, whatever their layout."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.arrow_columns import MANY, read_arrow, read_text
from model_lifecycle.core.columns import MAX_TEXT, Values, read_values
from model_lifecycle.core.profile import profile

NUMBERS = st.lists(st.none() | st.floats() | st.sampled_from([0.0, -0.0, 1.5]), max_size=60)
WHOLE = st.lists(st.none() | st.integers(-(2**53), 2**53), max_size=60)
TEXTS = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=60)
TRUTHS = st.lists(st.none() | st.booleans(), max_size=60)
COLUMNS = st.one_of(
    st.tuples(st.just(pa.float64()), NUMBERS),
    st.tuples(st.just(pa.int64()), WHOLE),
    st.tuples(st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]), TEXTS),
    st.tuples(st.just(pa.bool_()), TRUTHS),
)


def told(values: Values) -> dict[str, Any]:
    numbers = values.numbers.tolist()
    return {**vars(values), "numbers": numbers, "whole": values.whole and bool(numbers)}


def layouts(array: Any) -> list[Any]:
    half = len(array) // 2
    found = [array, pa.chunked_array([array[:half], array[half:]]), pa.chunked_array([], array.type)[:0]]
    if array.type == pa.string():
        found += [array.dictionary_encode(), pa.chunked_array([array[:half].dictionary_encode(), array[half:]
                  .dictionary_encode()])]  # fmt: skip
    return found


@given(COLUMNS)
def test_every_layout_is_read_like_the_list_of_its_values(column: tuple[Any, list[Any]]) -> None:
    kind, items = column
    array = pa.array(items, kind)
    for layout in layouts(array):
        assert told(read_arrow(layout)) == told(read_values(layout.to_pylist()))


@given(COLUMNS, COLUMNS)
def test_a_profile_of_arrow_is_that_of_the_list_bit_for_bit(
    one: tuple[Any, list[Any]], other: tuple[Any, list[Any]]
) -> None:
    base = profile({"x": pa.array(one[1], one[0])})
    assert base == profile({"x": one[1]})
    seen = profile({"x": pa.array(other[1], other[0])}, base)
    assert seen.to_json() == profile({"x": other[1]}, base).to_json()


@pytest.mark.parametrize(("array", "expected"), [
    (pa.array([decimal.Decimal("1.50"), None]), {"number": 1, "null": 1}),
    (pa.array([datetime.date(2013, 1, 1), None]), {"strange": 1, "null": 1}),
    (pa.array([datetime.datetime(2013, 1, 1)]), {"strange": 1}),
    (pa.array([[1], None]), {"strange": 1, "null": 1}),
    (pa.array([{"a": 1}]), {"strange": 1}),
    (pa.nulls(3), {"null": 3}),
    (pa.array([1.0, 2.0], pa.float16()), {"number": 2}),
    (pa.array([1, 2], pa.uint8()), {"number": 2}),
    (pa.array([b"a", b"\xff"]), {"string": 2}),
    (pa.array([b"ab"], pa.binary(2)), {"string": 1}),
    (pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array(["a", None])), {"string": 2, "null": 1}),
    (pa.DictionaryArray.from_arrays(pa.array([0, 1, 1]), pa.array(["a", "a"])), {"string": 3}),
    (pa.DictionaryArray.from_arrays(pa.array([0, None]), pa.array([1.5])), {"number": 1, "null": 1}),
    (pa.array(["a", "b"]).dictionary_encode()[1:], {"string": 1}),
    (pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]), {"string": 3}),
    (pa.array(["{}"], pa.string()).cast(pa.json_()) if hasattr(pa, "json_") else pa.array(["{}"]), {"string": 1}),
])  # fmt: skip
def test_each_type_is_counted_under_its_own_name(array: Any, expected: dict[str, int]) -> None:
    read = read_arrow(array)
    found = {
        "number": len(read.numbers), "string": read.texts.total() + read.unlisted, "boolean": read.booleans.total(),
        "null": read.null, "nan": read.nan, "strange": read.strange,
    }  # fmt: skip
    assert {name: count for name, count in found.items() if count} == expected
    assert read.rows == len(array)


def test_text_that_says_utf8_and_is_not_is_counted_as_bytes() -> None:
    liar = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
    assert dict(read_arrow(liar).texts) == {"\\xff": 1}


def test_of_very_many_texts_only_those_asked_for_become_pythons() -> None:
    items = [f"user-{number}" for number in range(3 * MANY)] + ["x" * 300] * 2 + ["user-7", None]
    base = profile({"x": [*(f"user-{number}" for number in range(10)), "x" * 300, "\ud800"]})
    assert profile({"x": pa.array(items)}, base) == profile({"x": items}, base)
    read = read_arrow(pa.array(items), base.columns["x"].labels)
    assert (len(read.texts), read.unlisted) == (11, 3 * MANY - 10)
    assert max(map(len, read.texts)) == MAX_TEXT


@pytest.mark.parametrize(("texts", "kind", "number", "string", "boolean"), [
    (["1", " 2 ", None], None, [1, 2], {}, {}),
    (["1", "2.5", "inf"], None, [1, 2.5, np.inf], {}, {}),
    (["true", "False"], None, [], {}, {"True": 1, "False": 1}),
    (["a", "1"], None, [], {"a": 1, "1": 1}, {}),
    (["007"], "string", [], {"007": 1}, {}),
    (["1", "+2", "broken", "1_0"], "number", [1, 2], {"broken": 1, "1_0": 1}, {}),
    (["true", "maybe"], "boolean", [], {"maybe": 1}, {"True": 1}),
    ([None, None], None, [], {}, {}),
    (["1"], "empty", [], {"1": 1}, {}),
])  # fmt: skip
def test_text_is_read_as_the_type_it_is_meant_to_have(
    texts: list[str | None], kind: str | None, number: list[float], string: dict[str, int], boolean: dict[str, int]
) -> None:
    read = read_values(read_text(pa.chunked_array([texts], pa.string()), kind))
    assert (read.numbers.tolist(), dict(read.texts), dict(read.booleans)) == (number, string, boolean)
    assert read.rows == len(texts)


@given(st.lists(st.sampled_from(["1", "2.5", "-3e5", "nan", "inf", " 7", "x", "", None, "1e400"]), max_size=30),
       st.integers(0, 30))  # fmt: skip
def test_text_counted_in_parts_is_text_counted_at_once(texts: list[str | None], cut: int) -> None:
    base = profile({"x": [1.0, 2.5, 7.0]})

    def counted(some: list[str | None]) -> Any:
        return profile({"x": read_text(pa.chunked_array([some], pa.string()), "number")}, base)

    assert counted(texts[:cut]).merge(counted(texts[cut:])) == counted(texts)
