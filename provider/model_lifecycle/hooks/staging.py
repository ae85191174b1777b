"""Bringing an artifact into a folder from which a server loads, for serving systems that share one with the workers."""

from __future__ import annotations

import errno
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from model_lifecycle.core.errors import Conflict, Corrupt, Denied, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.core.names import STAGING_PREFIX, check_name
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.disk import sync_folder

STALE = 86400.0
"""Seconds after which a staging folder that nobody writes into is taken for abandoned."""

log = logging.getLogger(__name__)


def stage_into(repository: Path, model: str, version: int, artifact_uri: str, store: ModelStore) -> Path:
    """Fetch an artifact to ``<repository>/<model>/<version>``, whole or not at all, and return that folder.

    A folder that is there already is proven byte by byte and left alone. Several workers may do this at once: each
    fetches beside, one rename wins, the others find its result right.

    :raises Conflict: if something else lies there.
    :raises NotFound: if the repository, or the artifact, does not exist.
    """
    target = repository / check_name(model, "model name") / str(version)
    if not repository.is_dir():
        hint = "mount the server's model repository on the workers, or correct the connection's extra repository"
        raise NotFound(f"there is no model repository {repository} on this worker", target=str(repository), hint=hint)
    if target.exists():
        _prove(target, model, version, artifact_uri, store)
        log.info("Version %s of %s is staged already", version, model)
        return target
    staging = target.parent / f"{STAGING_PREFIX}{version}-{token_hex(8)}"
    try:
        target.parent.mkdir(exist_ok=True)
        sweep(target.parent)
        staging.mkdir()
        store.fetch(artifact_uri, staging)
        _let_read(staging)
        # Replacing a folder that holds files is refused by the kernel: of two workers one is the first.
        staging.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise translated(error, target) from error
        _prove(target, model, version, artifact_uri, store)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Say an error of the file system as one of ours.

    :param place: what is written.
    """
    try:
        yield
    except OSError as error:
        raise translated(error, place) from error


def _prove(target: Path, model: str, version: int, artifact_uri: str, store: ModelStore) -> None:
    try:
        store.prove(artifact_uri, target)
    except (Corrupt, Invalid) as error:
        raise Conflict(
            f"another artifact, or a changed one, lies at {target}: {error.message}",
            target=artifact_uri,
            model=model,
            version=version,
            hint="a version never changes; if nothing serves from that folder, remove it",
        ) from error


def _let_read(folder: Path) -> None:
    """A fetch makes private files; the server may be another user, whom the worker's umask lets read or not."""
    mode = folder.stat().st_mode & 0o777
    for path in folder.rglob("*"):
        path.chmod(mode if path.is_dir() else mode & 0o666)


def sweep(folder: Path) -> None:
    """Remove what workers that were killed left here; a fetch that goes on touches its folder."""
    before = time.time() - STALE
    for path in folder.glob(f"{STAGING_PREFIX}*"):
        try:
            newest = max(one.stat().st_mtime for one in (path, *path.rglob("*")))
        except FileNotFoundError:
            continue  # its worker is renaming or removing it
        if newest < before and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif newest < before:
            path.unlink(missing_ok=True)


def translated(error: OSError, target: Path) -> ModelLifecycleError:
    """What an error of the file system means for who stages."""
    denied = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    hint = "let the workers' user write into that folder of the server" if denied else None
    kind = Denied if denied else Unavailable
    return kind(f"cannot write {target}: {error.strerror}", target=str(target), hint=hint)
