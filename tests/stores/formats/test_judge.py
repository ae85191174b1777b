"""Every file is something: allowed, refused, or of no known format."""

from __future__ import annotations

import pytest

from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.judge import judge
from model_lifecycle.stores.formats.trip import Unknown
from tests.trust import raw
from tests.trust.look import refusal, trip
from tests.trust.malicious import call


def test_a_file_of_no_format_is_told_apart_from_one_that_is_refused():
    with pytest.raises(Unknown):
        judge(Blob.of_bytes(bytes(range(256))), "x", trip())
    judge(Blob.of_bytes(bytes(range(256))), "x", trip("unknown"))
    judge(Blob.of_bytes(b""), "x", trip())


@pytest.mark.parametrize("name", ["a.txt", "a.onnx", "a.safetensors", "a.png", "a.parquet", "a.ubj", "MLmodel.bak"])
def test_the_name_of_a_pickle_changes_nothing(name):
    assert "is a pickle" in str(refusal(call("true"), name, "unknown, code"))


def test_a_pickle_that_is_an_archive_too_is_refused_where_both_are_allowed():
    head = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
    data = head + b"\x80\x02N." + raw.zipped({"a.txt": b"x"})
    assert "at once" in str(refusal(data, words="pickle, unknown"))
