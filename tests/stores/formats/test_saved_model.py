"""SavedModels: operators that compute pass where the format is allowed, those that act do not."""

from __future__ import annotations

import pytest

from model_lifecycle.stores.formats import saved_model
from model_lifecycle.stores.formats.blob import Blob
from tests.trust import raw
from tests.trust.look import refusal, trip

ALLOWED = "tensorflow_saved_model"


def test_a_graph_that_computes_passes_where_the_format_is_allowed():
    data = raw.saved_model("MatMul", "Relu")
    assert "formats tensorflow_saved_model" in str(refusal(data, "m/saved_model.pb", "pickle, unknown"))
    assert refusal(data, "m/saved_model.pb", ALLOWED) is None


@pytest.mark.parametrize("operator", ["PyFunc", "EagerPyFunc", "ReadFile", "WriteFile", "PrintV2", "Custom>PyFunc"])
@pytest.mark.parametrize("in_function", [True, False])
def test_an_operator_that_acts_is_refused_wherever_it_stands(operator, in_function):
    data = raw.saved_model("MatMul", operator, in_function=in_function)
    assert "uses the operator" in str(refusal(data, "saved_model.pb", f"{ALLOWED}, code"))


@pytest.mark.parametrize("data", [b"", b"\x0f", b"text", raw.field(1, 1), raw.onnx()])
def test_what_tensorflow_would_find_nothing_in_is_refused(data):
    if data:
        assert refusal(data, "saved_model.pb", ALLOWED) is not None


def test_the_files_of_its_variables_are_claimed_and_no_others():
    inspection = trip(ALLOWED, **{"m/saved_model__pb": 1, "m/variables/variables__index": 1, "variables/x": 1})
    saved_model.check(Blob.of_bytes(raw.saved_model("MatMul")), "m/saved_model.pb", inspection)
    assert inspection.claimed == {"m/variables/variables.index", "m/fingerprint.pb"}


def test_layers_that_keras_keeps_beside_it_are_looked_at():
    data = b"\x0a\x10" + b'{"class_name": "Lambda"}'
    assert "Lambda" in str(refusal(data, "keras_metadata.pb", ALLOWED))
    assert refusal(data.replace(b"Lambda", b"Dense"), "keras_metadata.pb", ALLOWED) is None
