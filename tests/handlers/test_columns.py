"""What a handler says to columns: the table of what it takes, and that it names what it does not."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.handlers.columns import RefusedError, name_of, parse, plain, read_columns


def column(kind: str, name: str = "c", **more: object) -> dict[str, object]:
    return {"type": kind, "name": name, "required": True, **more}


def tensor(shape: list[int], name: str | None = None) -> dict[str, object]:
    spec = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": shape}}
    return spec if name is None else {**spec, "name": name}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("double", [1.5, 2, -3]),
        ("float", [0.0]),
        ("long", [2**63 - 1, -(2**63)]),
        ("integer", [2**31 - 1, -(2**31)]),
        ("boolean", [True, False]),
        ("string", ["", "ä"]),
    ],
)
def test_values_of_the_type_are_taken_as_they_are(kind, values):
    assert read_columns({"inputs": {"c": values}}, [column(kind)]) == [values]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("double", "1"),
        ("double", True),
        ("double", None),
        ("double", math.inf),
        ("double", math.nan),
        ("double", [1.0]),
        pytest.param("double", 10**400, id="double-beyond-every-float"),
        ("long", 1.0),
        ("long", 2**63),
        ("integer", 2**31),
        ("integer", False),
        ("boolean", 1),
        ("string", 1),
        ("string", None),
    ],
)
def test_any_other_value_is_refused_with_the_columns_name(kind, value):
    with pytest.raises(RefusedError, match=rf"^column c holds .*no {kind}$"):
        read_columns({"inputs": {"c": [value]}}, [column(kind)])


@pytest.mark.parametrize(
    ("inputs", "fault"),
    [
        ({"a": [1.0]}, "column b is missing"),
        ({"a": [1.0], "b": [1.0], "z": [1.0]}, "column z is not of the model: it takes a, b"),
        ({"a": [1.0], "b": [1.0, 2.0]}, "column b has 2 rows"),
        ({"a": [], "b": []}, "column a is not a list of values"),
        ({"a": 1.0, "b": [1.0]}, "column a is not a list of values"),
        ({}, "send"),
        ([1.0], "send"),
        (None, "send"),
    ],
)
def test_columns_that_do_not_fit_are_refused(inputs, fault):
    with pytest.raises(RefusedError, match=fault):
        read_columns({"inputs": inputs}, [column("double", "a"), column("double", "b")])


@pytest.mark.parametrize("body", [None, [], "text", 7, {"instances": [1]}])
def test_a_body_of_another_form_is_told_the_right_one(body):
    with pytest.raises(RefusedError, match='send {"inputs"'):
        read_columns(body, [column("double")])


def test_columns_come_in_the_order_of_the_signature_whatever_the_order_of_the_request():
    specs = [column("double", "a"), column("double", "b")]
    assert read_columns({"inputs": {"b": [2.0], "a": [1.0]}}, specs) == [[1.0], [2.0]]


def test_a_real_column_that_is_not_required_may_hold_null_or_be_absent():
    specs = [column("double", "a"), column("double", "b", required=False)]
    for inputs in ({"a": [1.0, 2.0]}, {"a": [1.0, 2.0], "b": [None, None]}):
        first, second = read_columns({"inputs": inputs}, specs)
        assert first == [1.0, 2.0]
        assert len(second) == 2
        assert all(map(math.isnan, second))


@pytest.mark.parametrize("kind", ["long", "boolean", "string"])
def test_other_columns_have_no_null(kind):
    with pytest.raises(RefusedError, match="column c"):
        read_columns({"inputs": {"c": [None]}}, [column(kind, required=False)])


def test_a_tensor_has_rows_of_its_shape():
    assert read_columns({"inputs": {"input": [[1, 2], [3, 4]]}}, [tensor([-1, 2])]) == [[[1, 2], [3, 4]]]
    assert read_columns({"inputs": {"t": [[[1], [2], [3]]]}}, [tensor([-1, -1, 1], "t")]) == [[[[1], [2], [3]]]]
    for rows in ([1, 2], [[1]], [[1, "a"]], [[1, None]]):
        with pytest.raises(RefusedError, match="column input"):
            read_columns({"inputs": {"input": rows}}, [tensor([-1, 2])])
    assert name_of(tensor([-1])) == "input"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(json_values | st.fixed_dictionaries({"inputs": st.dictionaries(st.sampled_from("abc"), json_values)}))
def test_whatever_is_sent_is_read_or_refused(body):
    try:
        columns = read_columns(body, [column("double", "a"), column("long", "b"), tensor([-1, 2], "c")])
    except RefusedError:
        return
    assert len({len(values) for values in columns}) == 1


@given(json_values)
def test_every_output_can_be_written_as_json(value):
    json.dumps(plain(value), allow_nan=False)


@given(st.binary(max_size=20))
def test_a_body_is_parsed_or_refused(raw):
    try:
        parse(raw)
    except RefusedError as error:
        assert str(error) == "the body is not JSON"
