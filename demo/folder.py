"""The folder that holds everything of one demo, and the processes that belong to it."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.screen import Screen

MARKER = "made-by-the-demo"
VARIABLE = "MODEL_LIFECYCLE_DEMO"
"""In the environment of every process that a demo started: its folder."""


@contextmanager
def own_folder(screen: Screen, folder: Path) -> Iterator[None]:
    """An empty folder of our own, and no process of it before or after.

    What an earlier demo left is removed, and what it left running is ended; nothing else is touched.

    :raises SystemExit: if another demo runs in it, or if it is not ours.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        sys.exit(f"{folder} was not made by the demo and is not empty: name another --folder")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / MARKER).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another demo runs in {folder}")
        os.environ[VARIABLE] = str(folder)
        if left := end_processes(folder):
            screen.line(f"[dim]Ended {left} processes of an earlier demo[/]")
        _remove(screen, [old for old in sorted(folder.iterdir()) if old.name != MARKER])
        try:
            yield
        finally:
            del os.environ[VARIABLE]
            end_processes(folder)


def _remove(screen: Screen, leftovers: list[Path]) -> None:
    if leftovers:
        names = ", ".join(old.name for old in leftovers)
        screen.line(f"[dim]Removing what an earlier demo left in {leftovers[0].parent}: {names}[/]")
    for old in leftovers:
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink()


def end_processes(folder: Path) -> int:
    """Kill what a demo in this folder started and did not end, such as the workers of a scheduler that was killed."""
    wanted = f"{VARIABLE}={folder}".encode()
    found = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if wanted in _environment(pid)]
    found = [pid for pid in found if pid != os.getpid()]
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(found)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
