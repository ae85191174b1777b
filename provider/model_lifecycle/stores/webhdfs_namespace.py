"""What the NameNodes know: which files and folders there are, how long, since when, and under which names."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from model_lifecycle.core.errors import Conflict, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.stores.hdfs_checksum import FileChecksum
from model_lifecycle.stores.webhdfs_calls import Deadline, NameNodes, content

FOLDER_MODE = "750"
PLAIN_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9_-])?")
"""Every part of a path that we form. No leading dot: ``.snapshot`` is HDFS's own."""


@dataclass(frozen=True)
class Status:
    """What WebHDFS says of one file or folder; ``name`` is empty for the path that was asked for."""

    name: str
    kind: str
    length: int
    modified: datetime
    block_size: int
    replication: int
    identity: int
    """HDFS numbers its files and folders, and a rename keeps the number; 0 where a gateway hides it."""

    @classmethod
    def of_answer(cls, found: dict[str, Any]) -> Status:
        """From the JSON of a FileStatus."""
        return cls(
            name=str(found["pathSuffix"]),
            kind=str(found["type"]),
            length=int(found["length"]),
            modified=datetime.fromtimestamp(found["modificationTime"] / 1000, UTC),
            block_size=int(found["blockSize"]),
            replication=int(found["replication"]),
            identity=int(found.get("fileId") or 0),
        )

    @property
    def is_folder(self) -> bool:
        """A folder that could be ours; one with another name is treated like a link, and never entered."""
        return self.kind == "DIRECTORY" and (not self.name or PLAIN_NAME.fullmatch(self.name) is not None)


class Namespace:
    """Questions to the NameNodes, and changes of names. Every path is absolute and made of plain names."""

    def __init__(self, nodes: NameNodes) -> None:
        self.nodes = nodes
        self._made: set[str] = set()

    def status(self, place: str, deadline: Deadline) -> Status:
        """One file or folder.

        :raises NotFound: if it does not exist.
        """
        return content(self.nodes.look("_get_file_status", place, deadline), "FileStatus", read=Status.of_answer)

    def listing(self, place: str, deadline: Deadline) -> list[Status]:
        """What lies in a folder.

        :raises NotFound: if there is no such folder.
        """
        answer = self.nodes.look("_list_status", place, deadline)
        found = content(answer, "FileStatuses", "FileStatus", read=lambda rows: [Status.of_answer(row) for row in rows])
        if any(not one.name for one in found):
            raise NotFound(f"{place} is not a folder", target=self.nodes.target)
        return found

    def below(self, place: str, deadline: Deadline, prefix: str = "") -> Iterator[tuple[str, Status]]:
        """Everything below a folder, with its path relative to the folder.

        :raises NotFound: if there is no such folder.
        """
        for one in self.listing(place, deadline):
            yield prefix + one.name, one
            if one.is_folder:
                yield from self.below(f"{place}/{one.name}", deadline, f"{prefix}{one.name}/")

    def checksum(self, place: str, deadline: Deadline) -> FileChecksum | None:
        """The checksum that the server keeps of a file, or None if it keeps none."""
        try:
            answer = deadline.attempts()(self.nodes.through, "_get_file_checksum", place, deadline, set())
            return content(answer, "FileChecksum", read=FileChecksum.of_answer)
        except Invalid:
            return None

    def make(self, place: str, deadline: Deadline) -> None:
        """Make a folder and its parents.

        :raises Conflict: if a file lies there.
        """
        answer = self.nodes.ask("_mkdirs", place, deadline, permission=FOLDER_MODE)
        if not content(answer, "boolean", read=bool):
            raise Conflict(f"the folder {place} cannot be made", target=self.nodes.target)

    def make_parent(self, place: str, deadline: Deadline) -> None:
        """Make the folder that a path lies in, unless we did so before and moved nothing since."""
        parent = posixpath.dirname(place)
        if parent not in self._made:
            self.make(parent, deadline)
            self._made.add(parent)

    def clear(self, place: str, deadline: Deadline) -> None:
        """Remove a file if there is one.

        :raises Conflict: if it is a folder.
        """
        try:
            stored = self.status(place, deadline)
        except NotFound:
            return
        if stored.is_folder:
            raise Conflict(f"{place} is a folder", target=self.nodes.target)
        self.nodes.ask("_delete", place, deadline, recursive="false")

    def remove(self, place: str, deadline: Deadline) -> None:
        """Remove a file or a folder with everything below it, if there is one."""
        self.nodes.ask("_delete", place, deadline, recursive="true")
        self._made.clear()

    def rename(self, old: str, new: str, deadline: Deadline) -> None:
        """Rename exclusively; see :meth:`Filesystem.rename_exclusive`."""
        identity = self.status(old, deadline).identity
        self.make_parent(new, deadline)
        deadline.attempts()(self._rename, old, new, identity, deadline)
        self._made.clear()

    def _rename(self, old: str, new: str, identity: int, deadline: Deadline) -> None:
        try:
            answer = self.nodes.once("_rename", old, deadline, destination=new, renameoptions="NONE")
            if not answer.content:
                return
            # The plain rename, in the place of the one that was asked for, answers a boolean and promises nothing.
            failure: ModelLifecycleError = Conflict(f"{new} exists, or cannot be made", target=self.nodes.target)
        except (Conflict, NotFound, Unavailable) as error:
            failure = error
        try:
            found = self.status(new, deadline)
        except NotFound:
            raise failure from failure.__cause__
        if not self._is_ours(found, old, identity, deadline):
            # Of a file that shall go where a folder is, HDFS says IOException, which might have passed.
            raise Conflict(f"{new} exists", target=self.nodes.target) from failure

    def _is_ours(self, found: Status, old: str, identity: int, deadline: Deadline) -> bool:
        """Tell whether what lies at the new name is what lay at ``old``: the answer of a rename may have been lost."""
        if identity:
            return found.identity == identity
        try:
            self.status(old, deadline)
        except NotFound:
            return True
        return False
