from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.examples import example_columns, fault_of, rows


def test_an_example_is_read_bare_and_under_its_key():
    split = {"columns": ["a", "b"], "data": [[1, "x"], [2, "y"]]}
    expected = {"a": [1, 2], "b": ["x", "y"]}
    assert example_columns(json.dumps(split).encode()) == expected
    assert example_columns(json.dumps({"dataframe_split": split}).encode()) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_whatever_stands_in_the_example_file_it_is_columns_or_one_clear_error(value):
    try:
        columns = example_columns(json.dumps(value).encode())
    except Invalid as error:
        assert "input example" in str(error)
    else:
        assert rows(columns) > 0


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"columns": [], "data": []}', b'{"columns": ["a"], "data": []}',
                                  b'{"columns": ["a", "b"], "data": [[1]]}', b'{"inputs": [1]}'])  # fmt: skip
def test_an_example_without_named_columns_and_rows_is_invalid(data):
    with pytest.raises(Invalid, match="input example"):
        example_columns(data)


def test_columns_of_different_lengths_are_invalid():
    with pytest.raises(Invalid, match="lengths"):
        rows({"a": [1], "b": [1, 2]})


@pytest.mark.parametrize(
    ("outputs", "fault"),
    [
        ({}, "no outputs"),
        ({"p": [0.5]}, "1 rows for 2"),
        ({"p": [0.5, None]}, "no number"),
        ({"p": [[0.5, 0.5], [float("nan"), 1.0]]}, "no number"),
        ({"p": [0.5, float("inf")]}, "no number"),
    ],
)
def test_a_smoke_answer_with_a_fault_is_named(outputs, fault):
    found = fault_of(outputs, 2)
    assert found is not None
    assert fault in found


def test_a_smoke_answer_of_numbers_or_labels_has_no_fault():
    assert fault_of({"p": [[0.1, 0.9], [0.2, 0.8]]}, 2) is None
    assert fault_of({"label": ["late", "on time"]}, 2) is None
