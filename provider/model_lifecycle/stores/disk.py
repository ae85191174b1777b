"""What Python leaves out when it writes to a disk: modes of parents, names that survive a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def make_folders(path: Path, mode: int) -> None:
    """Make a folder and its missing parents, all with this mode; :meth:`Path.mkdir` gives parents another."""
    missing = [folder for folder in (path, *path.parents) if not folder.is_dir()]
    for folder in reversed(missing):
        folder.mkdir(mode, exist_ok=True)


def sync_folder(folder: str | Path) -> None:
    """Bring the names in a folder to disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_folders(top: Path) -> None:
    """Bring the names in a folder and in all folders below it to disk."""
    for folder, _, _ in os.walk(top):
        sync_folder(folder)
