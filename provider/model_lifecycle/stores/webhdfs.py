"""HDFS over WebHDFS: each primitive proven on the NameNode, because its answers are not (Laws 1, 2 and 9).

WebHDFS of Hadoop 2.7 answers 201 for bytes that it lost, when a NameNode dies or a quota is full, and closes what a
killed client left behind so that it looks whole. So an upload counts only when length and checksum agree.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from model_lifecycle.core.errors import Conflict, Corrupt, Invalid, NotFound, Unavailable
from model_lifecycle.core.manifest import FileEntry
from model_lifecycle.stores.filesystem import Filesystem, Progress, part_of
from model_lifecycle.stores.sources import changed, opened
from model_lifecycle.stores.webhdfs_calls import Deadline, NameNodes
from model_lifecycle.stores.webhdfs_namespace import PLAIN_NAME, Namespace
from model_lifecycle.stores.webhdfs_quota import check_space
from model_lifecycle.stores.webhdfs_transfer import Body, PartFile, Read, reading

if TYPE_CHECKING:
    from requests import Session

FILE_MODE = "640"
BLOCK_SIZE = 128 << 20
SLOWEST = 2 << 20
"""Bytes per second: a transfer may take that much longer than the deadline of other verbs, and no more."""
BARREN = 4
"""Streams in a row that open and give no byte: then the stored bytes themselves cannot be read."""

_MAX_PATH = 4000


class WebHdfs(Filesystem):
    """Files below ``root`` of one HDFS. Files are stored with mode 640, folders with 750.

    :param urls: the addresses of all NameNodes, ``http://host:port``, or of a gateway with its base path.
    :param root: an absolute path of plain names.
    :param user: who we say we are, where nothing proves it; the operating system's user by default.
    :param session: carries TLS and proxies, and credentials where a gateway wants them; it is ours from now on.
    :param kerberos: prove who we are with the ticket of this process.
    :param timeout: seconds to connect, and seconds of silence.
    :param deadline: seconds for one verb, retries included; a transfer has one more for every 2 MiB.
    :param block_size: bytes of a block of the files we write, a multiple of 512.
    """

    def __init__(
        self,
        urls: Sequence[str],
        root: str,
        *,
        user: str | None = None,
        session: Session | None = None,
        kerberos: bool = False,
        timeout: tuple[float, float] = (5, 60),
        deadline: float = 600,
        block_size: int = BLOCK_SIZE,
    ) -> None:
        self.root, self.deadline, self.block_size = _checked_root(root), deadline, block_size
        self._nodes = NameNodes(urls, user=user, session=session, kerberos=kerberos, timeout=timeout)
        self._names = Namespace(self._nodes)

    def put(self, path: str, source: Path, entry: FileEntry, progress: Progress) -> None:  # noqa: D102 - see the base
        with opened(source) as fd:
            if os.fstat(fd).st_size != entry.size:
                raise changed(entry)
            self._store(path, lambda: reading(fd), entry.size, entry.sha256, progress)

    def put_bytes(self, path: str, data: bytes) -> None:  # noqa: D102
        self._store(path, lambda: BytesIO(data).readinto, len(data), sha256(data).hexdigest(), lambda _: None)

    def proven(self, path: str, source: Path, entry: FileEntry) -> bool:  # noqa: D102
        place, deadline = self._at(path), self._transfer(entry.size)
        try:
            stored = self._names.status(place, deadline)
        except NotFound:
            return False
        if (stored.kind, stored.length) != ("FILE", entry.size):
            return False
        with opened(source) as fd, Body(reading(fd), path, entry.size, stored.block_size, lambda _: None) as body:
            try:
                for _ in body:
                    deadline.limit()
            except Corrupt:
                return False
            return body.sha256.hexdigest() == entry.sha256 and self._same(place, body, deadline)

    def read_bytes(self, path: str, limit: int) -> bytes:  # noqa: D102
        place, deadline, used = self._at(path), self._transfer(limit), set[str]()

        def read() -> bytes:
            answer = self._nodes.through("_open", place, deadline, used, length=limit + 1)
            return b"".join(self._nodes.chunks(answer, deadline))

        data: bytes = deadline.attempts()(read)
        if len(data) > limit:
            raise Corrupt(f"{path} is longer than {limit:,} bytes", target=self._nodes.target)
        return data

    def get(self, path: str, target: Path, entry: FileEntry, progress: Progress) -> None:  # noqa: D102
        place, deadline = self._at(path), self._transfer(entry.size)
        wrong = Corrupt(f"{path} is stored with other bytes than its manifest says", target=self._nodes.target)
        if self._names.status(place, deadline).length != entry.size:
            raise wrong
        with PartFile(part_of(target), entry.size) as part:
            for _ in range(2):  # bytes taken up from an earlier try, or damaged on the way, earn a second look
                self._fill(part, place, entry.size, deadline, progress)
                if part.sha256.hexdigest() == entry.sha256:
                    return part.finish(target)
                progress(-part.received)
                part.restart()
            part.discard()
        raise wrong

    def tree(self, path: str) -> dict[str, int]:  # noqa: D102
        found = self._names.below(self._at(path), self._call())
        return {name: one.length if one.kind == "FILE" else -1 for name, one in found if not one.is_folder}

    def children(self, path: str) -> dict[str, datetime]:  # noqa: D102
        try:
            return {one.name: one.modified for one in self._names.listing(self._at(path), self._call())}
        except NotFound:
            return {}

    def modified(self, path: str) -> datetime:  # noqa: D102
        place, deadline = self._at(path), self._call()
        top = self._names.status(place, deadline)
        below = self._names.below(place, deadline) if top.is_folder else ()
        return max([top.modified, *(one.modified for _, one in below)])

    def rename_exclusive(self, source: str, target: str) -> None:  # noqa: D102
        self._names.rename(self._at(source), self._at(target), self._call())

    def make_folder(self, path: str) -> None:  # noqa: D102
        self._names.make(self._at(path), self._call())

    def remove(self, path: str) -> None:  # noqa: D102
        self._names.remove(self._at(path), self._call())

    def _at(self, path: str) -> str:
        """Where a path lies in HDFS: the one place where paths are formed.

        :raises Invalid: if it is not made of plain names, or would lie anywhere but below the root.
        """
        place = f"{self.root}/{path}"
        plain = isinstance(path, str) and len(place) <= _MAX_PATH and all(map(PLAIN_NAME.fullmatch, path.split("/")))
        if not plain or posixpath.normpath(place) != place or not place.startswith(f"{self.root}/"):
            raise Invalid(f"{ascii(path)[:200]} is not a path of plain names", target=self._nodes.target)
        return place

    def _call(self) -> Deadline:
        return Deadline(self.deadline)

    def _transfer(self, size: int) -> Deadline:
        return Deadline(self.deadline + size / SLOWEST)

    # Writing and its proof.

    def _store(self, path: str, source: Callable[[], Read], size: int, digest: str, progress: Progress) -> None:
        place, deadline, used = self._at(path), self._transfer(size), set[str]()

        def store() -> None:
            with Body(source(), path, size, self.block_size, progress) as body:
                self._send(place, body, deadline, used)
                if body.sent < body.size:
                    message = f"{place}: the server answered after {body.sent:,} of {body.size:,} bytes"
                    raise Unavailable(message, target=self._nodes.target)
                if body.sha256.hexdigest() != digest:
                    raise Corrupt(f"{path} changed before it was sent", hint="publish when nothing writes into it")
                self._prove(place, body, deadline)

        deadline.attempts()(store)

    def _send(self, place: str, body: Body, deadline: Deadline, used: set[str]) -> None:
        """Send the bytes to a new file, never to one that exists.

        A DataNode that comes only now to an earlier try of ours, or of a task thought dead, then fails; it could
        destroy what was proven meanwhile if files were overwritten.
        """
        self._names.make_parent(place, deadline)
        self._names.clear(place, deadline)
        asked = {"overwrite": "false", "blocksize": self.block_size, "permission": FILE_MODE}
        try:
            self._nodes.through("_create", place, deadline, used, body=body if body.size else b"", **asked)
        except Conflict as error:
            raise Unavailable(f"somebody else writes {place}: {error.message}", target=error.target) from error

    def _prove(self, place: str, body: Body, deadline: Deadline) -> None:
        try:
            stored = self._names.status(place, deadline)
            length, replication = stored.length, stored.replication
        except NotFound:
            length, replication = 0, 1
        if length == body.size and self._same(place, body, deadline):
            return
        sizes = {"size": body.size, "stored": length, "block_size": self.block_size, "replication": replication}
        check_space(self._nodes, place, deadline=deadline, **sizes)
        what = f"{length:,} of {body.size:,} bytes" if length != body.size else "other bytes than were sent"
        raise Unavailable(
            f"{place}: stored {what} although the server answered 201",
            target=self._nodes.target,
            hint="a NameNode or DataNode failed, or a space quota is used up",
        )

    def _same(self, place: str, body: Body, deadline: Deadline) -> bool:
        """Tell whether a file of the right length holds the bytes of the body.

        Where the server's checksum cannot agree (another algorithm, erasure coding, an encryption zone), the file is
        read back.
        """
        if not body.size or self._names.checksum(place, deadline) == body.checksum.result():
            return True
        used: set[str] = set()

        def read_back() -> bytes:
            digest = sha256()
            for chunk in self._nodes.chunks(self._nodes.through("_open", place, deadline, used), deadline):
                digest.update(chunk)
            return digest.digest()

        found: bytes = deadline.attempts()(read_back)
        return found == body.sha256.digest()

    # Reading.

    def _fill(self, part: PartFile, place: str, size: int, deadline: Deadline, progress: Progress) -> None:
        """Continue the unfinished file until it is whole; each try asks for the rest, from another DataNode.

        :raises Corrupt: if one try after the other opens the file and gets no further.
        """
        used: set[str] = set()
        barren = 0

        def fill() -> None:
            nonlocal barren
            answer = self._nodes.through("_open", place, deadline, used, offset=part.size, length=size - part.size)
            barren += 1
            try:
                for chunk in self._nodes.chunks(answer, deadline):
                    part.write(chunk)
                    progress(len(chunk))
                    barren = 0
                if part.size < size:
                    raise Unavailable(f"{place} ended at byte {part.size:,}", target=self._nodes.target)
            except Unavailable as error:
                if barren >= BARREN:
                    raise Corrupt(f"{place} cannot be read beyond byte {part.size:,}", target=error.target) from error
                raise

        if part.size < size:
            deadline.attempts()(fill)


def _checked_root(root: str) -> str:
    """The root without its last slash; nothing for ``/`` itself."""
    path = root.removesuffix("/") if isinstance(root, str) else ""
    before, *parts = path.split("/")
    plain = all(map(PLAIN_NAME.fullmatch, parts)) and len(path) <= _MAX_PATH // 2
    if before or not plain or not root:
        raise Invalid(f"{ascii(root)[:200]} is not an absolute path of plain names", hint="such as /models")
    return path
