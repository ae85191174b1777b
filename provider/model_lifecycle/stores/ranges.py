"""A file that lies elsewhere, read in ranges: seekable, with no more in memory than one range."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

from model_lifecycle.core.errors import Unavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOST = 16 * 2**20
"""Bytes asked for at once: what a broken answer costs again."""
AHEAD = 2 * 2**20
"""Bytes read at least, since an answer of HDFS takes two requests, however few bytes it has."""


class RangeFile(io.RawIOBase):
    """The bytes of a stored file, by its offsets.

    :param name: how errors call it.
    :param size: its bytes when it was opened.
    :param fetch: gives the bytes of a range, ``fetch(offset, length)``; raises the errors of the storage system.
    """

    def __init__(self, name: str, size: int, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self.file, self.size = name, size
        self._fetch, self._position = fetch, 0

    def readable(self) -> bool:  # noqa: D102 - see io.RawIOBase
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def tell(self) -> int:  # noqa: D102
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:  # noqa: D102
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError(f"{self.file} has no byte {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer, or its beginning.

        :raises Unavailable: if fewer bytes came than the file had when it was opened.
        """
        view = memoryview(buffer).cast("B")
        length = min(len(view), max(0, self.size - self._position), MOST)
        if not length:
            return 0
        data = self._fetch(self._position, length)
        if len(data) != length:
            raise Unavailable(f"{self.file} gave {len(data):,} of {length:,} bytes from byte {self._position:,}")
        view[:length] = data
        self._position += length
        return length


def buffered(file: RangeFile) -> BinaryIO:
    """The same file with small reads put together."""
    return cast("BinaryIO", io.BufferedReader(file, AHEAD))
