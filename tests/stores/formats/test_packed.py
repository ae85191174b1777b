"""Compressed files come out as they went in, and never as more than allowed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zlib

import pytest

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.stores.formats import packed
from model_lifecycle.stores.formats.blob import BLOCK, Blob
from model_lifecycle.stores.formats.packed import Packing, unpack
from tests.trust.look import trip

WAYS = {
    Packing.GZIP: gzip.compress,
    Packing.ZLIB: zlib.compress,
    Packing.BZIP2: bz2.compress,
    Packing.XZ: lzma.compress,
}
DATA = os.urandom(1000) + b"x" * (2 * BLOCK + 5) + os.urandom(BLOCK)


def unpacked(data: bytes, packing: Packing) -> bytes:
    with unpack(Blob.of_bytes(data), packing, "x", trip(x=len(data))) as blob:
        return blob.read(0, blob.size)


@pytest.mark.parametrize("packing", WAYS)
def test_what_went_in_comes_out(packing):
    data = WAYS[packing](DATA)
    assert packed.looks(Blob.of_bytes(data)) is packing
    assert unpacked(data, packing) == DATA
    assert unpacked(WAYS[packing](b""), packing) == b""


@pytest.mark.parametrize("packing", [Packing.GZIP, Packing.BZIP2, Packing.XZ])
def test_files_one_after_the_other_are_one(packing):
    assert unpacked(WAYS[packing](b"one") + WAYS[packing](b"two"), packing) == b"onetwo"


def test_lzma_of_the_old_kind_is_known():
    data = lzma.compress(DATA, lzma.FORMAT_ALONE)
    assert packed.looks(Blob.of_bytes(data)) is Packing.XZ
    assert unpacked(data, Packing.XZ) == DATA


@pytest.mark.parametrize("packing", WAYS)
@pytest.mark.parametrize(
    "change", [lambda data: data[:-3], lambda data: data + b"more", lambda data: data[:20] + b"~" * 9]
)
def test_anything_but_a_whole_file_is_refused(packing, change):
    with pytest.raises(Untrusted, match="broken"):
        unpacked(change(WAYS[packing](os.urandom(100))), packing)


def test_a_bomb_ends_at_the_bound():
    inspection = trip(x=10)
    inspection.expanded = 3 * BLOCK
    with pytest.raises(Untrusted, match="unpacks"):
        with unpack(Blob.of_bytes(gzip.compress(b"0" * 10 * BLOCK)), Packing.GZIP, "x", inspection):
            raise AssertionError


def test_a_file_that_asks_for_much_memory_is_refused(monkeypatch):
    monkeypatch.setattr(packed, "MAX_DICTIONARY", 1 << 20)
    with pytest.raises(Untrusted, match="broken"):
        unpacked(lzma.compress(b"x", preset=9), Packing.XZ)


@pytest.mark.parametrize("data", [b"", b"x", b"x^2 + y^2", b"BZh9 is no bzip2", b"\x1f", b"]\0\0nothing", b"h\x81text"])
def test_text_that_begins_alike_is_not_compressed(data):
    assert packed.looks(Blob.of_bytes(data)) is None
