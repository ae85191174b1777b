"""A file read in ranges behaves like the file itself, and never pretends that it is whole."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Unavailable
from model_lifecycle.stores.ranges import MOST, RangeFile, buffered

DATA = bytes(range(256)) * 40


def file(data: bytes = DATA) -> RangeFile:
    return RangeFile("table", len(data), lambda offset, length: data[offset : offset + length])


STEPS = st.lists(
    st.tuples(st.just("read"), st.integers(0, 9000)) | st.tuples(st.just("seek"), st.integers(0, 11_000)), max_size=20
)


@given(STEPS)
def test_reading_and_seeking_gives_what_the_bytes_themselves_give(steps: list[tuple[str, int]]) -> None:
    ours, theirs = buffered(file()), io.BytesIO(DATA)
    for step, number in steps:
        assert getattr(ours, step)(number) == getattr(theirs, step)(number)
        assert ours.tell() == theirs.tell()


def test_its_end_is_found_without_reading() -> None:
    asked: list[int] = []
    ours = RangeFile("table", 100, lambda offset, length: asked.append(offset) or bytes(length))  # type: ignore[func-returns-value]
    assert (ours.seek(-10, io.SEEK_END), ours.seek(5, io.SEEK_CUR), ours.readable(), ours.seekable()) == (90, 95, 1, 1)
    assert asked == []
    assert len(ours.read(50)) == 5


def test_no_range_is_larger_than_the_limit() -> None:
    lengths: list[int] = []

    def fetch(offset: int, length: int) -> bytes:
        lengths.append(length)
        return bytes(length)

    assert len(buffered(RangeFile("table", MOST * 2 + 7, fetch)).read()) == MOST * 2 + 7
    assert max(lengths) <= MOST


def test_a_range_that_came_short_is_never_taken_for_the_end() -> None:
    ours = RangeFile("table", 100, lambda offset, length: b"short")
    with pytest.raises(Unavailable, match="table gave 5 of 100 bytes"):
        ours.read(100)


def test_before_the_first_byte_there_is_nothing() -> None:
    with pytest.raises(ValueError, match="no byte -1"):
        file().seek(-1)
