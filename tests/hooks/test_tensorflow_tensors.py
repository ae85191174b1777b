"""Columns as TensorFlow's tensors and back, for every type and shape that is known here."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.grpc_calls import message_class
from model_lifecycle.hooks.tensorflow_calls import DESCRIPTOR
from model_lifecycle.hooks.tensorflow_tensors import (
    KINDS,
    Input,
    fill,
    inputs_of,
    to_columns,
    to_json,
    to_rows,
    to_tensors,
)

FLOAT, DOUBLE, INT32, UINT8, STRING, INT64, BOOL, HALF = 1, 2, 3, 4, 7, 9, 10, 19
ROWS = (-1,)


def proto(**fields: Any) -> Any:
    return message_class(DESCRIPTOR, "tensorflow.serving.TensorProto")(**fields)


def shaped(dtype: int, *shape: int, **fields: Any) -> Any:
    message = proto(dtype=dtype, **fields)
    for size in shape:
        message.tensor_shape.dim.add(size=size)
    return message


def there_and_back(values: Any, dtype: int, shape: tuple[int, ...] | None = ROWS) -> list[Any]:
    message = proto()
    fill(message, to_tensors({"x": values}, {"x": Input(dtype, shape)})["x"])
    return to_rows("x", type(message).FromString(message.SerializeToString()))


@pytest.mark.parametrize(
    ("values", "dtype", "found"),
    [
        ([1, 2.5], DOUBLE, [1.0, 2.5]),
        ([0.5], FLOAT, [0.5]),
        ([1, 2.0], INT32, [1, 2]),
        ([0, 255], UINT8, [0, 255]),
        ([-(2**63), 2**63 - 1], INT64, [-(2**63), 2**63 - 1]),
        (["a", "ä", b"b"], STRING, ["a", "ä", "b"]),
        ([b"\xff"], STRING, [b"\xff"]),
        ([True, False], BOOL, [True, False]),
        (np.array([1, 2], dtype=np.float32), FLOAT, [1.0, 2.0]),
        ([np.int64(3)], INT64, [3]),
        ([np.bool_(True)], BOOL, [True]),
        (pd.Series([1.0, 2.0]), INT64, [1, 2]),
        (pd.Series(["a"]), STRING, ["a"]),
        ([], DOUBLE, []),
    ],
)
def test_a_column_arrives_as_it_was(values: Any, dtype: int, found: list[Any]) -> None:
    assert there_and_back(values, dtype) == found


def test_nan_is_a_value() -> None:
    assert math.isnan(there_and_back([math.nan], FLOAT)[0])


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([None], DOUBLE),
        ([math.inf], DOUBLE),
        ([1e300], FLOAT),
        (["1"], DOUBLE),
        ([True], DOUBLE),
        ([1.5], INT64),
        ([math.nan], INT64),
        ([2**63], INT64),
        ([256], UINT8),
        ([-1], UINT8),
        ([True], INT32),
        ([1], BOOL),
        ([1], STRING),
        ([None], STRING),
        ([1.0], HALF),
        ([pd.Timestamp(0)], STRING),
        ([[1.0], [1.0, 2.0]], DOUBLE),
        ([[1.0], 2.0], DOUBLE),
    ],
)
def test_what_the_type_cannot_hold_is_refused_with_the_columns_name(values: Any, dtype: int) -> None:
    with pytest.raises(Invalid, match=r"\bprice\b"):
        to_tensors({"price": values}, {"price": Input(dtype, None)})


@pytest.mark.parametrize(
    ("values", "wanted", "shape"),
    [
        ([1.0, 2.0], (-1,), (2,)),
        ([1.0, 2.0], (-1, 1), (2, 1)),
        ([1.0, 2.0], (-1, -1), (2, 1)),
        ([[1.0], [2.0]], (-1, 1), (2, 1)),
        ([[1.0, 2.0], [3.0, 4.0]], (-1, 2), (2, 2)),
        ([[[1.0], [2.0]]], (-1, 2, 1), (1, 2, 1)),
        ([np.array([1.0, 2.0])], (-1, 2), (1, 2)),
        (np.ones((3, 2)), (-1, 2), (3, 2)),
        ([1.0, 2.0], (2,), (2,)),
        ([[1.0]], None, (1, 1)),
    ],
)
def test_a_column_takes_the_shape_of_the_signature(values: Any, wanted: tuple[int, ...] | None, shape: tuple) -> None:
    assert to_tensors({"x": values}, {"x": Input(DOUBLE, wanted)})["x"].shape == shape


@pytest.mark.parametrize("wanted", [(), (-1, 3), (3,), (-1, 2, 2)])
def test_another_shape_is_refused_with_the_columns_name(wanted: tuple[int, ...]) -> None:
    with pytest.raises(Invalid, match=r"\bprice\b.*shape"):
        to_tensors({"price": [[1.0, 2.0]]}, {"price": Input(DOUBLE, wanted)})


def test_columns_too_few_too_many_and_of_other_lengths_are_refused() -> None:
    wanted = {"x": Input(DOUBLE, ROWS), "y": Input(DOUBLE, ROWS), "z": Input(DOUBLE, ROWS, required=False)}
    assert set(to_tensors({"x": [1.0], "y": [1.0]}, wanted)) == {"x", "y"}
    for inputs, says in (
        ({"x": [1.0]}, "also wants the column y"),
        ({"x": [1.0], "y": [1.0], "w": [1.0]}, "no input w"),
        ({"x": [1.0], "y": [1.0, 2.0]}, "column y has another number of rows than x"),
    ):
        with pytest.raises(Invalid, match=says):
            to_tensors(inputs, wanted)
    with pytest.raises(Invalid, match="at least one column"):
        to_tensors({}, {})


def test_a_signature_says_what_its_inputs_are() -> None:
    signature = message_class(DESCRIPTOR, "tensorflow.serving.SignatureDef")()
    signature.inputs["x"].dtype = DOUBLE
    signature.inputs["x"].tensor_shape.dim.add(size=-1)
    signature.inputs["y"].dtype = STRING
    signature.inputs["y"].tensor_shape.unknown_rank = True
    signature.defaults["y"].dtype = STRING
    assert inputs_of(signature) == {"x": Input(DOUBLE, (-1,)), "y": Input(STRING, None, required=False)}


def test_outputs_are_rows_and_one_of_width_one_is_a_column() -> None:
    assert to_rows("p", shaped(DOUBLE, 2, 1, double_val=[1.0, 2.0])) == [1.0, 2.0]
    assert to_rows("p", shaped(DOUBLE, 2, 2, double_val=[1.0, 2.0, 3.0, 4.0])) == [[1.0, 2.0], [3.0, 4.0]]
    assert to_rows("p", shaped(DOUBLE, double_val=[3.0])) == [3.0]
    assert to_rows("p", shaped(DOUBLE, 0)) == []


def test_packed_and_shortened_values_are_read() -> None:
    assert to_rows("p", shaped(INT32, 2, tensor_content=struct.pack("<2i", 5, -6))) == [5, -6]
    assert to_rows("p", shaped(BOOL, 3, bool_val=[False, True])) == [False, True, True]


@pytest.mark.parametrize(
    "message",
    [
        shaped(HALF, 1),
        shaped(DOUBLE, 2),
        shaped(DOUBLE, 1, double_val=[1.0, 2.0]),
        shaped(DOUBLE, 1, tensor_content=b"abc"),
        shaped(STRING, 1, tensor_content=b"abc"),
    ],
)
def test_an_output_that_cannot_be_read_is_refused_with_its_name(message: Any) -> None:
    with pytest.raises(Invalid, match=r"\bscore\b"):
        to_rows("score", message)


def test_the_rest_interface_gets_nested_lists_and_base64() -> None:
    wanted = {"x": Input(DOUBLE, (-1, 1)), "t": Input(STRING, ROWS)}
    tensors = to_tensors({"x": [1, 2.5], "t": ["a", b"\xff"]}, wanted)
    assert {name: to_json(one) for name, one in tensors.items()} == {"x": [[1], [2.5]], "t": ["a", {"b64": "/w=="}]}


@pytest.mark.parametrize(
    ("answer", "names", "columns"),
    [
        ({"outputs": [1.0, 2.0]}, ["sum"], {"sum": [1.0, 2.0]}),
        ({"outputs": [[1.0], [2.0]]}, ["sum"], {"sum": [1.0, 2.0]}),
        ({"outputs": {"b": [[1, 2]], "a": 3}}, ["a", "b"], {"a": [3], "b": [[1, 2]]}),
    ],
)
def test_what_the_rest_interface_answers(answer: Any, names: list[str], columns: dict[str, Any]) -> None:
    assert to_columns(answer, names) == columns


@pytest.mark.parametrize("answer", [{}, [], {"predictions": [1]}, {"outputs": [1]}, {"outputs": None}])
def test_another_answer_is_refused(answer: Any) -> None:
    with pytest.raises(Invalid, match="no outputs"):
        to_columns(answer, ["a", "b"])


_VALUES: dict[int, st.SearchStrategy[Any]] = {
    dtype: (
        st.text()
        if not kind.code
        else st.booleans()
        if kind.code == "?"
        else st.floats(width=32 if kind.code == "f" else 64, allow_infinity=False, allow_nan=False)
        if kind.code in "fd"
        else st.integers(*_range)
    )
    for dtype, kind in KINDS.items()
    for bits in [8 * struct.calcsize(kind.code or "b")]
    for _range in [(0, 2**bits - 1) if kind.code.isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)]
}


@given(st.sampled_from(sorted(KINDS)).flatmap(lambda dtype: st.tuples(st.just(dtype), st.lists(_VALUES[dtype]))))
def test_whatever_fits_arrives(case: tuple[int, list[Any]]) -> None:
    dtype, values = case
    assert there_and_back(values, dtype) == values


_ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()


@given(st.sampled_from(sorted(KINDS)), st.recursive(st.lists(_ANY), st.lists, max_leaves=5))
def test_whatever_does_not_fit_is_refused_and_nothing_else_happens(dtype: int, values: list[Any]) -> None:
    try:
        tensor = to_tensors({"x": values}, {"x": Input(dtype, None)})["x"]
    except Invalid as error:
        assert "column x" in str(error)
    else:
        fill(proto(), tensor)
        json.dumps(to_json(tensor))
