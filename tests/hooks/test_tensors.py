"""Columns as tensors and back."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.serving import Answer
from model_lifecycle.hooks.tensors import state_of, to_answer, to_tensors


@pytest.mark.parametrize(
    ("values", "datatype", "data"),
    [
        ([True, False], "BOOL", [True, False]),
        ([1, 2], "INT64", [1, 2]),
        ([1, 2.5], "FP64", [1, 2.5]),
        (["a", "b"], "BYTES", ["a", "b"]),
        ([None, 1.5], "FP64", [None, 1.5]),
        ([None, "a"], "BYTES", [None, "a"]),
        ([float("nan"), "a"], "BYTES", [None, "a"]),
        ([None, None], "FP64", [None, None]),
        ((1, 2), "INT64", [1, 2]),
        (np.array([1.5, math.nan]), "FP64", [1.5, None]),
        ([np.int64(1), np.int8(2)], "INT64", [1, 2]),
        ([np.bool_(True)], "BOOL", [True]),
        (pd.Series(["a", None]), "BYTES", ["a", None]),
        (pd.Series([1, None], dtype="Int64"), "INT64", [1, None]),
        (pd.Series(pd.to_datetime(["2013-01-31", None])), "BYTES", ["2013-01-31T00:00:00", None]),
        ([datetime(2013, 1, 31, 5, tzinfo=UTC)], "BYTES", ["2013-01-31T05:00:00+00:00"]),
        ([date(2013, 1, 31)], "BYTES", ["2013-01-31"]),
    ],
)
def test_values_choose_the_datatype(values, datatype, data):
    assert to_tensors({"x": values}) == [{"name": "x", "shape": [len(data)], "datatype": datatype, "data": data}]


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        ({}, "at least one column"),
        ({"x": [1, "a"]}, "column x holds int and str values"),
        ({"x": [True, 1]}, "column x holds bool and int values"),
        ({"x": [[1]]}, "column x holds list values"),
        ({"x": [b"a"]}, "column x holds bytes values"),
        ({"x": [math.inf]}, "column x holds infinity"),
        ({"x": [1], "y": [1, 2]}, "column y has 2 rows, x has 1"),
    ],
)
def test_what_cannot_be_sent_is_invalid_with_the_columns_name(inputs, match):
    with pytest.raises(Invalid, match=match):
        to_tensors(inputs)


@given(st.lists(st.none() | st.floats(allow_infinity=False), min_size=1))
def test_what_is_sent_is_json_and_keeps_every_number(values):
    sent = json.loads(json.dumps(to_tensors({"x": values}), allow_nan=False))[0]["data"]
    assert sent == [None if value is None or math.isnan(value) else value for value in values]


def test_an_answer_is_read_with_its_version_and_rows():
    flat = {"name": "p", "shape": [2, 2], "datatype": "FP64", "data": [0.1, 0.9, 0.2, 0.8]}
    nested = {"name": "q", "shape": [2, 2], "datatype": "FP64", "data": [[1, 2], [3, 4]]}
    single = {"name": "r", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]}
    answer = to_answer({"model_version": "3", "outputs": [flat, nested, single]})
    assert answer == Answer(3, {"p": [[0.1, 0.9], [0.2, 0.8]], "q": [[1, 2], [3, 4]], "r": ["a", "b"]})
    assert list(answer.outputs) == ["p", "q", "r"]


@pytest.mark.parametrize("data", [[12.0, 23.0], [[12.0], [23.0]]])
def test_an_output_of_one_column_is_a_column_however_its_server_shapes_it(data):
    answer = to_answer({"outputs": [{"name": "p", "shape": [2, 1], "datatype": "FP64", "data": data}]})
    assert answer.outputs == {"p": [12.0, 23.0]}


@pytest.mark.parametrize(
    ("body", "header", "version"),
    [("3", None, 3), (3, None, 3), (None, "4", 4), ("v1", None, None), (None, None, None), ("", "5", 5)],
)
def test_the_version_is_a_number_or_unknown(body, header, version):
    assert to_answer({"model_version": body, "outputs": []}, header).version == version


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"outputs": 7},
        {"outputs": [{}]},
        {"outputs": [{"name": "p", "shape": [3], "data": [1]}]},
        {"outputs": [{"name": "p", "shape": ["a"], "data": [1]}]},
        {"outputs": [{"name": "p", "shape": [1], "data": "a"}]},
        {"outputs": [{"name": "p", "shape": [], "data": []}]},
    ],
)
def test_what_is_no_infer_response_is_invalid(value):
    with pytest.raises(Invalid, match="no infer response"):
        to_answer(value)


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        ({"state": "READY", "reason": ""}, "READY"),
        ({"state": "LOADING"}, "LOADING"),
        ({"state": "FAILED", "reason": "x"}, "FAILED"),
        ({"state": "UNAVAILABLE", "reason": ""}, None),
        ({"state": "UNAVAILABLE", "reason": "unloaded"}, None),
        ({"state": "UNAVAILABLE", "reason": "failed to load"}, "FAILED"),
        ({"state": "UNLOADING"}, None),
        ({}, None),
    ],
)
def test_the_states_of_other_servers_are_understood(entry, state):
    assert state_of(entry) == state
