"""ONNX graphs in the Python of multi-model-server's environment, which has ONNX Runtime."""

from __future__ import annotations

from tests.fixtures_archives import SIGNATURE, Made
from tests.handlers.archives import answers

BODY = {"inputs": {"y": [10.0, 20.0], "x": [1, 2]}}


def test_each_column_is_the_input_of_its_name(onnx: Made, tmp_path):
    found = answers(tmp_path, onnx("RIGHT", 5), SIGNATURE, "mms", [BODY])
    assert found == [(200, {"model_version": "3", "outputs": {"sum": [16.0, 27.0]}})]


def test_a_graph_of_one_input_gets_all_columns_in_the_order_of_the_signature(onnx: Made, tmp_path):
    ((status, answer),) = answers(tmp_path, onnx("STACKED", 0), SIGNATURE, "mms", [BODY])
    assert (status, answer["outputs"]) == (200, {"sum": [[11.0], [22.0]]})


def test_a_graph_that_takes_other_inputs_than_the_signature_names_is_told(onnx: Made, tmp_path):
    other = {"inputs": [{"type": "double", "name": name, "required": True} for name in ("x", "z")]}
    ((_, description),) = answers(tmp_path, onnx("RIGHT", 0), other, "mms", [{"describe": True}])
    assert description["fault"] == "ValueError: the graph takes ['x', 'y'], the signature names other inputs"


def test_what_fails_in_the_graph_is_500_and_what_cannot_be_loaded_503(onnx: Made, tmp_path):
    ((status, _),) = answers(tmp_path, onnx("FAILING", 0), SIGNATURE, "mms", [BODY])
    assert status == 500
    ((status, _),) = answers(tmp_path, onnx("BROKEN", 0), SIGNATURE, "mms", [BODY])
    assert status == 503
