"""What Python leaves out when it writes to a disk: modes of parents, whole files or none, locks, names that survive."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex


def make_folders(path: Path, mode: int) -> None:
    """Make a folder and its missing parents, all with this mode; :meth:`Path.mkdir` gives parents another."""
    missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    for folder in reversed(missing):
        folder.mkdir(mode, exist_ok=True)


def sync_folder(folder: str | Path) -> None:
    """Bring the names in a folder to disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_folders(top: Path) -> None:
    """Bring the names in a folder and in all folders below it to disk."""
    for folder, _, _ in os.walk(top):
        sync_folder(folder)


def replace_file(path: Path, text: str, mode: int | None = None) -> None:
    """Write a file as a whole, on disk before it has its name: readers find the old one or the new one, never half.

    :param mode: of the new file; what the umask leaves of 0o666 by default.
    :raises OSError: if it cannot be written; the old one stays, and nothing lies beside it.
    """
    part = path.with_name(f".{path.name}-{token_hex(8)}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "w") as out:
            if mode is not None:
                os.fchmod(out.fileno(), mode)
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock of a file, which is made if it is not there; that of a process that is killed is free again.

    :raises TimeoutError: if another process holds it for so long.
    :raises OSError: if the file cannot be opened, or its file system has no locks.
    """
    end = time.monotonic() + seconds
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        while not _taken(fd):
            if time.monotonic() > end:
                raise TimeoutError(f"another process holds {path}")
            time.sleep(0.02)
        yield
    finally:
        os.close(fd)


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
