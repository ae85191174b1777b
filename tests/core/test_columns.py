"""What callers hold, read by type: the traps of numpy and pandas as a table."""

from __future__ import annotations

import datetime
import decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.columns import MAX_TEXT, QUANTILES, count_values, cut_cells, read_values
from model_lifecycle.core.errors import Invalid

CASES = [
    ("floats", np.array([1.5, np.nan, np.inf]), {"number": 2, "nan": 1}),
    ("integers", np.array([1, 2]), {"number": 2}),
    ("text in a list beside NaN", ["a", float("nan")], {"string": 1, "nan": 1}),
    ("numbers beside text", [1, "a"], {"number": 1, "string": 1}),
    ("None", [None, 1.0], {"number": 1, "null": 1}),
    ("booleans are not numbers", [True, False, 1], {"boolean": 2, "number": 1}),
    ("numpy booleans", np.array([True]), {"boolean": 1}),
    ("pandas text with a null", pd.Series(["a", None]), {"string": 1, "nan": 1}),
    ("nullable integers", pd.Series([1, None], dtype="Int64"), {"number": 1, "nan": 1}),
    ("nullable booleans", pd.Series([True, None], dtype="boolean"), {"boolean": 1, "null": 1}),
    ("categories", pd.Series(["a", "b"], dtype="category"), {"string": 2}),
    ("bytes", np.array([b"a", b"\xff"]), {"string": 2}),
    ("huge integers", [10**400, -(10**400), 3], {"number": 3}),
    ("dates", np.array(["2013-01-01"], dtype="datetime64[D]"), {"strange": 1}),
    ("other objects", [[1], datetime.date(2013, 1, 1), decimal.Decimal(1)], {"strange": 3}),
    ("nothing", [], {}),
]


@pytest.mark.parametrize(("values", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_value_is_counted_under_its_own_type(values: object, expected: dict[str, int]) -> None:
    read = read_values(values)
    found = {
        "number": len(read.numbers),
        "string": read.texts.total(),
        "boolean": read.booleans.total(),
        "null": read.null,
        "nan": read.nan,
        "strange": read.strange,
    }
    assert {name: count for name, count in found.items() if count} == expected
    assert read.rows == sum(expected.values())


@pytest.mark.parametrize("values", [np.zeros((2, 2)), np.float64(1), "text"])
def test_what_is_no_column_is_refused(values: object) -> None:
    with pytest.raises(Invalid, match="one dimension"):
        read_values(values)


def test_long_text_is_cut() -> None:
    assert list(read_values(["x" * 10_000]).texts) == ["x" * MAX_TEXT]


@given(st.lists(st.floats(allow_nan=False, width=32) | st.sampled_from([0.0, -0.0, 1.0]), min_size=1, max_size=2000))
def test_a_cell_holds_a_small_share_of_the_reference_or_one_value_only(numbers: list[float]) -> None:
    values = read_values(np.array(numbers))
    kind, edges = cut_cells(values)
    counts, outside, _ = count_values(kind, edges, values)
    finite = np.sort([number for number in numbers if np.isfinite(number)])
    assert (kind, outside, sum(counts)) == ("number", 0, len(numbers))
    borders = [-np.inf, *edges, np.inf]
    for low, high in pairwise(borders):
        inside = finite[(finite > low) & (finite <= high)]
        assert len(inside) <= len(finite) / QUANTILES + 1 or len(set(inside.tolist())) == 1


def test_few_integers_are_counted_by_value_also_when_nulls_made_them_floats() -> None:
    kind, labels = cut_cells(read_values(np.arange(1000) % 7))
    assert (kind, labels) == ("integer", ("0", "1", "2", "3", "4", "5", "6"))
    values = read_values(np.array([0.0, 1.0, np.nan, 6.5, np.inf]))
    assert count_values(kind, labels, values) == ([1, 1, 0, 0, 0, 0, 0], 2, 1)


def test_many_integers_are_numbers() -> None:
    assert cut_cells(read_values(np.arange(1000)))[0] == "number"
