"""Compressed files: gzip, zlib, bzip2, xz and LZMA, unpacked to a temporary file within the work allowed."""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from model_lifecycle.stores.formats.blob import BLOCK, Blob
from model_lifecycle.stores.formats.trip import Trip

IN_MEMORY = 8 << 20
"""Bytes that are unpacked in memory; more go to a temporary file that has no name."""
MAX_DICTIONARY = 256 << 20
"""Bytes of memory that unpacking one xz file may take."""


class Packing(Enum):
    """A way to compress."""

    DEFLATE = "a compressed stream"
    GZIP = "a gzip file"
    ZLIB = "a zlib stream"
    BZIP2 = "a bzip2 file"
    XZ = "an xz file"


_MAGIC = {
    Packing.GZIP: re.compile(rb"\x1f\x8b"),
    Packing.BZIP2: re.compile(rb"BZh[1-9](\x31\x41\x59\x26\x53\x59|\x17\x72\x45\x38\x50\x90)"),
    Packing.XZ: re.compile(rb"\xfd7zXZ\x00|\x5d\x00\x00"),
    Packing.ZLIB: re.compile(rb"[\x08\x18\x28\x38\x48\x58\x68\x78]"),
}
_ERRORS = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


def looks(blob: Blob) -> Packing | None:
    """How the bytes are compressed, if they are: by the first bytes, and by unpacking a little."""
    head = blob.read(0, 1 << 14)
    return next((packing for packing, magic in _MAGIC.items() if magic.match(head) and _begins(packing, head)), None)


def _begins(packing: Packing, head: bytes) -> bool:
    """Tell whether something can be unpacked; the first bytes alone are those of other files too."""
    if packing is Packing.ZLIB and int.from_bytes(head[:2], "big") % 31:
        return False
    stream = _Stream(packing)
    try:
        found = stream.take(head)
    except _ERRORS:
        return False
    return bool(found) or stream.eof or packing is not Packing.ZLIB


@contextmanager
def unpack(raw: Blob, packing: Packing, where: str, trip: Trip) -> Iterator[Blob]:
    """The unpacked bytes, counted against what the artifact may unpack to.

    :raises Untrusted: if it is too much, or the bytes are no whole file of that kind.
    """
    with SpooledTemporaryFile(IN_MEMORY) as out:
        try:
            for block in _unpacked(raw, packing):
                trip.expand(where, len(block))
                trip.step(where)
                out.write(block)
        except _ERRORS as error:
            found = f"is {packing.value} that is broken ({error})"
            raise trip.refuse(where, found, "nobody can see all of it") from error
        yield Blob(_reader(out), out.tell())


def _reader(file: IO[bytes]) -> Callable[[int, int], bytes]:
    def pread(length: int, offset: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    return pread


def _unpacked(raw: Blob, packing: Packing) -> Iterator[bytes]:
    stream = _Stream(packing)
    for block in raw.blocks():
        pending = block
        while True:
            if stream.eof and not (pending := stream.unused + pending):
                break
            if stream.eof:  # a file may go on with another one of its kind, and with nothing else
                stream = _Stream(packing)
            data, pending = stream.take(pending), b""
            if not data and not stream.eof:
                break
            yield data
    if not stream.eof:
        raise EOFError("it is cut")


class _Stream:
    """One compressed stream, unpacked a bounded piece at a time."""

    def __init__(self, packing: Packing) -> None:
        self._inner, self._rest = _DECOMPRESSORS[packing](), b""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return bool(self._inner.eof)

    @property
    def unused(self) -> bytes:
        """What stands behind its end, of the bytes given so far."""
        return bytes(self._inner.unused_data)

    def take(self, data: bytes) -> bytes:
        """The next piece; empty when more bytes are needed first."""
        piece = self._inner.decompress(self._rest + data, BLOCK)
        self._rest = getattr(self._inner, "unconsumed_tail", b"")
        return bytes(piece)


_DECOMPRESSORS: dict[Packing, Callable[[], Any]] = {
    Packing.DEFLATE: lambda: zlib.decompressobj(-15),
    Packing.GZIP: lambda: zlib.decompressobj(31),
    Packing.ZLIB: lambda: zlib.decompressobj(15),
    Packing.BZIP2: bz2.BZ2Decompressor,
    Packing.XZ: lambda: lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=MAX_DICTIONARY),
}
