"""Reading local files that are about to be stored: no link is followed, nothing that can block is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from itertools import cycle
from pathlib import Path

from model_lifecycle.core.errors import Corrupt, Invalid, Unavailable
from model_lifecycle.core.manifest import FileEntry, Manifest

BLOCK = 1 << 20
"""Bytes read at once; the same buffer is used again, so memory stays flat in the file's size."""
AHEAD = 4 << 20
"""Bytes read at once of a larger file, while those before are hashed or sent: there are two such buffers."""

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@contextmanager
def opened(path: Path | str, dir_fd: int | None = None) -> Iterator[int]:
    """A file descriptor of a regular file; a link, a FIFO, a socket or a device is refused, and none is waited for.

    :raises Invalid: if the file is of another kind or cannot be read.
    """
    try:
        fd = os.open(path, _FLAGS, dir_fd=dir_fd)
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}", hint="an artifact holds readable files only") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Invalid(f"{path} is not a regular file")
        yield fd
    finally:
        os.close(fd)


def blocks(fd: int) -> Iterator[memoryview]:
    """The bytes from the descriptor's position to its end; each block is valid until the next one is asked for.

    :raises Unavailable: if the disk does not give them.
    """
    if os.fstat(fd).st_size > AHEAD:
        yield from ahead(partial(_read, fd))
    else:
        buffer = memoryview(bytearray(BLOCK))
        while block := _read(fd, buffer):
            yield block


def ahead(fill: Callable[[memoryview], memoryview]) -> Generator[memoryview]:
    """What ``fill`` puts into a buffer and returns, until that is empty; while one is used the next is filled."""
    buffers = cycle([memoryview(bytearray(AHEAD)), memoryview(bytearray(AHEAD))])
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        following = reader.submit(fill, next(buffers))
        while block := following.result():
            following = reader.submit(fill, next(buffers))
            yield block


def _read(fd: int, buffer: memoryview) -> memoryview:
    try:
        return buffer[: os.readv(fd, [buffer])]
    except OSError as error:
        raise Unavailable(f"reading failed: {error.strerror}") from error


def digest_of(fd: int) -> str:
    """The SHA-256 of the bytes from the descriptor's position to its end, in hexadecimal."""
    digest = sha256()
    for block in blocks(fd):
        digest.update(block)
    return digest.hexdigest()


def promised(path: Path, entry: FileEntry) -> Iterator[memoryview]:
    """The bytes of a local file, never more than ``entry`` promises, and an error instead of an end that is wrong.

    :raises Corrupt: if the file is shorter, longer or other than ``entry`` says.
    :raises Invalid: if the file is of another kind or cannot be read.
    """
    digest, size = sha256(), 0
    with opened(path) as fd:
        for block in blocks(fd):
            size += len(block)
            if size > entry.size:
                break
            digest.update(block)
            yield block
    if size != entry.size or digest.hexdigest() != entry.sha256:
        raise changed(entry)


def sources_of(folder: Path, manifest: Manifest) -> dict[str, Path]:
    """Where each file of a manifest is read from.

    :raises Corrupt: if one is already seen not to be the file that was described.
    """
    top = folder.resolve()
    sources = {entry.path: top / entry.path for entry in manifest.files}
    for entry in manifest.files:
        source = sources[entry.path]
        try:
            right = source.parent.resolve() == source.parent and source.lstat().st_size == entry.size
        except OSError:
            right = False
        if not right:
            raise changed(entry)
    return sources


def changed(entry: FileEntry) -> Corrupt:
    """The error for a source file that is not, or no longer, what its manifest says."""
    return Corrupt(
        f"{entry.path} is not the file that was described: other size or SHA-256",
        hint="describe the folder again when nothing writes into it any more",
    )
