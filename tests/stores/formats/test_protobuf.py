"""The wire: what is written is read, and what is cut or nested without end is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.protobuf import BYTES, VARINT, Malformed, fields, text, walk
from tests.trust import raw
from tests.trust.look import trip


def read(data: bytes) -> list[tuple[int, int | bytes]]:
    blob = Blob.of_bytes(data)
    found = fields(blob, 0, blob.size, "x", trip())
    return [(one.number, one.value if one.kind == VARINT else blob.read(one.start, one.size)) for one in found]


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 2**63 - 1) | st.binary(max_size=200))))
def test_what_is_written_is_read(written):
    assert read(b"".join(raw.field(number, value) for number, value in written)) == written


def test_numbers_of_fixed_length_are_stepped_over():
    assert read(b"\x09" + b"8bytes!!" + b"\x15" + b"4byt") == [(1, b"8bytes!!"), (2, b"4byt")]


@pytest.mark.parametrize(
    "data", [b"\x08", b"\x0a\x05abc", b"\x0b", b"\x0c", b"\x80" * 11, b"\x02\x00", b"\x09abc", b"\x0f"]
)
def test_what_is_no_message_is_malformed(data):
    with pytest.raises(Malformed):
        read(data)


def test_a_walk_goes_into_messages_of_the_schema_and_gives_the_rest():
    data = raw.field(1, raw.field(1, raw.field(2, "deep")) + raw.field(3, 5)) + raw.field(9, b"raw")
    found = list(walk(Blob.of_bytes(data), {"root": {1: "node"}, "node": {1: "node"}}, "root", "x", trip()))
    assert [(kind, field.number) for kind, field in found] == [("node", 2), ("node", 3), ("root", 9)]


def test_nesting_and_work_have_bounds():
    data = b""
    for _ in range(200):
        data = raw.field(1, data)
    with pytest.raises(Malformed, match="nested"):
        list(walk(Blob.of_bytes(data), {"root": {1: "root"}}, "root", "x", trip()))
    inspection = trip()
    inspection.steps = 5
    with pytest.raises(Untrusted, match="steps"):
        list(fields(Blob.of_bytes(b"\x08\x01" * 10), 0, 20, "x", inspection))


def test_text_is_text_and_short():
    blob = Blob.of_bytes(raw.field(1, "abc") + raw.field(1, b"\xff") + raw.field(1, 3))
    good, wrong, number = fields(blob, 0, blob.size, "x", trip())
    assert (good.kind, text(blob, good)) == (BYTES, "abc")
    for one in (wrong, number):
        with pytest.raises(Malformed):
            text(blob, one)
    with pytest.raises(Malformed):
        text(blob, good, limit=2)
