"""The JSON of the protocol: every wrong body is Invalid with the name of what is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.scorer.protocol import InferRequest, Tensor, read_object, read_request, shown, write_response


def body(*inputs: object, **more: object) -> bytes:
    return json.dumps({"inputs": list(inputs), **more}).encode()


def tensor(**changes: object) -> dict[str, object]:
    value = {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.0, 2.0], **changes}
    return {key: part for key, part in value.items() if part is not ...}


def test_a_request_is_read():
    request = read_request(body(tensor(), tensor(name="y"), id="7", outputs=[{"name": "output"}]))
    assert request.id == "7"
    assert request.outputs == ("output",)
    assert request.inputs[0] == Tensor("x", "FP64", (2,), [1.0, 2.0])


def test_nested_data_is_flattened_in_row_major_order():
    request = read_request(body(tensor(shape=[2, 2], data=[[1, 2], [3, 4]])))
    assert request.inputs[0].data == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "inputs is missing"),
        (b"{", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"inputs": [NaN]}', "NaN is not a JSON number"),
        (b'{"inputs": [-Infinity]}', "Infinity is not a JSON number"),
        (b'{"inputs": ' + b"9" * 5000 + b"}", "the body is not JSON"),
        (b'{"inputs": ' + b"[" * 100_000, "the body is not JSON"),
        (b'{"inputs": null}', "inputs is missing"),
        (b'{"inputs": {}}', "inputs is not a list"),
        (b'{"inputs": []}', "inputs holds no tensor"),
        (body(7), r"inputs\[0\] is not an object"),
        (body(tensor(name=...)), r"inputs\[0\] has no name"),
        (body(tensor(name="")), r"inputs\[0\] has no name"),
        (body(tensor(), tensor(name=3)), r"inputs\[1\] has no name"),
        (body(tensor(), tensor()), "input 'x' stands twice"),
        (body(tensor(datatype=...)), "input 'x': datatype None is none of BOOL"),
        (body(tensor(datatype="FLOAT")), "input 'x': datatype 'FLOAT' is none of BOOL"),
        (body(tensor(datatype=["FP64"])), "input 'x': datatype"),
        (body(tensor(shape=...)), "input 'x': shape is missing"),
        (body(tensor(shape=2)), "input 'x': shape is not a list"),
        (body(tensor(shape=[])), r"input 'x': shape \[\] is not a list of sizes"),
        (body(tensor(shape=[-1])), r"input 'x': shape \[-1\] is not"),
        (body(tensor(shape=[True, 2])), r"input 'x': shape \[True, 2\] is not"),
        (body(tensor(shape=[2.0])), r"input 'x': shape \[2.0\] is not"),
        (body(tensor(shape=[3])), r"input 'x': shape \[3\] does not fit 2 values"),
        (body(tensor(shape=[10**400])), "input 'x': shape"),
        (body(tensor(data=...)), "input 'x': data is missing"),
        (body(tensor(data="ab")), "input 'x': data is not a list"),
        (body(tensor(shape=[2, 2], data=[[1, 2], [3]])), "does not fit 3 values"),
        (body(tensor(), id=7), "id is not a string"),
        (body(tensor(), outputs="output"), "outputs is not a list"),
        (body(tensor(), outputs=[{}]), "outputs holds something without a name"),
    ],
)
def test_a_wrong_body_is_invalid_with_the_name_of_what_is_wrong(data, match):
    with pytest.raises(Invalid, match=match) as caught:
        read_request(data)
    assert len(caught.value.message) < 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
near_tensors = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("name", "shape", "datatype", "data", "parameters"), json_values)
)


@given(json_values | st.fixed_dictionaries({"inputs": st.lists(near_tensors | json_values, max_size=3)}))
def test_no_json_makes_another_error_than_invalid(value):
    try:
        read_request(json.dumps(value).encode())
    except Invalid as error:
        assert error.message.isascii()


@given(st.binary())
def test_no_bytes_make_another_error_than_invalid(data):
    try:
        read_object(data)
    except Invalid:
        pass


def test_a_response_names_the_version_and_repeats_the_id():
    outputs = [Tensor("a", "FP64", (1,), [1.0]), Tensor("b", "BYTES", (1,), ["\ud800"])]
    value = json.loads(write_response("churn", 3, InferRequest("id \ud800", (), None), outputs))
    assert (value["model_name"], value["model_version"], value["id"]) == ("churn", "3", "id \ud800")
    assert value["outputs"][0] == {"name": "a", "shape": [1], "datatype": "FP64", "data": [1.0]}
    assert [one["name"] for one in value["outputs"]] == ["a", "b"]


def test_a_client_gets_the_outputs_it_asks_for_and_no_others():
    outputs = [Tensor("a", "FP64", (1,), [1.0]), Tensor("b", "FP64", (1,), [2.0])]
    value = json.loads(write_response("churn", 3, InferRequest(None, (), ("b",)), outputs))
    assert [one["name"] for one in value["outputs"]] == ["b"]
    assert "id" not in value
    with pytest.raises(Invalid, match="output 'c' is unknown; the model has a, b"):
        write_response("churn", 3, InferRequest(None, (), ("c",)), outputs)


@given(st.text())
def test_what_is_shown_in_an_error_is_short_and_ascii(text):
    assert shown(text).isascii()
    assert len(shown(text * 100)) <= 80
