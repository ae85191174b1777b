"""The HTTP session of a connection, against a server whose answers the test chooses."""

from __future__ import annotations

import base64
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from airflow.sdk import Connection
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Conflict, Denied, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.hooks.session import ConnectionSession, url_path
from tests.servers.process import free_ports

SECRET = "s3cr3t-of-the-team"


class Script(ThreadingHTTPServer):
    """Answers each request with what ``reply`` makes of it, and remembers the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply: Callable[[_Handler], None] = lambda handler: handler.send(200, b"{}")
        self.seen: list[_Handler] = []

    @property
    def port(self) -> int:
        return self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Script

    def _any(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(self)
        self.server.reply(self)

    do_GET = do_POST = do_PUT = _any  # noqa: N815

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Script]:
    with Script() as script:
        threading.Thread(target=script.serve_forever, args=(0.01,), daemon=True).start()
        yield script
        script.shutdown()


def connect(port: int, **fields: object) -> ConnectionSession:
    extra = json.dumps(fields.pop("extra", {}))
    return ConnectionSession(
        Connection(conn_id="srv", conn_type="http", host="127.0.0.1", port=port, extra=extra, **fields)
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid), (401, Denied), (403, Denied), (404, NotFound), (405, Invalid), (408, Unavailable),
        (409, Conflict), (413, Invalid), (418, Invalid), (422, Invalid), (429, Unavailable), (500, Unavailable),
        (502, Unavailable), (503, Unavailable), (504, Unavailable),
    ],
)  # fmt: skip
def test_each_status_has_its_class_and_carries_the_servers_own_words(server, status, kind):
    server.reply = lambda handler: handler.send(status, b'{"error": "column dep_hour is missing"}')
    with pytest.raises(kind, match=f"GET /v2: {status} column dep_hour is missing") as caught:
        connect(server.port).call("GET", "/v2", retry=False)
    assert type(caught.value) is kind
    assert caught.value.__cause__ is not None
    assert f"srv at http://127.0.0.1:{server.port}" in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error_code": "X", "message": "no such model"}',
        b'{"detail": "no such model"}',
        b'{"error": {"code": 7, "message": "no such model"}}',
        b"no such model\n",
    ],
)
def test_the_servers_words_are_found_wherever_its_kind_of_server_puts_them(server, body):
    server.reply = lambda handler: handler.send(404, body)
    with pytest.raises(NotFound, match="404 no such model"):
        connect(server.port).call("GET", "/x")


def test_a_long_message_is_cut_and_stays_on_one_line(server):
    server.reply = lambda handler: handler.send(400, json.dumps({"error": "a\n\x1b[31mb " * 1000}).encode())
    with pytest.raises(Invalid) as caught:
        connect(server.port).call("GET", "/x")
    assert len(caught.value.message) < 400
    assert caught.value.message.isprintable()


def test_a_refused_connection_is_unavailable_and_retried_until_the_server_is_there():
    (port,) = free_ports()
    session = connect(port)
    with pytest.raises(Unavailable, match="the connection failed"):
        session.call("GET", "/x", deadline=0.3)

    server = None

    def start() -> None:
        nonlocal server
        server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        server.reply, server.seen = (lambda handler: handler.send(200, b"{}")), []
        server.serve_forever(0.01)

    timer = threading.Timer(0.5, start)
    timer.start()
    try:
        assert session.call("GET", "/x", deadline=20).json() == {}
    finally:
        timer.join(0)
        server.shutdown()
        server.server_close()


def test_a_passing_503_is_ridden_out_and_a_400_is_not_repeated(server):
    answers = iter([503, 503, 200])
    server.reply = lambda handler: handler.send(next(answers), b"{}")
    connect(server.port).call("POST", "/x", json={"a": 1}, deadline=10)
    assert [handler.body for handler in server.seen] == [b'{"a": 1}'] * 3
    server.seen.clear()
    server.reply = lambda handler: handler.send(400, b"{}")
    with pytest.raises(Invalid):
        connect(server.port).call("POST", "/x", json={})
    assert len(server.seen) == 1


def test_a_call_that_must_not_be_repeated_is_sent_once(server):
    server.reply = lambda handler: handler.send(503, b"{}")
    with pytest.raises(Unavailable):
        connect(server.port).call("POST", "/x", retry=False)
    assert len(server.seen) == 1


def test_a_silent_server_is_unavailable_after_the_read_time_out(server):
    server.reply = lambda handler: time.sleep(1)
    with pytest.raises(Unavailable, match="no answer in time"):
        connect(server.port, extra={"timeout": 0.2}).call("GET", "/x", retry=False)


def test_a_body_that_drips_for_ever_ends_at_the_deadline(server):
    stop = threading.Event()

    def drip(handler: _Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        try:
            while not stop.wait(0.05):
                handler.wfile.write(b" ")
        except OSError:
            pass

    server.reply = drip
    with pytest.raises(Unavailable, match="no answer in time"):
        connect(server.port).call("GET", "/x", deadline=0.5)
    stop.set()


def test_a_body_that_breaks_off_is_unavailable(server):
    def cut(handler: _Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b'{"a": ')
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    server.reply = cut
    with pytest.raises(Unavailable, match="the connection failed"):
        connect(server.port).call("GET", "/x", retry=False)


def test_a_chunked_body_that_breaks_off_is_unavailable(server):
    def cut(handler: _Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"3\r\n123\r\n")
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)
        handler.close_connection = True

    server.reply = cut
    with pytest.raises(Unavailable, match="the connection failed"):
        connect(server.port).call("GET", "/x", retry=False)


def test_a_whole_chunked_body_is_read(server):
    def chunks(handler: _Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b'4\r\n{"a"\r\n4\r\n: 1}\r\n0\r\n\r\n')

    server.reply = chunks
    session = connect(server.port)
    assert session.call("GET", "/x").json() == {"a": 1}
    assert session.call("GET", "/x").json() == {"a": 1}


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html><body>Sign in</body></html>", b"<HTML></HTML>"])
def test_html_with_status_200_asks_whether_the_port_is_right(server, body):
    server.reply = lambda handler: handler.send(200, body)
    with pytest.raises(Invalid, match="answered with HTML: is this the right port"):
        connect(server.port).call("GET", "/x")


def test_text_with_status_200_is_taken_only_where_it_is_asked_for(server):
    server.reply = lambda handler: handler.send(200, b"OK")
    with pytest.raises(Invalid, match="not JSON"):
        connect(server.port).call("GET", "/health")
    assert connect(server.port).call("GET", "/health", text=True).text == "OK"


def test_a_redirect_to_another_host_is_not_followed(server):
    with Script() as other:
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        server.reply = lambda handler: handler.send(307, b"", Location=f"http://127.0.0.1:{other.port}/x?t=1")
        with pytest.raises(Invalid, match=r"redirects to http://127\.0\.0\.1, which is not followed"):
            connect(server.port, password=SECRET).call("GET", "/x")
        other.shutdown()
        assert other.seen == []


def test_a_redirect_on_the_same_host_is_followed_unless_it_would_change_the_method(server):
    def reply(handler: _Handler) -> None:
        if handler.path == "/old":
            handler.send(301 if handler.command == "POST" else 302, b"", Location="/new")
        else:
            handler.send(200, b'{"here": true}')

    server.reply = reply
    assert connect(server.port).call("GET", "/old").json() == {"here": True}
    with pytest.raises(Invalid, match="301 redirects"):
        connect(server.port).call("POST", "/old", json={})


def test_an_endless_redirect_ends(server):
    server.reply = lambda handler: handler.send(302, b"", Location="/again")
    with pytest.raises(Invalid, match="TooManyRedirects"):
        connect(server.port).call("GET", "/x")


def test_login_and_password_are_basic_and_a_password_alone_is_a_bearer_token(server):
    connect(server.port, login="ann", password="pä:ss").call("GET", "/x")
    connect(server.port, password=SECRET).call("GET", "/x")
    connect(server.port).call("GET", "/x")
    sent = [handler.headers.get("Authorization") for handler in server.seen]
    assert sent == ["Basic " + base64.b64encode("ann:pä:ss".encode()).decode(), f"Bearer {SECRET}", None]


def test_netrc_and_ca_bundles_of_the_environment_are_ignored(server, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login eve password eve\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
    connect(server.port).call("GET", "/x")
    assert server.seen[0].headers.get("Authorization") is None


def test_no_cookie_is_sent_back(server):
    server.reply = lambda handler: handler.send(200, b"{}", Set_Cookie="SERVERID=v1; Path=/")
    session = connect(server.port)
    session.call("GET", "/x")
    session.call("GET", "/x")
    assert server.seen[1].headers.get("Cookie") is None


def test_a_secret_is_in_no_message_even_if_the_server_repeats_it(server):
    server.reply = lambda handler: handler.send(403, f'{{"error": "token {SECRET} is not known"}}'.encode())
    with pytest.raises(Denied, match=r"token \*\*\* is not known") as caught:
        connect(server.port, password=SECRET).call("GET", "/x")
    assert SECRET not in repr(caught.value) + repr(caught.value.__cause__)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"host": ""}, "has no host"),
        ({"host": None}, "has no host"),
        ({"host": "ftp://x"}, "not an http or https URL"),
        ({"host": "http://"}, "not an http or https URL"),
        ({"host": "http://h:99999"}, "not a URL"),
        ({"host": f"http://ann:{SECRET}@h"}, "more than a host"),
        ({"host": f"http://h?token={SECRET}"}, "more than a host"),
        ({"host": "h", "password": SECRET + "\n"}, "control character"),
        ({"host": "h", "password": SECRET + "ä"}, "outside ASCII"),
        ({"host": "h", "extra": '{"verify": "/absent/ca.pem"}'}, "extra verify names no file"),
        ({"host": "h", "extra": '{"verify": 7}'}, "extra verify names no file"),
        ({"host": "h", "extra": '{"cert": "/absent/cert.pem"}'}, "extra cert names no file"),
        ({"host": "h", "extra": '{"timeout": "soon"}'}, "extra timeout"),
        ({"host": "h", "extra": '{"timeout": 0}'}, "extra timeout"),
        ({"host": "h", "extra": '{"timeout": NaN}'}, "extra timeout"),
    ],
)
def test_a_connection_that_cannot_be_used_says_which_part_and_shows_no_secret(fields, match):
    with pytest.raises(Invalid, match=match) as caught:
        ConnectionSession(Connection(conn_id="srv", conn_type="http", **fields))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "h"}, "http://h"),
        ({"host": "h", "port": 80}, "http://h:80"),
        ({"host": "h:8080"}, "http://h:8080"),
        ({"host": "https://h/", "port": 8443}, "https://h:8443"),
        ({"host": "https://h/prefix/", "port": 8443}, "https://h:8443/prefix"),
        ({"host": "h", "extra": '{"scheme": "https"}'}, "https://h"),
        ({"host": "::1", "port": 9}, "http://[::1]:9"),
        ({"host": "http://[::1]:9"}, "http://[::1]:9"),
    ],
)
def test_the_url_comes_from_host_port_and_scheme(fields, url):
    assert ConnectionSession(Connection(conn_id="srv", conn_type="http", **fields)).url == url


def test_tls_that_is_not_verified_warns(caplog):
    with caplog.at_level(logging.WARNING, "model_lifecycle.hooks.session"):
        ConnectionSession(Connection(conn_id="srv", conn_type="http", host="https://h", extra='{"verify": false}'))
    assert "not verified" in caplog.text


def test_https_on_a_plain_port_is_a_clear_error(server):
    with pytest.raises(Invalid, match="TLS failed"):
        connect(server.port, extra={"scheme": "https"}).call("GET", "/x")


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object()])
def test_what_json_cannot_carry_is_invalid_and_not_sent(server, value):
    with pytest.raises(Invalid, match="cannot be written as JSON"):
        connect(server.port).call("POST", "/x", json={"a": value})
    assert server.seen == []


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_a_segment_never_leaves_its_place(segments):
    path = url_path(*segments)
    assert path.count("/") == len(segments)
    assert not set(path) & set("?#\\ ")


def test_errors_are_of_our_tree_only(server):
    server.reply = lambda handler: handler.send(200, b"{}", Content_Encoding="gzip")
    with pytest.raises(ModelLifecycleError):
        connect(server.port).call("GET", "/x", deadline=0.2)
