"""The runtime socket of an HAProxy: commands in, text out; and the map files beside it."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_random

from model_lifecycle.core.errors import Denied, Invalid, Unavailable
from model_lifecycle.hooks.answers import one_line
from model_lifecycle.stores.disk import sync_folder

SOCKET_TIMEOUT = 10.0
"""Seconds that the runtime socket may stay silent; HAProxy answers within one turn of its loop."""
LOCK_TIMEOUT = 30.0
"""Seconds to wait for another worker that is changing the same router."""

_MAX_REPLY = 64 * 2**20
_MAP = re.compile(r"^(?P<id>\d+) \((?P<path>.+?)\) pattern loaded from file", re.MULTILINE)
_DENIED = "HAProxy does not let this worker use its runtime socket"
_DENIED_HINT = "give the workers' group the socket, and the socket level admin, in the line stats socket of haproxy.cfg"


class RuntimeSocket:
    """Commands to one running HAProxy; a new connection for each, as the socket wants it.

    :param address: an absolute path, or ``host:port``.
    :param target: what to call it in errors.
    """

    def __init__(self, address: str, target: str) -> None:
        self.address, self.target = address, target

    def ask(self, command: str) -> str:
        """Send one line and return the reply without the blank line at its end.

        :raises Unavailable: if nothing answers; Denied if the socket is another's or its level too low.
        """
        try:
            reply = self._exchange(command)
        except PermissionError as error:
            raise Denied(_DENIED, target=self.target, hint=_DENIED_HINT) from error
        except FileNotFoundError as error:
            hint = "is HAProxy running, and is the extra socket its path as this worker sees it?"
            raise Unavailable(f"no runtime socket at {self.address}", target=self.target, hint=hint) from error
        except (OSError, UnicodeDecodeError) as error:
            message = f"the runtime socket failed ({type(error).__name__})"
            raise Unavailable(message, target=self.target) from error
        if reply.startswith("Permission denied"):
            raise Denied(_DENIED, target=self.target, hint=_DENIED_HINT)
        return reply.rstrip("\n")

    def change(self, command: str) -> None:
        """Send a command that HAProxy answers with nothing.

        :raises Unavailable: if it says anything, such as that the entry is gone since it was read.
        """
        if reply := self.ask(command).strip():
            raise Unavailable(f"HAProxy refused the change: {one_line(reply)}", target=self.target)

    def _exchange(self, command: str) -> str:
        reply = bytearray()
        with self._connect() as connection:
            connection.sendall(command.encode("ascii") + b"\n")
            while chunk := connection.recv(2**16):
                reply += chunk
                if len(reply) > _MAX_REPLY:
                    raise OSError("the reply does not end")
        return reply.decode()

    def _connect(self) -> socket.socket:
        if not self.address.startswith("/"):
            host, _, port = self.address.rpartition(":")
            return socket.create_connection((host.strip("[]"), int(port)), timeout=SOCKET_TIMEOUT)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(SOCKET_TIMEOUT)
        try:
            connection.connect(self.address)
        except OSError:
            connection.close()
            raise
        return connection


class Maps:
    """The maps of one running HAProxy, and the files from which its next start reads them.

    What runs is the truth. A change goes to the running map first, in one command that no request sees half of, and
    then the file is written anew from the whole running map. Killed in between, the change serves and is lost if
    HAProxy restarts before anybody changes the same map again; the same verb repeated, or any other, writes the file.
    The other order would let a change wait in the file and come true at some later restart, and a rollback would have
    to wait for a disk that is full.

    :param folder: where the files lie, as this worker sees it.
    """

    def __init__(self, runtime: RuntimeSocket, folder: Path) -> None:
        self.runtime, self.folder = runtime, folder

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other workers from changing the maps; the lock of a worker that is killed is free again.

        :raises Unavailable: if another worker holds it for too long; Denied or Invalid if the folder cannot be used.
        """
        self.check_folder()
        with (self.folder / ".lock").open("a") as file:
            attempts = Retrying(
                retry=retry_if_exception_type(BlockingIOError),
                wait=wait_random(0.01, 0.1),
                stop=stop_after_delay(LOCK_TIMEOUT),
            )
            try:
                attempts(fcntl.flock, file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except RetryError as error:
                raise Unavailable("another worker is changing this router", target=self.runtime.target) from error
            yield

    def check_folder(self) -> None:
        """Prove that this worker may write the files.

        :raises Invalid: if they do not lie there; Denied if they cannot be replaced.
        """
        missing = [name for name in ("traffic.map", "targets.map") if not (self.folder / name).is_file()]
        if missing:
            hint = "set the extra maps to the folder that haproxy.cfg names, as this worker sees it"
            raise Invalid(f"{self.folder} holds no {missing[0]}", target=self.runtime.target, hint=hint)
        if not os.access(self.folder, os.W_OK | os.X_OK):
            hint = "let the workers' group write the folder"
            raise Denied(f"the folder {self.folder} cannot be written", target=self.runtime.target, hint=hint)

    def read(self, name: str) -> dict[str, str]:
        """Every entry of a running map."""
        reply = self.runtime.ask(f"show map #{self._number(name)}")
        entries = [line.split(" ", 2)[1:] for line in reply.splitlines() if line]
        if any(len(entry) != 2 for entry in entries):
            raise Unavailable(f"the running map {name} cannot be read", target=self.runtime.target)
        return dict(entries)

    def put(self, name: str, key: str, value: str | None) -> None:
        """Set one entry, or remove it, in the running map and in the file; call it under :meth:`lock`.

        :raises Unavailable: if the running map does not show it after that.
        """
        entries = self.read(name)
        if entries.get(key) != value:
            self.runtime.change(self._command(name, key, value, known=key in entries))
        self.save(name)
        if self.read(name).get(key) != value:
            message = f"the running {name} lost a change: HAProxy was restarted meanwhile"
            raise Unavailable(message, target=self.runtime.target)

    def save(self, name: str) -> None:
        """Write the file anew from the running map, if it differs."""
        text = "".join(f"{key} {value}\n" for key, value in sorted(self.read(name).items()))
        try:
            if (self.folder / name).read_text() != text:
                self._replace(name, text)
        except OSError as error:
            message = f"{name} runs changed, but its file cannot be written: {error.strerror}"
            raise Unavailable(message, target=self.runtime.target, hint="repeat it before HAProxy restarts") from error

    def _replace(self, name: str, text: str) -> None:
        with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix=f".{name}-", delete=False) as file:
            try:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), 0o644)  # HAProxy need not run as the worker does
                os.fsync(file.fileno())
                Path(file.name).replace(self.folder / name)
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                raise
        sync_folder(self.folder)

    def _command(self, name: str, key: str, value: str | None, *, known: bool) -> str:
        where = f"map #{self._number(name)} {key}"
        if value is None:
            return f"del {where}"
        return f"{'set' if known else 'add'} {where} {value}"

    def _number(self, name: str) -> str:
        found = {match["path"]: match["id"] for match in _MAP.finditer(self.runtime.ask("show map"))}
        # In a container HAProxy knows the folder by another path; the file's name is the same.
        ids = (
            [found.get(str(self.folder / name))]
            if str(self.folder / name) in found
            else [number for path, number in found.items() if Path(path).name == name]
        )
        if len(ids) != 1 or ids[0] is None:
            hint = "run HAProxy with the haproxy.cfg of this package"
            raise Invalid(f"HAProxy runs {len(ids)} maps called {name}", target=self.runtime.target, hint=hint)
        return ids[0]
