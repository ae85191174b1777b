"""The local side of a fetch: a folder that ends as exactly one artifact, or as nothing that could be taken for it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from model_lifecycle.core.errors import Conflict, Denied, Unavailable
from model_lifecycle.core.manifest import FileEntry, Manifest
from model_lifecycle.core.names import MANIFEST_NAME
from model_lifecycle.stores.disk import make_folders, sync_folder, sync_folders
from model_lifecycle.stores.filesystem import part_of
from model_lifecycle.stores.sources import digest_of, opened


class Download:
    """One artifact on its way into ``folder``; the manifest is written last and says that everything is there."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest

    def target(self, entry: FileEntry) -> Path:
        """The final name of a file; its folder exists after :meth:`prepare`."""
        return self.folder / entry.path

    def prepare(self, threads: int) -> Sequence[FileEntry]:
        """Make the folder (0700), refuse what is not the artifact's, and return the files still to be fetched.

        :raises Conflict: if a file lies there that is not the artifact's, or one of the artifact's with other bytes.
        :raises Denied: if the folder cannot be written.
        """
        with _translated(self.folder):
            make_folders(self.folder, 0o700)
            self.folder = self.folder.resolve()
            present = self._refuse_foreign(self._allowed())
        there = [entry for entry in self.manifest.files if entry.path in present]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(self._refuse_wrong, there))
        with _translated(self.folder):
            for parent in {self.target(entry).parent for entry in self.manifest.files}:
                make_folders(parent, 0o700)
        return [entry for entry in self.manifest.files if entry.path not in present]

    def finish(self) -> None:
        """Write the manifest and bring every name to disk."""
        with _translated(self.folder):
            target = self.folder / MANIFEST_NAME
            part = part_of(target)
            part.unlink(missing_ok=True)
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "wb") as out:
                out.write(self.manifest.to_json())
                out.flush()
                os.fsync(fd)
            sync_folders(self.folder)
            part.replace(target)
            sync_folder(self.folder)

    def _allowed(self) -> dict[Path, int]:
        """What may lie in the folder, and of which kind."""
        files = [self.folder / MANIFEST_NAME, *map(self.target, self.manifest.files)]
        folders = {parent for file in files for parent in file.parents if parent.is_relative_to(self.folder)}
        kinds = {path: stat.S_IFREG for file in files for path in (file, part_of(file))}
        return {**kinds, **dict.fromkeys(folders, stat.S_IFDIR)}

    def _refuse_foreign(self, allowed: dict[Path, int]) -> set[str]:
        present = set()
        for top, folders, files in os.walk(self.folder):
            for path in (Path(top, name) for name in folders + files):
                if stat.S_IFMT(path.lstat().st_mode) != allowed.get(path):
                    raise self._foreign(path)
                present.add(path.relative_to(self.folder).as_posix())
        manifest = self.folder / MANIFEST_NAME
        if MANIFEST_NAME in present and _digest(manifest) != self.manifest.digest:
            raise self._foreign(manifest)
        return present

    def _refuse_wrong(self, entry: FileEntry) -> None:
        target = self.target(entry)
        if target.stat().st_size != entry.size or _digest(target) != entry.sha256:
            raise self._foreign(target)

    def _foreign(self, path: Path) -> Conflict:
        return Conflict(
            f"{path} is not part of the artifact, or has other bytes",
            target=str(self.folder),
            model=self.manifest.model,
            hint="fetch into an empty folder, or remove it",
        )


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise Denied(f"cannot write {folder}: {error.strerror}") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise Conflict(f"{folder} is not a folder") from error
    except OSError as error:
        raise Unavailable(f"cannot write {folder}: {error.strerror}") from error


def _digest(path: Path) -> str:
    with opened(path) as fd:
        return digest_of(fd)
