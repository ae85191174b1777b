"""A folder of this machine, or one mounted from another, as a place for artifacts."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from model_lifecycle.core.errors import Conflict, Corrupt, Denied, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.core.manifest import FileEntry
from model_lifecycle.stores.artifacts import ArtifactStore
from model_lifecycle.stores.disk import make_folders, sync_folder, sync_folders
from model_lifecycle.stores.filesystem import Filesystem, Progress, part_of
from model_lifecycle.stores.sources import blocks, digest_of, promised

FILE_MODE, FOLDER_MODE = 0o640, 0o750
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_RENAME_NOREPLACE = 1
_AT_FDCWD = -100
_ERRORS: dict[int, type[ModelLifecycleError]] = {
    errno.ENOENT: NotFound,
    errno.EACCES: Denied,
    errno.EPERM: Denied,
    errno.EROFS: Denied,
    errno.EDQUOT: Denied,
    errno.EEXIST: Conflict,
    errno.ENOTEMPTY: Conflict,
    errno.ENOTDIR: Conflict,
    errno.EISDIR: Conflict,
    errno.ELOOP: Corrupt,
    errno.ENAMETOOLONG: Invalid,
}
"""What the kernel answers, and what it means to us; whatever is not listed (ENOSPC, EIO, ESTALE) may pass."""


def local_store(root: Path, *, uri: str | None = None, threads: int = 4) -> ArtifactStore:
    """The model store in a folder of this machine, made when something is first published."""
    files = LocalFilesystem(root)
    return ArtifactStore(files, files.root.as_uri(), uri=uri, threads=threads)


class LocalFilesystem(Filesystem):
    """Files below ``root``. What is written is on disk (fsync) before it is renamed, and so is the name after.

    Nothing below the root may be a symbolic link: a link there is reported as ``Corrupt``, never followed.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_absolute():
            raise Invalid(f"{root} is not an absolute path", hint="write file:///absolute/path")
        self.root = root.resolve()

    def put(self, path: str, source: Path, entry: FileEntry, progress: Progress) -> None:  # noqa: D102 - see the base
        self._write(path, promised(source, entry), progress)

    def proven(self, path: str, source: Path, entry: FileEntry) -> bool:  # noqa: D102
        with _translated(path):
            target = self._at(path)
            if not _is_file(target) or target.stat().st_size != entry.size:
                return False
            return _sha256(target) == entry.sha256

    def put_bytes(self, path: str, data: bytes) -> None:  # noqa: D102
        self._write(path, [memoryview(data)] if data else [], lambda _: None)

    def read_bytes(self, path: str, limit: int) -> bytes:  # noqa: D102
        data = bytearray()
        with _translated(path), _reading(self._at(path)) as fd:
            for block in blocks(fd):
                data += block
                if len(data) > limit:
                    raise Corrupt(f"{path} is longer than {limit:,} bytes")
        return bytes(data)

    def get(self, path: str, target: Path, entry: FileEntry, progress: Progress) -> None:  # noqa: D102
        part, digest, size = part_of(target), sha256(), 0
        with _translated(path), _reading(self._at(path)) as fd, _new_file(part, 0o600) as out:
            for block in blocks(fd):
                size += len(block)
                if size > entry.size:
                    break
                digest.update(block)
                _write_all(out, block)
                progress(len(block))
        if size != entry.size or digest.hexdigest() != entry.sha256:
            part.unlink()
            raise Corrupt(f"{path} is stored with other bytes than its manifest says", target=self.root.as_uri())
        with _translated(path):
            part.replace(target)

    def tree(self, path: str) -> dict[str, int]:  # noqa: D102
        with _translated(path):
            top = self._at(path)
            return {found.relative_to(top).as_posix(): size for found, size in _files(top)}

    def children(self, path: str) -> dict[str, datetime]:  # noqa: D102
        try:
            with _translated(path), os.scandir(self._at(path)) as entries:
                return dict(_times(entries))
        except NotFound:
            return {}

    def modified(self, path: str) -> datetime:  # noqa: D102
        with _translated(path):
            top = self._at(path)
            newest = top.lstat().st_mtime
            for folder, folders, files in os.walk(top):
                newest = max([newest, *(Path(folder, name).lstat().st_mtime for name in folders + files)])
            return datetime.fromtimestamp(newest, UTC)

    def rename_exclusive(self, source: str, target: str) -> None:  # noqa: D102
        with _translated(f"{source} as {target}"):
            old, new = self._at(source), self._at(target)
            if old.is_dir():
                sync_folders(old)
            elif not os.path.lexists(old):
                raise NotFound(f"{source} does not exist", target=self.root.as_uri())
            make_folders(new.parent, FOLDER_MODE)
            _rename_exclusive(old, new)
            sync_folder(new.parent)

    def make_folder(self, path: str) -> None:  # noqa: D102
        with _translated(path):
            make_folders(self._at(path), FOLDER_MODE)

    def remove(self, path: str) -> None:  # noqa: D102
        try:
            with _translated(path):
                target = self._at(path)
                if stat.S_ISDIR(target.lstat().st_mode):
                    shutil.rmtree(target)
                else:
                    target.unlink()
        except NotFound:
            return

    def _write(self, path: str, data: Iterable[memoryview], progress: Progress) -> None:
        with _translated(path):
            target = self._at(path)
            make_folders(target.parent, FOLDER_MODE)
            with _new_file(target, FILE_MODE) as fd:
                for block in data:
                    _write_all(fd, block)
                    progress(len(block))

    def _at(self, path: str) -> Path:
        target = self.root / path
        if target.parent.resolve() != target.parent or not target.is_relative_to(self.root):
            raise Corrupt(f"{path} leads out of the store through a link", target=self.root.as_uri())
        return target


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = _ERRORS.get(error.errno or 0, Unavailable)
        raise kind(f"{what}: {error.strerror or error}") from error


@contextmanager
def _new_file(path: Path, mode: int) -> Iterator[int]:
    """A file that nobody else has open: a writer thought dead may still hold the one that lay there."""
    path.unlink(missing_ok=True)
    fd = os.open(path, _WRITE, mode)
    try:
        yield fd
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _reading(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Corrupt(f"{path} is not a regular file")
        yield fd
    finally:
        os.close(fd)


def _write_all(fd: int, data: memoryview) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _sha256(path: Path) -> str:
    with _reading(path) as fd:
        return digest_of(fd)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _files(top: Path) -> Iterator[tuple[Path, int]]:
    with os.scandir(top) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            else:
                plain = entry.is_file(follow_symlinks=False)
                yield Path(entry.path), entry.stat(follow_symlinks=False).st_size if plain else -1


def _times(entries: Iterable[os.DirEntry[str]]) -> Iterator[tuple[str, datetime]]:
    for entry in entries:
        with suppress(FileNotFoundError):  # renamed by somebody since the folder was listed
            yield entry.name, datetime.fromtimestamp(entry.stat(follow_symlinks=False).st_mtime, UTC)


def _rename_exclusive(old: Path, new: Path) -> None:
    """``renameat2(RENAME_NOREPLACE)``, and another way where the C library or the mounted file system lacks it.

    There a file is given its name by a link, which fails if the name exists. A folder is renamed as ever: the kernel
    refuses to put it in the place of a file or of a folder that is not empty, and no artifact is empty.
    """
    try:
        _rename_noreplace(old, new)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
            raise
    else:
        return
    if os.path.lexists(new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(new))
    if old.is_dir():
        old.rename(new)
    else:
        new.hardlink_to(old)
        old.unlink()


def _rename_noreplace(old: Path, new: Path) -> None:
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if call(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), _RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(new))
