"""The local ends of a transfer: the body of an upload, hashed as it is sent, and the unfinished file of a download."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from model_lifecycle.core.errors import Corrupt, Denied, Invalid, Unavailable
from model_lifecycle.stores.filesystem import Progress
from model_lifecycle.stores.hdfs_checksum import HadoopChecksum
from model_lifecycle.stores.sources import AHEAD, ahead

Read = Callable[[memoryview], int]
"""Fills a buffer from a source and returns the number of bytes, 0 at the end."""


class Body:
    """The bytes of one PUT: while a chunk is sent, the next is read and hashed in a thread of its own.

    What is hashed is the very buffer that is sent, so a checksum of the stored file that agrees with ``checksum`` says
    that exactly these bytes were stored, and ``sha256`` says which bytes these are.

    :param name: how errors call the source.
    :param size: the bytes to send; a source with more or less is Corrupt.
    """

    def __init__(self, read: Read, name: str, size: int, block_size: int, progress: Progress) -> None:
        self.name, self.size, self.sent = name, size, 0
        self.sha256, self.checksum = sha256(), HadoopChecksum(block_size)
        self._read, self._progress, self._taken = read, progress, 0
        self._chunks = self._ahead() if size > AHEAD else self._at_once()

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[memoryview]:
        return self._chunks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the thread, and take the progress back if the bytes cannot be relied on."""
        self._chunks.close()
        if error is not None and self.sent:
            self._progress(-self.sent)

    def _at_once(self) -> Generator[memoryview]:
        chunk = self._next(memoryview(bytearray(self.size)))
        self._next(chunk[:0])
        yield chunk
        self._tell(chunk)

    def _ahead(self) -> Generator[memoryview]:
        with closing(ahead(self._next)) as chunks:
            for chunk in chunks:
                yield chunk
                self._tell(chunk)

    def _tell(self, chunk: memoryview) -> None:
        self.sent += len(chunk)
        self._progress(len(chunk))

    def _next(self, buffer: memoryview) -> memoryview:
        """The next chunk, counted and hashed; empty after the last one.

        :raises Corrupt: if the source ends too early, or does not end.
        """
        wanted = buffer[: self.size - self._taken]
        filled = 0
        while filled < len(wanted) and (count := self._read(wanted[filled:])):
            filled += count
        if filled < len(wanted) or (not wanted and self._read(memoryview(bytearray(1)))):
            raise Corrupt(f"{self.name} changed while it was read", hint="publish when nothing writes into it")
        self._taken += filled
        self.sha256.update(wanted)
        self.checksum.update(wanted)
        return wanted


def reading(fd: int) -> Read:
    """Reads a file descriptor from its start.

    :raises Unavailable: if the disk does not give the bytes.
    """
    os.lseek(fd, 0, os.SEEK_SET)

    def read(buffer: memoryview) -> int:
        try:
            return os.readv(fd, [buffer])
        except OSError as error:
            raise Unavailable(f"reading failed: {error.strerror}") from error

    return read


class PartFile:
    """The unfinished file of a download: what it holds already is hashed once and then continued.

    ``size`` counts the bytes it holds, ``received`` those that were written into it since it was opened.

    :raises Invalid: if something else than a regular file lies under its name.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        with _translated(path):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            self._fd = os.open(path, flags, 0o600)
            if not stat.S_ISREG(os.fstat(self._fd).st_mode):
                os.close(self._fd)
                raise Invalid(f"{path} is not a regular file", hint="remove it")
            os.fchmod(self._fd, 0o600)
        self.sha256, self.size, self.received = sha256(), 0, 0
        self._take_up(limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._fd)

    def write(self, data: bytes) -> None:
        """Append the next bytes."""
        view = memoryview(data)
        with _translated(self.path):
            while view:
                view = view[os.write(self._fd, view) :]
        self.sha256.update(data)
        self.size += len(data)
        self.received += len(data)

    def restart(self) -> None:
        """Forget everything."""
        with _translated(self.path):
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
        self.sha256, self.size, self.received = sha256(), 0, 0

    def finish(self, target: Path) -> None:
        """Bring the bytes to disk, then give them their name."""
        with _translated(target):
            os.fsync(self._fd)
            self.path.replace(target)

    def discard(self) -> None:
        """Remove the file."""
        with _translated(self.path):
            self.path.unlink(missing_ok=True)

    def _take_up(self, limit: int) -> None:
        with _translated(self.path):
            if os.fstat(self._fd).st_size > limit:
                return self.restart()
            while data := os.read(self._fd, 1 << 20):
                self.sha256.update(data)
                self.size += len(data)
        return None


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise Denied(f"cannot write {path}: {error.strerror}") from error
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise Invalid(f"cannot write {path}: {error.strerror}") from error
    except OSError as error:
        kind = Invalid if error.errno in (errno.ELOOP, errno.ENXIO) else Unavailable
        raise kind(f"cannot write {path}: {error.strerror}") from error
