"""Supervisor's calls where it answers otherwise than it should; the rest is proven in test_mlflow_serving."""

from __future__ import annotations

import threading
import xmlrpc.client
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from airflow.sdk import Connection

from model_lifecycle.core.errors import Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.hooks.session import ConnectionSession
from model_lifecycle.hooks.supervisor import SupervisorCalls


class Answering(BaseHTTPRequestHandler):
    """Not Supervisor: a server that says what a test wants."""

    body = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def calls() -> Iterator[SupervisorCalls]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        port = server.server_address[1]
        where = Connection(conn_id="s", conn_type="x", host="127.0.0.1", port=port, extra='{"timeout": 0.5}')
        yield SupervisorCalls(ConnectionSession(where))
        server.shutdown()


def fault(number: int) -> bytes:
    return xmlrpc.client.dumps(xmlrpc.client.Fault(number, "SAID: model:model_00")).encode()


@pytest.mark.parametrize(("number", "kind"), [(6, Unavailable), (10, NotFound), (50, Invalid), (1, Invalid)])
def test_a_fault_is_one_of_our_errors(calls, monkeypatch, number, kind):
    monkeypatch.setattr(Answering, "body", fault(number))
    with pytest.raises(kind, match=r"supervisor.startProcess: SAID: model:model_00") as caught:
        calls.start("model:model_00")
    assert type(caught.value) is kind


@pytest.mark.parametrize("number", [60, 70])
def test_what_is_as_asked_for_already_is_no_error(calls, monkeypatch, number):
    monkeypatch.setattr(Answering, "body", fault(number))
    calls.start("model:model_00")
    calls.stop("model:model_00")


def test_a_program_without_a_log_wrote_nothing(calls, monkeypatch):
    monkeypatch.setattr(Answering, "body", fault(20))
    assert calls.last_words("model:model_00") == ""


@pytest.mark.parametrize("body", [b"", b"<html>sign in</html>", b"<methodResponse/>", b"\xff"])
def test_what_is_no_answer_of_supervisor_is_invalid(calls, monkeypatch, body):
    monkeypatch.setattr(Answering, "body", body)
    with pytest.raises(Invalid, match="none of Supervisor's"):
        calls.version()


@pytest.mark.parametrize("value", [7, [7], [{"name": "x"}]])
def test_states_of_another_form_are_invalid(calls, monkeypatch, value):
    monkeypatch.setattr(Answering, "body", xmlrpc.client.dumps((value,), methodresponse=True).encode())
    with pytest.raises(ModelLifecycleError, match="none of Supervisor's"):
        calls.states()
