"""A page on another port of Airflow's host, which the browser sends Airflow's cookie along for, and what it tries."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HARM = {"endpoint": "scorer_default/flights", "reason": "harm", "key": "harmharm"}
_PAGE = """<!doctype html><title>harm</title>
<form method="post" enctype="text/plain" action="{action}"><input type="hidden" name="{name}" value="{value}">
<button>Press</button></form>"""
FETCH = """
const [url, body, done] = arguments;
const json = { "Content-Type": "application/json", "X-Model-Lifecycle": "1" };
const tried = [{ mode: "no-cors" }, { mode: "cors", headers: json }];
const ask = (how) => fetch(url, { method: "POST", credentials: "include", body, ...how });
Promise.allSettled(tried.map(ask)).then((all) => done(all.map((one) => one.value?.type ?? one.reason.message)));
"""
"""Sends a request whose answer may not be read, and one that needs leave first; tells what came of each."""


@contextmanager
def harmful_page(action: str) -> Iterator[str]:
    """The address of a page whose form sends JSON as plain text to ``action``."""
    # A form sends ``name=value``: the sign between them ends up in a field that nobody reads.
    name, value = json.dumps({**HARM, "x": ""})[:-2], '"}'
    page = _PAGE.format(action=html.escape(action), name=html.escape(name), value=html.escape(value))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
