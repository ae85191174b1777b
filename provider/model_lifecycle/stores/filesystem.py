"""What a storage system must offer so that artifacts can be committed on it.

:class:`~model_lifecycle.stores.artifacts.ArtifactStore` holds the protocol and knows no system; a file system holds
the primitives and knows no protocol. Each primitive is proven, not believed: a method that returns has done its work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from model_lifecycle.core.manifest import FileEntry

Progress = Callable[[int], None]
"""Told the bytes moved since the last call, from any thread; less than nothing where a file starts over."""


def part_of(target: Path) -> Path:
    """Where the bytes of an unfinished ``target`` lie: beside it, under a name that no artifact's file can have."""
    return target.with_name(f".{target.name}.part")


class Filesystem(ABC):
    """Files and folders below one root.

    Every path is relative to the root, its parts joined by ``/`` and already checked against the allow-list of
    :mod:`model_lifecycle.core.names`; an implementation checks once more that it lies inside the root. Missing parents
    of a written path are made. All methods may be called from several threads at once, raise errors of
    :mod:`model_lifecycle.core.errors` only, and end within the file system's deadline (``Unavailable``).
    """

    @abstractmethod
    def put(self, path: str, source: Path, entry: FileEntry, progress: Progress) -> None:
        """Store the local file ``source`` at ``path``, replacing what is there, and prove it stored.

        The source is read once and must be a regular file (no link is followed) with the size and SHA-256 of ``entry``.

        :raises Corrupt: if the source is not what ``entry`` says.
        :raises Invalid: if the source cannot be read or is no regular file.
        :raises Denied: if the credentials, or a quota, do not allow it.
        """

    @abstractmethod
    def proven(self, path: str, source: Path, entry: FileEntry) -> bool:
        """Tell whether ``path`` holds the bytes of ``entry`` already, closed and proven end to end.

        ``source`` may be read to compute a checksum that the storage system can confirm. Never raises Corrupt.
        """

    @abstractmethod
    def put_bytes(self, path: str, data: bytes) -> None:
        """Store ``data`` at ``path``, replacing what is there, and prove it stored."""

    @abstractmethod
    def read_bytes(self, path: str, limit: int) -> bytes:
        """All bytes of a file.

        :raises NotFound: if there is no such file.
        :raises Corrupt: if the file is longer than ``limit``, or ends early.
        """

    @abstractmethod
    def get(self, path: str, target: Path, entry: FileEntry, progress: Progress) -> None:
        """Copy a stored file to the local ``target``, whose folder exists, its SHA-256 proven before it has that name.

        Unfinished bytes lie at ``part_of(target)``, a regular file of mode 0600 that is never followed as a link; a
        broken transfer is resumed within the deadline. The target's bytes are on disk (fsync) when this returns.

        :raises NotFound: if there is no such file.
        :raises Corrupt: if the stored bytes are not what ``entry`` says; nothing is left at ``target``.
        """

    @abstractmethod
    def tree(self, path: str) -> dict[str, int]:
        """Every file below a folder: its path relative to the folder, and its length in bytes.

        Anything that is neither file nor folder (a link) is listed with length -1.

        :raises NotFound: if there is no such folder.
        """

    @abstractmethod
    def children(self, path: str) -> dict[str, datetime]:
        """The names in a folder with their modification times in UTC; empty if there is no such folder."""

    @abstractmethod
    def modified(self, path: str) -> datetime:
        """The newest modification time, in UTC, of a file or folder and of everything below it.

        :raises NotFound: if it does not exist.
        """

    @abstractmethod
    def rename_exclusive(self, source: str, target: str) -> None:
        """Give a file or folder another name in one step that everybody sees whole or not at all.

        An answer that got lost is settled by looking: the source gone and the target there means done.

        :raises Conflict: if ``target`` exists; it is not touched.
        :raises NotFound: if ``source`` does not exist.
        """

    @abstractmethod
    def make_folder(self, path: str) -> None:
        """Make a folder and its parents; nothing happens if it exists.

        :raises Conflict: if a file lies there.
        """

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file, or a folder with everything below it; nothing happens if it does not exist."""
