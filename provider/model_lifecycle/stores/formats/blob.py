"""Bytes at random access: a file, a part of one, or what came out of an archive, a window of it in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Self

WINDOW = 1 << 16
BLOCK = 1 << 20


class Blob:
    """``size`` bytes that ``pread(length, offset)`` gives; reading past the end gives less."""

    def __init__(self, pread: Callable[[int, int], bytes], size: int, start: int = 0) -> None:
        self._pread, self.size, self._start = pread, size, start
        self._window, self._at = b"", 0

    @classmethod
    def of_file(cls, fd: int) -> Self:
        """The bytes of an open file; it must stay open."""
        return cls(lambda length, offset: os.pread(fd, length, offset), os.fstat(fd).st_size)

    @classmethod
    def of_bytes(cls, data: bytes) -> Self:
        """Bytes that are in memory already."""
        return cls(lambda length, offset: data[offset : offset + length], len(data))

    def read(self, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``offset``, also from outside; small reads side by side are one."""
        length = min(length, self.size - offset)
        if length <= 0 or offset < 0:
            return b""
        if length > WINDOW:
            return self._exactly(offset, length)
        if not self._at <= offset <= offset + length <= self._at + len(self._window):
            self._window, self._at = self._exactly(offset, min(WINDOW, self.size - offset)), offset
        return self._window[offset - self._at : offset - self._at + length]

    def part(self, offset: int, length: int) -> Blob:
        """A stretch of these bytes as a blob of its own, without a copy; it must lie inside."""
        return Blob(self._pread, length, self._start + offset)

    def blocks(self, offset: int = 0, overlap: int = 0) -> Iterator[bytes]:
        """All bytes from ``offset`` on, a MiB at a time, each with the last ``overlap`` bytes of the one before."""
        tail = b""
        while block := self.read(offset, BLOCK):
            offset += len(block)
            yield tail + block
            tail = (tail + block)[-overlap:] if overlap else b""

    def _exactly(self, offset: int, length: int) -> bytes:
        found = self._pread(length, self._start + offset)
        while 0 < len(found) < length:  # a file system may give less than it has
            more = self._pread(length - len(found), self._start + offset + len(found))
            if not more:
                break
            found += more
        return found
