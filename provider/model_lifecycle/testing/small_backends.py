"""Tiny real HTTP servers that stand behind a router in its contract's tests, and callers in front of it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VERSION_HEADER = "x-model-version"


class SmallBackend:
    """One server that answers every POST with its version and what it was asked.

    :param version: what it says it is.
    :param status: of every answer, or 0 to hang up without one; change it at any time.
    :param delay: seconds before every answer; change it at any time.
    :param path: of its prediction call; at any other it answers 418.
    """

    def __init__(self, version: int, *, status: int = 200, delay: float = 0.0, path: str = "/own/predict") -> None:
        self.version, self.status, self.delay, self.path = version, status, delay, path
        self.headers: list[dict[str, str]] = []
        """The header fields of every request, names in lower case."""
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its prediction call, as a router is told."""
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def asked(self) -> int:
        """How many requests it got."""
        return len(self.headers)

    def stop(self) -> None:
        """End it: what connects afterwards is refused."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, backend: SmallBackend) -> None:
        self.backend = backend
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: callers and routers may hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for each answer
    server: _Server

    def do_POST(self) -> None:
        backend = self.server.backend
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        backend.headers.append({name.lower(): value for name, value in self.headers.items()})
        time.sleep(backend.delay)
        if backend.status == 0:
            self.close_connection = True
            return
        status = backend.status if self.path.partition("?")[0] == backend.path else 418
        data = b"%d %d" % (backend.version, len(body))
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header(VERSION_HEADER, "999")  # a lie, which the router must overwrite
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Reply:
    """One answer: its status, the version in the router's header and the one in the body."""

    status: int
    header: str | None
    body: bytes

    @property
    def version(self) -> int | None:
        """Who answered, if header and body agree."""
        said = self.body.split(b" ")[0]
        return int(said) if said.isdigit() and self.header == said.decode() else None


def ask(port: int, path: str, *, version: object = None, connection: HTTPConnection | None = None) -> Reply:
    """Ask a router as a caller does, once; over a connection of its own if none is given."""
    own = connection or HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        own.request("POST", path, b"{}", {} if version is None else {VERSION_HEADER: str(version)})
        response = own.getresponse()
        return Reply(response.status, response.headers[VERSION_HEADER], response.read())
    finally:
        if connection is None:
            own.close()


@dataclass
class Callers:
    """Threads that ask without pause and never repeat a request, until the end of a ``with``.

    Half of them keep their connection, half open a new one for each request.
    """

    port: int
    path: str
    count: int = 4
    replies: list[Reply] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __enter__(self) -> Callers:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number % 2 == 0,)) for number in range(self.count)]
        for thread in self._threads:
            thread.start()
        self.go_on(self.count)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def go_on(self, more: int = 40, seconds: float = 60.0) -> None:
        """Wait until there are so many further answers."""
        wanted, end = len(self.replies) + len(self.faults) + more, time.monotonic() + seconds
        while len(self.replies) + len(self.faults) < wanted:
            if time.monotonic() > end:
                raise AssertionError("the callers got no answers")
            time.sleep(0.005)

    @property
    def versions(self) -> Counter[int | None]:
        """How many answers came from which version; None counts the wrong ones."""
        return Counter(reply.version if reply.status == 200 else None for reply in self.replies)

    def _run(self, keep: bool) -> None:
        kept = HTTPConnection("127.0.0.1", self.port, timeout=30) if keep else None
        while not self._stop.is_set():
            try:
                self.replies.append(ask(self.port, self.path, connection=kept))
            except (OSError, HTTPException) as error:
                self.faults.append(repr(error))
        if kept:
            kept.close()
