"""From tensors to a model's inputs, after its signature."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.models import infer_signature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import Array

from model_lifecycle.core.errors import Invalid
from model_lifecycle.scorer.inputs import Inputs
from model_lifecycle.scorer.protocol import DATATYPES, Tensor
from tests.models import quiet

TYPES = ("boolean", "integer", "long", "float", "double", "string", "datetime")
SCHEMA = Schema([ColSpec(kind, kind) for kind in TYPES] + [ColSpec(kind, f"{kind}?", False) for kind in TYPES])
GOOD = {
    "boolean": ("BOOL", [True, False]),
    "integer": ("INT32", [1, -(2**31)]),
    "long": ("INT64", [1, 2**63 - 1]),
    "float": ("FP32", [1.5, 2]),
    "double": ("FP64", [1.5, 1e300]),
    "string": ("BYTES", ["AA", "Zürich\x00"]),
    "datetime": ("BYTES", ["2013-01-31T05:15:00", "2013-02-28"]),
}


def tensors(**changes: tuple[str, list[object]] | None) -> list[Tensor]:
    values = {**GOOD, **changes}
    return [Tensor(name, value[0], (len(value[1]),), list(value[1])) for name, value in values.items() if value]


def test_every_type_of_a_signature_becomes_a_column_of_its_type():
    frame = Inputs(SCHEMA).read(tensors())
    # Integers and booleans have no null: where they are absent there is no column.
    assert list(frame.columns) == [*TYPES, "float?", "double?", "string?", "datetime?"]
    expected = ["bool", "int32", "int64", "float32", "float64"]
    assert [str(frame[name].dtype) for name in TYPES[:5]] == expected
    assert frame["string"].tolist() == ["AA", "Zürich\x00"]
    assert frame["datetime"].tolist() == [pd.Timestamp("2013-01-31 05:15"), pd.Timestamp("2013-02-28")]
    assert frame["double?"].isna().all()


@pytest.mark.parametrize("datatype", ["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"])
@pytest.mark.parametrize("kind", ["integer", "long", "float", "double"])
def test_integers_of_any_width_are_widened(kind, datatype):
    frame = Inputs(Schema([ColSpec(kind, "x")])).read([Tensor("x", datatype, (2, 1), [0, 100])])
    assert frame["x"].tolist() == [0, 100]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"double": None}, "input 'double' is missing"),
        ({"other": ("FP64", [1.0, 2.0])}, "input 'other' is unknown; the model takes boolean, integer"),
        ({"long": ("FP64", [1.0, 2.0])}, "input 'long': datatype FP64 is not INT64"),
        ({"long": ("BYTES", ["1", "2"])}, "input 'long': datatype BYTES is not INT64"),
        ({"double": ("BYTES", ["1", "2"])}, "input 'double': datatype BYTES is not FP64"),
        ({"double": ("BOOL", [True, False])}, "input 'double': datatype BOOL is not FP64"),
        ({"boolean": ("INT64", [1, 0])}, "input 'boolean': datatype INT64 is not BOOL"),
        ({"string": ("INT64", [1, 0])}, "input 'string': datatype INT64 is not BYTES"),
        ({"double": ("FP64", [1.0, "2"])}, r"input 'double': '2' is not a FP64 \(row 1\)"),
        ({"double": ("FP64", [1.0, [2.0]])}, r"input 'double': \[2.0\] is not a FP64"),
        ({"double": ("FP64", [True, 1.0])}, "input 'double': True is not a FP64"),
        ({"double": ("FP64", [None, 1.0])}, "input 'double': null is not allowed"),
        ({"string": ("BYTES", ["a", None])}, "input 'string': null is not allowed"),
        ({"string": ("BYTES", [None, None])}, "input 'string': null is not allowed"),
        ({"long": ("INT64", [None, 1])}, "input 'long': null is not allowed"),
        ({"long?": ("INT64", [None, 1])}, r"input 'long\?': null is not allowed"),
        ({"boolean": ("BOOL", [None, True])}, "input 'boolean': null is not allowed"),
        ({"boolean": ("BOOL", [0, 1])}, "input 'boolean': 0 is not a BOOL"),
        ({"string": ("BYTES", ["a", 1])}, "input 'string': 1 is not a BYTES"),
        ({"string": ("BYTES", ["a", "\ud800"])}, "input 'string': a text is not Unicode"),
        ({"integer": ("INT8", [1, 128])}, "input 'integer': 128 is outside int8"),
        ({"integer": ("INT64", [1, 2**31])}, "input 'integer': 2147483648 is outside int32"),
        ({"long": ("UINT64", [1, 2**63])}, "input 'long': 9223372036854775808 is outside int64"),
        ({"double": ("FP64", [1.0, 10**400])}, "input 'double': a number is outside float64"),
        ({"double": ("FP64", [1.0, float("inf")])}, "input 'double': a number is outside float64"),
        ({"float": ("FP32", [1.0, 1e300])}, "input 'float': a number is outside float32"),
        ({"datetime": ("BYTES", ["2013-01-31", "soon"])}, "input 'datetime': a text is not an ISO 8601 time"),
        ({"datetime": ("BYTES", ["2013-01-31", "9" * 50])}, "input 'datetime': a text is not an ISO 8601 time"),
        ({"double": ("FP64", [1.0])}, "input 'double' has 1 rows, 'boolean' has 2"),
    ],
)
def test_a_wrong_column_is_invalid_with_its_name(changes, match):
    with pytest.raises(Invalid, match=match):
        Inputs(SCHEMA).read(tensors(**changes))


@pytest.mark.parametrize("shape", [(1, 2), (2, 1, 1)])
def test_a_column_of_another_shape_is_invalid(shape):
    with pytest.raises(Invalid, match=r"input 'x': shape .* is neither \[n\] nor \[n, 1\]"):
        Inputs(Schema([ColSpec("double", "x")])).read([Tensor("x", "FP64", shape, [1.0, 2.0])])


@pytest.mark.parametrize("kind", TYPES)
def test_no_rows_are_invalid(kind):
    with pytest.raises(Invalid, match="input 'x' has no rows"):
        Inputs(Schema([ColSpec(kind, "x")])).read([Tensor("x", GOOD[kind][0], (0,), [])])


@pytest.mark.parametrize("kind", ["float", "double", "string", "datetime"])
@pytest.mark.parametrize("datatype", ["FP64", "BYTES"])
def test_a_column_that_may_be_missing_takes_nulls_of_any_datatype(kind, datatype):
    schema = Schema([ColSpec("long", "id"), ColSpec(kind, "x", False)])
    ids = Tensor("id", "INT64", (2,), [1, 2])
    assert Inputs(schema).read([ids])["x"].isna().all()
    assert Inputs(schema).read([ids, Tensor("x", datatype, (2,), [None, None])])["x"].isna().all()


@pytest.mark.parametrize("values", [[1.5, None], ["a", None], [True, False], [1, 2], ["", ""]])
def test_what_comes_in_is_what_mlflow_inferred_the_signature_from(values):
    with quiet():
        schema = infer_signature(pd.DataFrame({"x": values, "n": [1, 2]})).inputs
    spec = Inputs(schema).describe()[0]
    frame = Inputs(schema).read([Tensor("x", spec["datatype"], (2,), values), Tensor("n", "INT64", (2,), [1, 2])])
    pd.testing.assert_frame_equal(frame, pd.DataFrame({"x": values, "n": [1, 2]}))


@pytest.mark.parametrize("column", [ColSpec(Array(DataType.double), "x"), ColSpec("binary", "x"), ColSpec("double")])
def test_a_signature_that_the_protocol_cannot_carry_is_refused_when_the_model_is_loaded(column):
    with pytest.raises(Invalid, match="no name, or a type"):
        Inputs(Schema([column]))


def test_a_model_without_a_signature_takes_one_matrix_of_numbers():
    inputs = Inputs(None)
    array = inputs.read([Tensor("anything", "FP32", (2, 2), [1, 2, 3, 4])])
    assert array.dtype == np.float32
    assert array.tolist() == [[1, 2], [3, 4]]
    assert inputs.describe() == [{"name": "input", "datatype": "FP64", "shape": [-1, -1]}]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ([Tensor("x", "FP64", (4,), [1, 2, 3, 4])], "input 'x': FP64 of shape .*takes numbers of shape"),
        ([Tensor("x", "BYTES", (1, 1), ["a"])], "input 'x': BYTES of shape"),
        ([Tensor("x", "FP64", (0, 3), [])], "input 'x' has no rows"),
        ([Tensor("x", "FP64", (1, 1), [None])], "input 'x': null is not allowed"),
        ([Tensor("x", "FP64", (1, 1), [1]), Tensor("y", "FP64", (1, 1), [1])], "takes one tensor, not 2"),
    ],
)
def test_a_model_without_a_signature_refuses_anything_else(given, match):
    with pytest.raises(Invalid, match=match):
        Inputs(None).read(given)


def test_a_tensor_signature_takes_arrays_of_its_shape_and_type():
    inputs = Inputs(Schema([TensorSpec(np.dtype("float32"), (-1, 2))]))
    array = inputs.read([Tensor("any", "FP64", (1, 2), [1, 2])])
    assert (array.dtype, array.tolist()) == (np.float32, [[1, 2]])
    assert inputs.describe() == [{"name": "input", "datatype": "FP32", "shape": [-1, 2]}]
    for shape, data, match in [((2,), [1, 2], "shape"), ((1, 3), [1, 2, 3], "shape"), ((0, 2), [], "no rows")]:
        with pytest.raises(Invalid, match=match):
            inputs.read([Tensor("any", "FP64", shape, data)])
    with pytest.raises(Invalid, match="input 'any': datatype BYTES is not FP32"):
        inputs.read([Tensor("any", "BYTES", (1, 2), ["a", "b"])])


def test_named_tensors_become_a_dict_of_arrays():
    specs = [TensorSpec(np.dtype("int64"), (-1,), "a"), TensorSpec(np.dtype("str"), (-1,), "b")]
    arrays = Inputs(Schema(specs)).read([Tensor("b", "BYTES", (1,), ["t"]), Tensor("a", "INT8", (1,), [3])])
    assert {name: array.tolist() for name, array in arrays.items()} == {"a": [3], "b": ["t"]}
    with pytest.raises(Invalid, match="input 'a' is missing"):
        Inputs(Schema(specs)).read([Tensor("b", "BYTES", (1,), ["t"])])


values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()) | st.just([])


@given(
    name=st.sampled_from(SCHEMA.input_names()),
    datatype=st.sampled_from(DATATYPES),
    data=st.lists(values, min_size=2, max_size=2),
)
def test_no_tensor_makes_another_error_than_invalid(name, datatype, data):
    try:
        frame = Inputs(SCHEMA).read(tensors(**{name: (datatype, data)}))
    except Invalid as error:
        assert name in error.message
    else:
        assert len(frame) == 2
