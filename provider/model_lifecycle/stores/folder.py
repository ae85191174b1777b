"""From a folder to its manifest, without running or following anything that lies in it (Law 11)."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from model_lifecycle.core.errors import Corrupt, Invalid
from model_lifecycle.core.manifest import MAX_BYTES, FileEntry, Manifest
from model_lifecycle.core.names import MANIFEST_NAME, check_path
from model_lifecycle.stores.sources import blocks, opened

MLMODEL = "MLmodel"
MAX_MLMODEL = 2**20
MAX_ARTIFACT = 512 * 2**30
"""Bytes of one artifact by default. A sparse file claims any size for nothing and would be hashed for hours."""

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


def describe(
    folder: Path,
    model: str,
    *,
    signature: Mapping[str, Any] | None = None,
    provenance: Mapping[str, str] | None = None,
    max_bytes: int = MAX_ARTIFACT,
    threads: int = 4,
) -> Manifest:
    """Hash a folder's files into the manifest under which they can be published.

    Hard links are ordinary files. Folders without files are left out: a manifest lists bytes, and TensorFlow's
    SavedModel always makes an empty ``assets/`` that nobody reads. A manifest that :meth:`fetch` once wrote into the
    folder is not part of it.

    :param signature: JSON values, such as :func:`signature_of` finds.
    :param max_bytes: the files together may not be larger.
    :raises Invalid: if there is no file, or a link, a FIFO, a socket, a device, an unreadable file, a name outside the
        allow-list, or two names that differ only by case and would be one on another system.
    :raises Corrupt: if a file changes while it is read.
    """
    folder = _real_folder(folder)
    sizes = _sizes(folder)
    _skip_own_manifest(folder, sizes)
    _check_cases(list(sizes))
    if not sizes:
        raise Invalid(f"{folder} holds no files", model=model, hint="an artifact needs at least one file")
    if sum(sizes.values()) > max_bytes:
        raise Invalid(f"{folder} holds {sum(sizes.values()):,} bytes, more than the {max_bytes:,} allowed", model=model)
    with ThreadPoolExecutor(threads) as pool:
        files = tuple(pool.map(lambda path: _hashed(folder, path, sizes[path]), sizes))
    return _readable(Manifest(model, files, signature, dict(provenance or {})))


def _real_folder(folder: Path) -> Path:
    try:
        real = folder.resolve(strict=True)
        if real.is_dir():
            return real
    except (OSError, ValueError, RuntimeError) as error:
        raise Invalid(f"cannot open the folder {ascii(str(folder))[:200]}: {error}") from error
    raise Invalid(f"{folder} is not a folder", hint="give the folder that holds the model's files")


def _sizes(folder: Path) -> dict[str, int]:
    try:
        return dict(_walk(folder))
    except OSError as error:
        raise Invalid(f"cannot list {error.filename}: {error.strerror}") from error


def _walk(folder: Path) -> Iterator[tuple[str, int]]:
    """Path and size of every file, found without following a link; anything else is refused by name."""

    def stop(error: OSError) -> None:
        raise error

    for top, folders, files, fd in os.fwalk(folder, onerror=stop):
        prefix = Path(top).relative_to(folder)
        folders.sort()
        for name in [*folders, *sorted(files)]:
            path = (prefix / name).as_posix()
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            kind = stat.S_IFMT(found.st_mode)
            if kind in _KINDS:
                raise Invalid(f"{ascii(path)[:200]} is {_KINDS[kind]}", hint="an artifact holds plain files only")
            if path != MANIFEST_NAME:
                check_path(path)
            if kind == stat.S_IFREG:
                yield path, found.st_size


def _skip_own_manifest(folder: Path, sizes: dict[str, int]) -> None:
    if sizes.pop(MANIFEST_NAME, None) is None:
        return
    try:
        Manifest.from_json(_small_file(folder / MANIFEST_NAME, MAX_BYTES))
    except Corrupt as error:
        raise Invalid(f"{folder / MANIFEST_NAME} is no manifest of ours", hint="the name is reserved") from error


def _check_cases(paths: list[str]) -> None:
    seen: dict[str, str] = {}
    for path in paths:
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            place = "/".join(parts[:depth])
            if seen.setdefault(place.lower(), place) != place:
                raise Invalid(f"{seen[place.lower()]} and {place} differ only by case", hint="rename one of them")


def _hashed(folder: Path, path: str, size: int) -> FileEntry:
    digest, count = sha256(), 0
    with _opened_inside(folder, path) as fd:
        before = os.fstat(fd)
        for block in blocks(fd):
            digest.update(block)
            count += len(block)
            if count > size:
                break
        after = os.fstat(fd)
    if count != size or (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise Corrupt(f"{path} changed while it was read", hint="describe the folder when nothing writes into it")
    return FileEntry(path, size, digest.hexdigest())


def _opened_inside(folder: Path, path: str) -> AbstractContextManager[int]:
    """Like :func:`opened`; a folder on the way that has become a link since the walk is refused."""
    target = folder / path
    if target.parent.resolve() != target.parent:
        raise Invalid(f"{path} leads out of the folder through a link")
    return opened(target)


def _readable(manifest: Manifest) -> Manifest:
    """Refuse what could be written but not read back: NaN, values that JSON lacks, too many files."""
    try:
        Manifest.from_json(manifest.to_json())
    except (ValueError, TypeError, RecursionError, Corrupt) as error:
        raise Invalid(f"signature, provenance or files make no manifest: {error}", model=manifest.model) from error
    return manifest


class _PlainLoader(yaml.SafeLoader):
    """YAML without references: a few lines of them stand for gigabytes once they are written out."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def mlmodel(folder: Path) -> dict[str, Any] | None:
    """What MLflow wrote about the model into the file ``MLmodel``, as plain values; None if there is no such file.

    :raises Invalid: if the file is larger than 1 MiB, or is anything but a mapping of plain YAML: no tags that make
        Python objects, no aliases.
    """
    path = folder / MLMODEL
    if not os.path.lexists(path):
        return None
    try:
        value = yaml.load(_small_file(path, MAX_MLMODEL), Loader=_PlainLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Invalid(f"{path} is not plain YAML: {error}") from error
    if not isinstance(value, dict) or any(not isinstance(key, str) for key in value):
        raise Invalid(f"{path} is not a mapping of names to values")
    return value


def signature_of(folder: Path) -> dict[str, Any] | None:
    """The model signature that MLflow recorded, as JSON values; None if it recorded none.

    MLflow keeps each part (``inputs``, ``outputs``, ``params``) as a string of JSON inside the YAML.

    :raises Invalid: if a part is anything else.
    """
    found = (mlmodel(folder) or {}).get("signature")
    if found is None:
        return None
    if not isinstance(found, dict) or any(not isinstance(key, str) for key in found):
        raise Invalid(f"the signature in {folder / MLMODEL} is not a mapping")
    return {name: _json(name, text) for name, text in found.items()}


def _json(name: str, text: object) -> Any:
    if text is None:
        return None
    try:
        if not isinstance(text, str):
            raise TypeError("expected a string of JSON")
        value = json.loads(text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise Invalid(f"{name} of the signature in {MLMODEL}: {error}") from error
    return value


def _small_file(path: Path, limit: int) -> bytes:
    with opened(path) as fd:
        if os.fstat(fd).st_size > limit:
            raise Invalid(f"{path} is larger than {limit:,} bytes")
        return b"".join(bytes(block) for block in blocks(fd))
