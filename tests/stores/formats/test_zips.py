"""Zip archives of real writers are read whole; anything that readers could see differently is refused."""

from __future__ import annotations

import io
import os
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.stores.formats import zips
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.zips import Archive, safe_name
from tests.trust import raw
from tests.trust.look import trip

FILES = {"a.txt": b"text", "deep/er/b.bin": os.urandom(3000), "empty": b"", "ünicode.txt": b"x" * 50_000}


def contents(data: bytes) -> dict[str, bytes]:
    archive = Archive(Blob.of_bytes(data), "x.zip", trip(x=len(data)))
    found = {}
    for member in archive.members:
        with archive.open(member) as blob:
            found[member.name] = blob.read(0, blob.size)
    return found


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_what_python_writes_is_read(method):
    assert contents(raw.zipped(FILES, compression=method)) == FILES


def test_an_archive_that_was_streamed_or_is_made_for_giants_is_read():
    class Stream(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:
            self.data += bytes(data)
            return len(data)

    stream, giant = Stream(), io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:  # type: ignore[call-overload]
        archive.writestr("a.txt", b"text", compress_type=zipfile.ZIP_DEFLATED)
        archive.writestr("b.txt", b"text")
    assert contents(stream.data) == {"a.txt": b"text", "b.txt": b"text"}
    with zipfile.ZipFile(giant, "w") as archive, archive.open("a.npy", "w", force_zip64=True) as out:
        out.write(b"x" * 100)
    assert contents(giant.getvalue()) == {"a.npy": b"x" * 100}


@given(st.data())
def test_no_other_byte_makes_two_readers_differ(data):
    """Whatever is changed, what passes reads as Python's own reader reads it."""
    original = bytearray(raw.zipped({"a": b"one", "bb": b"two" * 20}, compression=8))
    at = data.draw(st.integers(0, len(original) - 1))
    original[at] = data.draw(st.integers(0, 255))
    try:
        found = contents(bytes(original))
    except Untrusted:
        return
    try:
        with zipfile.ZipFile(io.BytesIO(original)) as archive:
            theirs = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError):
        return
    assert sorted(theirs) == sorted(found)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"x" + data,
        lambda data: data + b"x",
        lambda data: data[:-1],
        lambda data: data[: data.index(b"PK\x01\x02")] + b"hidden" + data[data.index(b"PK\x01\x02") :],
        lambda data: data.replace(b"a.txt", b"b.txt", 1),
        lambda data: data[:-22] + data[-22:].replace(b"\x02\0\x02\0", b"\x01\0\x02\0"),
    ],
)
def test_an_archive_with_anything_else_in_it_is_refused(change):
    with pytest.raises(Untrusted, match="zip archive"):
        contents(change(raw.zipped({"a.txt": b"a", "c.txt": b"c"})))


def test_an_archive_is_found_wherever_a_reader_would_find_it():
    data = raw.zipped({"a": b"x"})
    assert zips.looks(Blob.of_bytes(data))
    assert zips.looks(Blob.of_bytes(b"in front " + data))
    assert zips.looks(Blob.of_bytes(data + b"behind"))
    assert not zips.looks(Blob.of_bytes(b"text about PK\x05\x06 and more of it, to the end of a long line"))
    assert not zips.looks(Blob.of_bytes(b""))


@pytest.mark.parametrize("name", ["a", "a/b.c", "a/", "ü"])
def test_a_name_inside_is_safe(name):
    assert safe_name(name)


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "./a", "a\\b", "C:a", "a\0", "a\n", "x" * 2000])
def test_a_name_that_leads_out_is_not(name):
    assert not safe_name(name)


def test_a_small_file_has_a_bound():
    archive = Archive(Blob.of_bytes(raw.zipped({"a": b"12345"})), "x", trip(x=100))
    assert archive.read(archive.members[0], 5) == b"12345"
    with pytest.raises(Untrusted, match="more than 4 bytes"):
        archive.read(archive.members[0], 4)
