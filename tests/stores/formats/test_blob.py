"""Random access gives what is there, in whatever pieces it is asked for."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.stores.formats.blob import BLOCK, WINDOW, Blob


@given(st.binary(max_size=300), st.lists(st.tuples(st.integers(-5, 310), st.integers(-3, 310)), max_size=20))
def test_any_piece_is_what_a_slice_would_be(data, pieces):
    blob = Blob.of_bytes(data)
    for offset, length in pieces:
        wanted = data[offset : offset + length] if offset >= 0 and length > 0 else b""
        assert blob.read(offset, length) == wanted


@given(st.binary(min_size=10, max_size=100), st.integers(0, 9), st.integers(0, 90), st.integers(0, 95))
def test_a_part_knows_nothing_outside_of_itself(data, start, length, offset):
    length = min(length, len(data) - start)
    part = Blob.of_bytes(data).part(start, length)
    assert part.size == length
    assert part.read(offset, 100) == data[start : start + length][offset:]


def test_a_file_is_read_in_windows_and_large_pieces_as_a_whole(tmp_path: Path):
    data = os.urandom(3 * BLOCK + 17)
    (tmp_path / "x").write_bytes(data)
    with (tmp_path / "x").open("rb") as file:
        blob = Blob.of_file(file.fileno())
        assert blob.size == len(data)
        assert blob.read(WINDOW - 1, 2) == data[WINDOW - 1 : WINDOW + 1]
        assert blob.read(5, 2 * BLOCK) == data[5 : 5 + 2 * BLOCK]
        assert b"".join(blob.blocks()) == data
        overlapping = list(blob.blocks(overlap=10))
        assert [block[:10] for block in overlapping[1:]] == [block[-10:] for block in overlapping[:-1]]


def test_a_file_system_that_gives_less_at_a_time_changes_nothing():
    data = bytes(range(256)) * 1000
    blob = Blob(lambda length, offset: data[offset : offset + min(length, 1000)], len(data))
    assert blob.read(100, 200_000) == data[100:200_100]
    assert Blob(lambda length, offset: b"", 10).read(0, 10) == b""
