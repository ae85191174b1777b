"""The files from which a router starts: one writer at a time, and each file old or new, never half."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from model_lifecycle.core.errors import Denied, Invalid, Unavailable
from model_lifecycle.stores.disk import locked, replace_file

LOCK = ".lock"
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
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(self.path / LOCK, LOCK_TIMEOUT))
            except TimeoutError as error:
                message, hint = "another worker is changing this router", f"it holds {self.path / LOCK}"
                raise Unavailable(message, target=self.target, hint=hint) from error
            except OSError as error:
                hint = "let the workers' group write the folder and what is in it, on a file system that has locks"
                message = f"{self.path / LOCK} cannot be locked: {error.strerror}"
                raise Denied(message, target=self.target, hint=hint) from error
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
            message = f"{self.path / name} cannot be read ({type(error).__name__})"
            raise Unavailable(message, target=self.target) from error

    def replace(self, name: str, text: str) -> None:
        """Write a file as a whole, on disk before it has its name; routers watch for the rename.

        :raises Unavailable: if it cannot be written; the old one stays.
        """
        try:
            replace_file(self.path / name, text, 0o644)  # the router need not run as the worker does
        except OSError as error:
            message = f"{self.path / name} cannot be written: {error.strerror}"
            raise Unavailable(message, target=self.target) from error
