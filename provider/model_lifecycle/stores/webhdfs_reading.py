"""Files of HDFS that others wrote, read in ranges through WebHDFS: their names may be any, and nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

from model_lifecycle.core.errors import Conflict, Invalid
from model_lifecycle.stores.ranges import RangeFile, buffered
from model_lifecycle.stores.webhdfs_calls import Deadline, NameNodes
from model_lifecycle.stores.webhdfs_namespace import Namespace

if TYPE_CHECKING:
    from requests import Session


class HdfsFiles:
    """What one HDFS holds; every call ends within its deadline (Law 9).

    :param urls: the addresses of all NameNodes.
    :param deadline: seconds for one call, retries included.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        user: str | None = None,
        session: Session | None = None,
        kerberos: bool = False,
        timeout: tuple[float, float] = (5, 60),
        deadline: float = 600,
    ) -> None:
        self.deadline = deadline
        self._nodes = NameNodes(urls, user=user, session=session, kerberos=kerberos, timeout=timeout)
        self._names = Namespace(self._nodes)

    def is_folder(self, path: str) -> bool:
        """Whether a folder lies there, or a file.

        :raises NotFound: if nothing does.
        """
        return self._names.status(_checked(path), Deadline(self.deadline)).kind == "DIRECTORY"

    def children(self, path: str) -> list[tuple[str, bool]]:
        """The names in a folder, and which of them are folders."""
        found = self._names.listing(_checked(path), Deadline(self.deadline))
        return [(one.name, one.kind == "DIRECTORY") for one in found]

    def open(self, path: str) -> BinaryIO:
        """A file as it is now, read from any of its DataNodes.

        :raises NotFound: if there is no such file.
        """
        found = self._names.status(_checked(path), Deadline(self.deadline))
        if found.kind == "DIRECTORY":
            raise Invalid(f"{path} is a folder", target=self._nodes.target)
        return buffered(RangeFile(path, found.length, lambda offset, length: self._range(path, offset, length)))

    def _range(self, path: str, offset: int, length: int) -> bytes:
        deadline, used = Deadline(self.deadline), set[str]()

        def read() -> bytes:
            answer = self._nodes.through("_open", path, deadline, used, offset=offset, length=length)
            return b"".join(self._nodes.chunks(answer, deadline))

        data: bytes = deadline.attempts()(read)
        if len(data) < length:
            raise Conflict(f"{path} became shorter while it was read", target=self._nodes.target)
        return data


def _checked(path: str) -> str:
    """An absolute path that means itself: no way up, and nothing that changes a URL.

    :raises Invalid: if it is another.
    """
    parts = path.split("/")
    if (
        not path
        or parts[0]
        or ".." in parts
        or "." in parts
        or any(ord(one) < ord(" ") or one in "#?\\" for one in path)
    ):
        raise Invalid(f"{ascii(path)[:200]} is not an absolute path of HDFS")
    return path.rstrip("/") or "/"
