"""ONNX: standard operators, and data that the artifact holds."""

from __future__ import annotations

import pytest

from model_lifecycle.stores.formats import onnx
from model_lifecycle.stores.formats.blob import Blob
from tests.trust import raw
from tests.trust.look import refusal, trip


def looks(data: bytes) -> bool:
    return onnx.looks(Blob.of_bytes(data), "x", trip())


def test_a_model_of_standard_operators_passes():
    data = raw.onnx(raw.node("Gemm"), raw.node("TreeEnsemble", "ai.onnx.ml"), raw.node("Gelu", "com.microsoft"))
    assert looks(data)
    assert refusal(data, "any.name") is None
    assert "formats onnx" in str(refusal(data, words={"formats": ["text"], "exact": True}))


def test_operators_of_a_library_need_code_and_local_functions_do_not():
    assert "operators of evil" in str(refusal(raw.onnx(raw.node("X", "evil"))))
    assert refusal(raw.onnx(raw.node("X", "evil")), words="code") is None
    own = raw.field(1, "Mine") + raw.field(10, "mine") + raw.field(7, raw.node("Relu"))
    assert refusal(raw.onnx(raw.node("Mine", "mine"), functions=(own,))) is None
    inside = raw.field(1, "Mine") + raw.field(10, "mine") + raw.field(7, raw.node("X", "evil"))
    assert "operators of evil" in str(refusal(raw.onnx(raw.node("Mine", "mine"), functions=(inside,))))


def test_a_second_graph_or_a_second_name_hides_nothing():
    assert "EPContext" in str(refusal(raw.onnx() + raw.field(7, raw.field(1, raw.node("EPContext")))))
    twice = raw.node("Relu") + raw.field(4, "PyOp") + raw.field(4, "Relu")
    assert "PyOp" in str(refusal(raw.onnx(twice)))


@pytest.mark.parametrize("location", ["../x", "/x", "a/../b", "missing.bin", "", "a\\b", ".hidden", "http://x/y"])
@pytest.mark.parametrize("place", ["graph", "node", "sparse", "training"])
def test_data_elsewhere_is_refused_wherever_it_is_named(location, place):
    tensor = raw.external(location)
    if place == "node":
        data = raw.onnx(raw.node("Constant", attribute=raw.field(1, "value") + raw.field(5, tensor)))
    elif place == "sparse":
        data = raw.onnx() + raw.field(7, raw.field(15, raw.field(1, tensor)))
    elif place == "training":
        data = raw.onnx() + raw.field(20, raw.field(1, raw.field(5, tensor)))
    else:
        data = raw.onnx(tensors=(tensor,))
    assert "no file of the artifact" in str(refusal(data, "model.onnx", "code, unknown"))


def test_an_entry_with_two_places_counts_as_both():
    entry = raw.field(1, "offset") + raw.field(1, "location") + raw.field(2, "model.onnx") + raw.field(2, "../x")
    data = raw.onnx(tensors=(raw.field(13, entry),))
    assert "no file of the artifact" in str(refusal(data, "model.onnx"))


def test_data_beside_the_model_is_claimed_from_its_folder():
    inspection = trip(**{"onnx/model.onnx": 1, "onnx/w__bin": 1, "w__bin": 1})
    onnx.check(Blob.of_bytes(raw.onnx(tensors=(raw.external("w.bin"),))), "onnx/model.onnx", inspection)
    assert inspection.claimed == {"onnx/w.bin"}


@pytest.mark.parametrize(
    "data",
    [b"", b"text", raw.saved_model("MatMul"), raw.field(7, b""), raw.onnx() + b"\x08", raw.onnx() + raw.field(30, 1)],
)
def test_other_bytes_are_no_model(data):
    assert not looks(data)


def test_a_broken_graph_is_refused():
    assert "broken ONNX" in str(refusal(raw.field(1, 8) + raw.field(7, b"\x0f") + raw.field(8, raw.field(2, 17))))
