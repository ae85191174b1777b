"""The runtime socket of an HAProxy: commands in, text out; and the map files beside it."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

from model_lifecycle.core.breakdowns import breakdown_of
from model_lifecycle.core.errors import Denied, Invalid, Unavailable
from model_lifecycle.hooks.answers import one_line
from model_lifecycle.hooks.router_files import RouterFolder

SOCKET_TIMEOUT = 10.0
"""Seconds for one command and its whole reply; HAProxy answers within one turn of its loop."""

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
            message = f"the runtime socket {self.address} failed ({type(error).__name__}: {one_line(str(error))})"
            found = breakdown_of(error)
            raise Unavailable(message, target=self.target, hint=found.hint if found else None) from error
        if reply.startswith("HTTP/"):
            hint = "the extra socket is the line stats socket of haproxy.cfg, not a line bind"
            raise Invalid(f"{self.address} is no runtime socket: it speaks HTTP", target=self.target, hint=hint)
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
        reply, end = bytearray(), time.monotonic() + SOCKET_TIMEOUT
        with self._connect() as connection:
            connection.sendall(command.encode("ascii") + b"\n")
            while chunk := connection.recv(2**16):
                reply += chunk
                if len(reply) > _MAX_REPLY:
                    raise OSError("the reply does not end")
                connection.settimeout(max(end - time.monotonic(), 0.001))
        # Half a map, taken for a whole one, would end up in the file: only a reply with its blank line is one.
        if reply != b"\n" and not reply.endswith(b"\n\n") and not reply.startswith(b"HTTP/"):
            raise OSError("the reply broke off")
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

    :param folder: where the files lie.
    """

    def __init__(self, runtime: RuntimeSocket, folder: RouterFolder) -> None:
        self.runtime, self.folder = runtime, folder

    def read(self, name: str) -> dict[str, str]:
        """Every entry of a running map."""
        reply = self.runtime.ask(f"show map #{self._number(name)}")
        entries = [line.split(" ", 2)[1:] for line in reply.splitlines() if line]
        if any(len(entry) != 2 for entry in entries):
            what = "HAProxy showed something else than its entries"
            raise Unavailable(f"the running map {name} cannot be read: {what}", target=self.runtime.target)
        return dict(entries)

    def put(self, name: str, key: str, value: str | None) -> None:
        """Set one entry, or remove it, in the running map and in the file; call it under the folder's lock.

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
        """Write the file anew from the running map, if it differs.

        :raises Unavailable: if it cannot be written; what runs stays changed.
        """
        text = "".join(f"{key} {value}\n" for key, value in sorted(self.read(name).items()))
        if self.folder.read(name) != text:
            self.folder.replace(name, text)

    def _command(self, name: str, key: str, value: str | None, *, known: bool) -> str:
        where = f"map #{self._number(name)} {key}"
        if value is None:
            return f"del {where}"
        return f"{'set' if known else 'add'} {where} {value}"

    def _number(self, name: str) -> str:
        found = {match["path"]: match["id"] for match in _MAP.finditer(self.runtime.ask("show map"))}
        # In a container HAProxy knows the folder by another path; the file's name is the same.
        named = [number for path, number in found.items() if Path(path).name == name]
        here = found.get(str(self.folder.path / name))
        ids = [here] if here else named
        if len(ids) != 1:
            hint = "run HAProxy with the haproxy.cfg of this package"
            raise Invalid(f"HAProxy runs {len(ids)} maps called {name}", target=self.runtime.target, hint=hint)
        return ids[0]
