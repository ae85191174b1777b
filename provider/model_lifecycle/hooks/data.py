"""Tables where they lie: the one way by which operators list and open data, in folders, HDFS and S3.

``hdfs://<conn_id>@/path`` is read through WebHDFS and ``s3://<conn_id>@bucket/key`` through boto3, both in ranges;
``file:///path`` and plain paths from the disk. Any other URI is left to Airflow's own object storage.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast
from urllib.parse import quote, unquote

from airflow.sdk import BaseHook, ObjectStoragePath

from model_lifecycle.core.errors import Denied, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.s3_data import S3Objects
from model_lifecycle.hooks.store import hdfs_access

_WILD = frozenset("*?[")
_ERRORS: dict[int, type[ModelLifecycleError]] = {
    errno.ENOENT: NotFound,
    errno.ENOTDIR: NotFound,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
    errno.EISDIR: Invalid,
    errno.ELOOP: Invalid,
    errno.ENAMETOOLONG: Invalid,
}


class Tree(Protocol):
    """Files and folders of one system, by paths joined with ``/``."""

    def is_folder(self, path: str) -> bool:
        """Whether a folder lies there; NotFound if nothing does."""
        ...

    def children(self, path: str) -> list[tuple[str, bool]]:
        """The names in a folder, and which of them are folders."""
        ...

    def open(self, path: str) -> BinaryIO:
        """One file, seekable."""
        ...


def list_data(uri: str) -> list[str]:
    """The URIs of the files that a URI names, sorted: those below a folder, those that a pattern matches, or itself.

    A pattern has ``*``, ``?`` or ``[...]`` in the parts of its path; none crosses a slash, and a folder that matches
    stands for all files below it. Names that begin with ``_`` or ``.`` are overlooked below a folder, as Spark and
    Hive do, for they are marks and unfinished files.

    :raises NotFound: if there is no such file or folder; a pattern that matches nothing is an empty list.
    """
    tree, prefix, path = _located(uri)
    parts = path.split("/")
    fixed = next((number for number, part in enumerate(parts) if _WILD & set(part)), len(parts))
    base = "/".join(parts[:fixed]) or ("/" if path.startswith("/") else "")
    if fixed < len(parts):
        found = list(_matching(tree, base, parts[fixed:]))
    else:
        found = list(_below(tree, path)) if tree.is_folder(path) else [path]
    quoted = (quote(one, safe="/=+,:@") if prefix == "file://" else one for one in found)
    return [prefix + one for one in sorted(quoted)]


def open_data(uri: str) -> BinaryIO:
    """One file for reading, seekable, without more of it in memory than a few MiB.

    :raises NotFound: if there is no such file.
    :raises Denied: if it may not be read. :raises Unavailable: if its system does not answer now.
    """
    tree, _, path = _located(uri)
    return tree.open(path)


def _below(tree: Tree, folder: str) -> Iterator[str]:
    for name, is_folder in tree.children(folder):
        if name.startswith(("_", ".")):
            continue
        path = posixpath.join(folder, name)
        if is_folder:
            yield from _below(tree, path)
        else:
            yield path


def _matching(tree: Tree, folder: str, patterns: list[str]) -> Iterator[str]:
    pattern, *rest = patterns
    try:
        names = [(name, is_folder) for name, is_folder in tree.children(folder) if fnmatchcase(name, pattern)]
    except NotFound:
        return
    for name, is_folder in names:
        path = posixpath.join(folder, name)
        if is_folder:
            yield from _matching(tree, path, rest) if rest else _below(tree, path)
        elif not rest:
            yield path


def _located(uri: str) -> tuple[Tree, str, str]:
    """The system that a URI names, the URI's beginning, and the path there.

    :raises Invalid: if the URI has another form, or its connection cannot be used.
    """
    scheme, separator, rest = uri.partition("://")
    conn_id, at, path = rest.partition("@")
    if not separator:
        return _Disk(), "", uri
    if scheme == "file" and rest.startswith("/"):
        return _Disk(), "file://", unquote(rest)
    if scheme == "hdfs" and at and path.startswith("/"):
        from model_lifecycle.stores.webhdfs_reading import HdfsFiles

        urls, options = hdfs_access(check_name(conn_id, "connection"))
        return HdfsFiles(urls, **options), f"{scheme}://{conn_id}@", path
    if scheme == "s3" and at and "/" not in conn_id:
        return S3Objects(_connection(check_name(conn_id, "connection"))), f"{scheme}://{conn_id}@", path
    if scheme in ("file", "hdfs"):
        raise Invalid(f"{ascii(uri)[:300]} names no data", hint="write file:///path or hdfs://<conn_id>@/path")
    return _Objects(scheme), f"{scheme}://", rest


def _connection(conn_id: str) -> Any:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise Invalid(f"there is no connection {conn_id}", hint="make one of type aws") from error


@contextmanager
def _translated(path: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = _ERRORS.get(error.errno or 0, Unavailable)
        raise kind(f"{path} cannot be read: {error.strerror or error}") from error


class _Disk:
    """Folders of this machine."""

    def is_folder(self, path: str) -> bool:
        with _translated(path):
            Path(path).stat()
            return Path(path).is_dir()

    def children(self, path: str) -> list[tuple[str, bool]]:
        with _translated(path):
            return [(one.name, one.is_dir()) for one in Path(path or ".").iterdir()]

    def open(self, path: str) -> BinaryIO:
        with _translated(path):
            return Path(path).open("rb")


class _Objects:
    """What Airflow's object storage knows, with a provider of Airflow's own for the scheme."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme

    def is_folder(self, path: str) -> bool:
        found = self._at(path)
        with _translated(path):
            if not found.exists():
                raise NotFound(f"{path} does not exist")
            return bool(found.is_dir())

    def children(self, path: str) -> list[tuple[str, bool]]:
        with _translated(path):
            return [(one.name, one.is_dir()) for one in self._at(path).iterdir()]

    def open(self, path: str) -> BinaryIO:
        with _translated(path):
            return cast("BinaryIO", self._at(path).open("rb"))

    def _at(self, path: str) -> ObjectStoragePath:
        uri = f"{self.scheme}://{path}"
        try:
            found = ObjectStoragePath(uri)
            _ = found.fs  # where Airflow 3.1 finds out that it does not know the scheme
        except (ValueError, ImportError) as error:
            raise Invalid(f"{ascii(uri)[:300]} names no data: {error}") from error
        return found
