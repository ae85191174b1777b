"""Columns against a signature."""

from __future__ import annotations

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.inputs import check_inputs
from model_lifecycle.hooks.tensors import to_tensors


def signature(*columns: tuple[str, str, bool]) -> dict[str, object]:
    return {"inputs": [{"name": name, "type": kind, "required": required} for name, kind, required in columns]}


SUMS = signature(("x", "double", True), ("n", "long", False), ("t", "string", False))


@pytest.mark.parametrize(
    "inputs",
    [
        {"x": [1.0]},
        {"x": [1]},
        {"x": [1.0], "n": [2], "t": ["a"]},
        {"x": [1.0, 2.0], "n": [None, 2], "t": [None, "a"]},
        {"x": [1.0], "n": [None]},
        {"t": [None], "x": [1.0]},
    ],
)
def test_what_the_signature_asks_for_is_let_through(inputs):
    check_inputs(to_tensors(inputs), SUMS)


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        ({"n": [1]}, "input x is missing"),
        ({"x": [1.0], "z": [1.0]}, "input z is unknown; the model takes x, n, t"),
        ({"x": ["ten"]}, "input x: datatype BYTES does not fit double"),
        ({"x": [True]}, "input x: datatype BOOL does not fit double"),
        ({"x": [1.0], "n": [1.5]}, "input n: datatype FP64 does not fit long"),
        ({"x": [1.0], "t": [1]}, "input t: datatype INT64 does not fit string"),
        ({"x": [1.0, None]}, r"input x: null is not allowed \(row 1\)"),
        ({"x": [None]}, "input x: null"),
    ],
)
def test_what_it_does_not_is_refused_with_the_columns_name(inputs, match):
    with pytest.raises(Invalid, match=match):
        check_inputs(to_tensors(inputs), SUMS)


@pytest.mark.parametrize(
    "unknown",
    [
        None,
        {},
        {"inputs": None},
        {"inputs": []},
        {"inputs": "x"},
        {"inputs": [7]},
        {"inputs": [{"type": "double"}]},
        {"inputs": [{"type": "tensor", "name": "x", "tensor-spec": {}}]},
    ],
)
def test_a_signature_without_named_columns_is_left_to_the_server(unknown):
    check_inputs(to_tensors({"any": ["thing"]}), unknown)


def test_a_type_that_is_not_known_here_is_left_to_the_server():
    check_inputs(to_tensors({"x": ["YQ=="]}), signature(("x", "binary", True)))
