"""Doubles of a metric system for what the real one cannot be made to do: answer never, or with somebody else's page."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class SilentDouble:
    """Takes connections and never answers, as a server does whose disk hangs."""

    def __enter__(self) -> Self:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()


class AnsweringDouble(ThreadingHTTPServer):
    """Answers every request with the same status, type and body, and remembers headers and bodies."""

    daemon_threads = True

    def __init__(self, status: int = 200, kind: str = "application/json", body: bytes = b"{}") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = (status, kind, body)
        self.port = self.server_address[1]
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: whoever has read enough hangs up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: AnsweringDouble

    def _any(self) -> None:
        self.server.headers.append(dict(self.headers))
        self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        status, kind, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _any  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass
