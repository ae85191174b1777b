"""The model repository on disk: ``<root>/<model>/<version>/``. Whatever has another name is overlooked."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from model_lifecycle.core.errors import Conflict, Invalid
from model_lifecycle.core.names import check_name

LOCK_FILE = ".scorer.lock"


def model_folders(root: Path) -> list[str]:
    """The names of the models that have a folder."""
    return _folders(root, _is_name)


def version_folders(folder: Path) -> list[int]:
    """The versions that have a folder; what is being staged has another name."""
    return [int(name) for name in _folders(folder, _is_version)]


def lock_folder(root: Path) -> int:
    """Claim the repository for this process until the returned descriptor is closed, or the process dies.

    :raises Conflict: if another scorer works on the folder: two would overwrite each other's routes.
    """
    fd = os.open(root / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise Conflict(f"another scorer works on {root}", hint="give each scorer a folder of its own") from error
    return fd


def _folders(folder: Path, fits: Callable[[str], bool]) -> list[str]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if fits(entry.name) and entry.is_dir()]


def _is_name(name: str) -> bool:
    try:
        return bool(check_name(name, "model name"))
    except Invalid:
        return False


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdigit() and not name.startswith("0") and len(name) <= 18
