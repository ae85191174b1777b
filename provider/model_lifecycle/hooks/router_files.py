"""The files from which a router starts: one writer at a time, and each file old or new, never half."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_random

from model_lifecycle.core.errors import Denied, Invalid, Unavailable
from model_lifecycle.stores.disk import sync_folder

LOCK_TIMEOUT = 30.0
"""Seconds to wait for another worker that is changing the same router."""


class RouterFolder:
    """A folder of a router's files, as this worker sees it.

    :param names: the files that the router cannot start without, so they tell the right folder from a wrong one.
    :param target: what to call the router in errors.
    """

    def __init__(self, path: Path, names: tuple[str, ...], target: str) -> None:
        self.path, self.names, self.target = path, names, target

    def check(self) -> None:
        """Prove that this worker may replace the files.

        :raises Invalid: if they do not lie there; Denied if they cannot be replaced.
        """
        for name in self.names:
            if not (self.path / name).is_file():
                hint = "name the folder that the router's own configuration names, as this worker sees it"
                raise Invalid(f"{self.path} holds no {name}", target=self.target, hint=hint)
        if not os.access(self.path, os.W_OK | os.X_OK):
            hint = "let the workers' group write the folder"
            raise Denied(f"the folder {self.path} cannot be written", target=self.target, hint=hint)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other workers from changing the router; the lock of a worker that is killed is free again.

        :raises Unavailable: if another worker holds it for too long; Denied or Invalid if the folder cannot be used.
        """
        self.check()
        try:
            file = (self.path / ".lock").open("a")
        except OSError as error:
            raise Denied(f"{self.path}/.lock cannot be opened: {error.strerror}", target=self.target) from error
        with file:
            attempts = Retrying(
                retry=retry_if_exception_type(BlockingIOError),
                wait=wait_random(0.01, 0.1),
                stop=stop_after_delay(LOCK_TIMEOUT),
            )
            try:
                attempts(fcntl.flock, file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except RetryError as error:
                raise Unavailable("another worker is changing this router", target=self.target) from error
            yield

    def read(self, name: str) -> str:
        """The text of a file; empty if it is not there.

        :raises Unavailable: if it cannot be read.
        """
        try:
            return (self.path / name).read_text()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"{name} cannot be read ({type(error).__name__})", target=self.target) from error

    def replace(self, name: str, text: str) -> None:
        """Write a file as a whole, on disk before it has its name; routers watch for the rename.

        :raises Unavailable: if it cannot be written; the old one stays.
        """
        try:
            self._replace(name, text)
        except OSError as error:
            raise Unavailable(f"{name} cannot be written: {error.strerror}", target=self.target) from error

    def _replace(self, name: str, text: str) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self.path, prefix=f".{name}-", delete=False) as file:
            try:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), 0o644)  # the router need not run as the worker does
                os.fsync(file.fileno())
                Path(file.name).replace(self.path / name)
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                raise
        sync_folder(self.path)
