"""MLflow reads from, and writes to, HDFS without a Hadoop client: artifact repositories found by entry point.

With this package installed, plain ``mlflow.pyfunc.load_model("models:/churn/3")`` reads ``webhdfs://`` and
``swebhdfs://`` sources, and what :class:`~model_lifecycle.hooks.mlflow.MlflowHook` registered from a ``file:///``
store. Every byte of a published artifact is proven by the SHA-256 of its manifest, and the manifest by the artifact's
name, before MLflow sees it; published artifacts can be neither written nor deleted through MLflow.

Names are those that :mod:`model_lifecycle.core.names` allows. The user is ``HADOOP_USER_NAME``, as for Hadoop's own
clients, else the one of the operating system. MLflow itself is the only importer of this module.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from mlflow.entities import FileInfo
from mlflow.environment_variables import MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES
from mlflow.exceptions import MlflowException
from mlflow.protos import databricks_pb2 as codes
from mlflow.store.artifact import host_policy
from mlflow.store.artifact.artifact_repo import ArtifactRepository

from model_lifecycle.core.errors import (
    Conflict,
    Corrupt,
    Denied,
    Invalid,
    ModelLifecycleError,
    NotFound,
    Unavailable,
)
from model_lifecycle.core.manifest import MAX_BYTES, FileEntry, Manifest, is_digest
from model_lifecycle.core.names import MANIFEST_NAME, RELEASES_FOLDER, check_path
from model_lifecycle.stores import layout
from model_lifecycle.stores.disk import make_folders
from model_lifecycle.stores.filesystem import Filesystem, part_of
from model_lifecycle.stores.local import LocalFilesystem
from model_lifecycle.stores.sources import digest_of, opened
from model_lifecycle.stores.webhdfs import WebHdfs

MAX_PLAIN = 2**30
"""Bytes of one file without a manifest, which is read into memory."""

_SERVER_ROOTS = ("_MLFLOW_SERVER_ARTIFACT_ROOT", "_MLFLOW_SERVER_ARTIFACT_DESTINATION")
"""Where ``mlflow server`` tells its workers about its own artifacts."""

_CODES: dict[type[ModelLifecycleError], int] = {
    Unavailable: codes.TEMPORARILY_UNAVAILABLE,
    NotFound: codes.RESOURCE_DOES_NOT_EXIST,
    Conflict: codes.RESOURCE_CONFLICT,
    Corrupt: codes.DATA_LOSS,
    Denied: codes.PERMISSION_DENIED,
    Invalid: codes.INVALID_PARAMETER_VALUE,
}


class FilesystemArtifactRepository(ArtifactRepository):
    """Artifacts below one URI of a :class:`Filesystem`; MLflow's contract, with MLflow's errors.

    A URI that leads into a published artifact, at any depth, is read by that artifact's manifest. Anything else is a
    plain folder, such as the artifact root of an MLflow run.
    """

    def __init__(self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        with _as_mlflow():
            _refuse_foreign_host(artifact_uri)
            root, self._top, self._inner, self._digest = _split(unquote(urlsplit(artifact_uri).path))
            self.files = self._open(root)

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        """What lies directly under ``path``; empty if that is a file or nothing."""
        with _as_mlflow():
            prefix = self._place(path)
            return [
                FileInfo(_joined(path, name), size is None, size)
                for name, size in sorted(_children(self._lengths(), prefix).items())
            ]

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        with _as_mlflow():
            place, target = self._place(remote_file_path), Path(local_path)
            make_folders(target.parent, 0o777)
            if self._manifest is None:
                self._download_plain(place, target)
                return
            entry = next((entry for entry in self._manifest.files if entry.path == place), None)
            if entry is None:
                raise NotFound(f"the artifact holds no file {ascii(place)[:200]}", target=self.artifact_uri)
            self.files.get(f"{self._top}/{place}", target, entry, _unseen)

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        """Store one file, proven before it has its name; a file of that name is replaced."""
        with _as_mlflow():
            self._refuse_published("written")
            self._store(Path(local_file), _joined(artifact_path, Path(local_file).name))

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Store the files of a folder, several at a time; empty folders are left out."""
        with _as_mlflow():
            self._refuse_published("written")
            top = Path(local_dir).resolve()
            files = [path for path in sorted(top.rglob("*")) if not path.is_dir()]
            names = [_joined(artifact_path, path.relative_to(top).as_posix()) for path in files]
            for _ in self.thread_pool.map(self._store, files, names):
                pass

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete a file or a folder, or everything; nothing happens if it does not exist."""
        with _as_mlflow():
            self._refuse_published("deleted")
            place = self._place(artifact_path)
            for name in [place] if place else list(self.files.children(self._top)):
                self.files.remove(f"{self._top}/{name}")

    @abstractmethod
    def _open(self, root: str) -> Filesystem:
        """The file system below ``root``, an absolute path."""

    @cached_property
    def _manifest(self) -> Manifest | None:
        """The manifest of the published artifact, itself proven by the artifact's name; None for a plain folder."""
        try:
            data = self.files.read_bytes(f"{self._top}/{MANIFEST_NAME}", MAX_BYTES)
        except NotFound:
            if self._digest is None:
                return None
            raise
        if self._digest not in (None, sha256(data).hexdigest()):
            raise Corrupt("the stored manifest is not the one that names the artifact", target=self.artifact_uri)
        return Manifest.from_json(data)

    def _lengths(self) -> dict[str, int]:
        if self._manifest is not None:
            return {entry.path: entry.size for entry in self._manifest.files}
        try:
            return {path: size for path, size in self.files.tree(self._top).items() if size >= 0}
        except NotFound:
            return {}

    def _place(self, path: str | None) -> str:
        """Where a path that MLflow names lies in the artifact, or in the plain folder; empty for the whole."""
        place = _joined(self._inner, path)
        return check_path(place, "artifact path") if place else ""

    def _download_plain(self, place: str, target: Path) -> None:
        part = part_of(target)
        part.write_bytes(self.files.read_bytes(f"{self._top}/{place}", MAX_PLAIN))
        part.replace(target)

    def _refuse_published(self, what: str) -> None:
        inside = f"/{RELEASES_FOLDER}/" in f"{urlsplit(self.artifact_uri).path}/"
        if inside or self._digest is not None or self._manifest is not None:
            raise Conflict(
                f"a published artifact is never {what} through MLflow",
                target=self.artifact_uri,
                hint="publish a new one with UploadModelOperator",
            )

    def _store(self, source: Path, path: str) -> None:
        with opened(source) as fd:
            entry = FileEntry(self._place(path), os.fstat(fd).st_size, digest_of(fd))
        target = f"{self._top}/{entry.path}"
        if self.files.proven(target, source, entry):
            return
        staging = layout.temporary(target.rpartition("/")[0], "entry")
        self.files.put(staging, source, entry, _unseen)
        self.files.remove(target)
        self.files.rename_exclusive(staging, target)


class WebHdfsArtifactRepository(FilesystemArtifactRepository):
    """``webhdfs://host:port[,host2:port2]/path``, and ``swebhdfs`` for TLS; the NameNodes may be several."""

    def _open(self, root: str) -> Filesystem:
        parts = urlsplit(self.artifact_uri)
        scheme = "https" if parts.scheme == "swebhdfs" else "http"
        urls = [f"{scheme}://{host}" for host in parts.netloc.split(",")]
        return WebHdfs(urls, root, user=os.environ.get("HADOOP_USER_NAME") or None)


class FolderArtifactRepository(FilesystemArtifactRepository):
    """``artifact-file:///path``, a published artifact of a ``file:///`` store.

    An MLflow server refuses ``file:`` sources, because whoever may register could read all of its disk through it.
    Under this scheme nothing but the files of a proven manifest can be read, and nothing written.
    """

    def _open(self, root: str) -> Filesystem:
        if self._digest is None or urlsplit(self.artifact_uri).netloc:
            raise Invalid("only published artifacts are read from a folder", target=self.artifact_uri)
        return LocalFilesystem(Path(root))


def _split(path: str) -> tuple[str, str, str, str | None]:
    """A path as the folder that holds the artifact, the artifact's own name, the place inside it, and its digest.

    If no part of the path is a digest, the whole names a plain folder.
    """
    parts = PurePosixPath(path).parts
    if len(parts) < 2 or parts[0] != "/" or ".." in parts:
        raise Invalid(f"{ascii(path)[:200]} is not the path of a folder")
    last = len(parts) - 1
    depth = next((number for number, part in enumerate(parts) if is_digest(part)), last)
    digest = parts[depth] if is_digest(parts[depth]) else None
    return str(PurePosixPath(*parts[:depth])), parts[depth], "/".join(parts[depth + 1 :]), digest


def _refuse_foreign_host(artifact_uri: str) -> None:
    """Inside a tracking server, connect only where its own artifacts lie, or where its administrator allows the scheme.

    Who may register a version chooses its source, and would otherwise send the server to any host. MLflow does the
    same for the schemes that it knows.
    """
    parts = urlsplit(artifact_uri)
    if not parts.netloc or not host_policy.is_tracking_server_process():
        return
    own = {urlsplit(os.environ.get(name, "")).netloc for name in _SERVER_ROOTS}
    allowed = MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES.get()  # type: ignore[no-untyped-call]
    if parts.netloc not in own and parts.scheme not in {scheme.lower() for scheme in allowed}:
        raise Denied(
            "this server does not connect to that host",
            target=artifact_uri,
            hint=f"its administrator can allow the scheme in {MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES.name}",
        )


def _children(lengths: dict[str, int], prefix: str) -> dict[str, int | None]:
    """Names directly under ``prefix`` with their sizes; None is a folder."""
    found: dict[str, int | None] = {}
    start = f"{prefix}/" if prefix else ""
    for path, size in lengths.items():
        if path.startswith(start):
            name, _, below = path.removeprefix(start).partition("/")
            found[name] = None if below else size
    return found


def _joined(*parts: str | None) -> str:
    return "/".join(part.strip("/") for part in parts if part and part.strip("/"))


def _unseen(count: int) -> None:
    """Progress that nobody watches: MLflow shows its own bar, by file."""


@contextmanager
def _as_mlflow() -> Iterator[None]:
    try:
        yield
    except ModelLifecycleError as error:
        code: Any = _CODES.get(type(error), codes.INTERNAL_ERROR)
        raise MlflowException(str(error), code) from error
