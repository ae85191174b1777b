"""TorchScript in the Python of TorchServe's environment."""

from __future__ import annotations

import pytest

from tests.fixtures_archives import SIGNATURE, Made
from tests.handlers.archives import answers


def tensor(shape: list[int], name: str | None = None, dtype: str = "float64") -> dict[str, object]:
    spec = {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}
    return spec if name is None else {**spec, "name": name}


def test_columns_are_stacked_in_the_order_of_the_signature(torchscript: Made, tmp_path):
    body = {"inputs": {"y": [10.0, 20.0], "x": [1, 2]}}
    named = {"model_version": "3", "outputs": {"sum": [16.0, 27.0], "first": [1.0, 2.0]}}
    assert answers(tmp_path, torchscript("NAMED", 5), SIGNATURE, "torchserve", [body]) == [(200, named)]


def test_tensors_are_arguments_and_what_is_no_number_is_null(torchscript: Made, tmp_path):
    signature = {
        "inputs": [tensor([-1, 2], "one"), tensor([-1, 2], "other", "float32")],
        "outputs": [tensor([-1, 2], "sum"), tensor([-1, 2], "ratio")],
    }
    body = {"inputs": {"one": [[1, 2], [3, 4]], "other": [[1, 0], [2, 2]]}}
    outputs = {"sum": [[2.0, 2.0], [5.0, 6.0]], "ratio": [[1.0, None], [1.5, 2.0]]}
    ((status, answer),) = answers(tmp_path, torchscript("PAIR", 0), signature, "torchserve", [body])
    assert (status, answer["outputs"]) == (200, outputs)


@pytest.mark.parametrize("name", [None, "rows"])
def test_the_one_tensor_of_a_model_may_have_no_name(torchscript: Made, tmp_path, name):
    signature = {"inputs": [tensor([-1, 2], name)], "outputs": None}
    body = {"inputs": {name or "input": [[1, 10], [2, 20]]}}
    ((status, answer),) = answers(tmp_path, torchscript("RIGHT", 1), signature, "torchserve", [body])
    assert (status, answer["outputs"]) == (200, {"output": [12.0, 23.0]})


def test_what_fails_in_the_model_is_500_and_what_cannot_be_loaded_503(torchscript: Made, tmp_path):
    body = {"inputs": {"x": [1.0], "y": [1.0]}}
    ((status, answer),) = answers(tmp_path, torchscript("FAILING", 0), SIGNATURE, "torchserve", [body])
    assert status == 500
    assert "trained on three columns" in answer["error"]
    broken = answers(tmp_path, torchscript("BROKEN", 0), SIGNATURE, "torchserve", [body, {"describe": True}])
    assert [status for status, _ in broken] == [503, 200]
    assert broken[1][1]["fault"].startswith("RuntimeError: expected ident")
