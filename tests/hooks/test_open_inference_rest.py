"""Paths and answers of the protocol over HTTP; the calls are proven on real servers in the contract's tests."""

from __future__ import annotations

import pytest
from airflow.sdk import Connection

from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.hooks.open_inference_rest import RestCalls, model_path
from model_lifecycle.hooks.session import ConnectionSession


@pytest.fixture
def calls(mlserver_server) -> RestCalls:
    connection = Connection(conn_id="s", conn_type="open_inference", host="http://127.0.0.1", port=mlserver_server.port)
    return RestCalls(ConnectionSession(connection))


def test_names_cannot_leave_their_place():
    assert model_path("a/../b?c") == "/v2/models/a%2F..%2Fb%3Fc"
    assert model_path("m", 3) == "/v2/models/m/versions/3"


def test_a_model_that_the_server_does_not_know_is_not_found_by_every_call(calls):
    tensors = [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1.0]}]
    for call in (lambda: calls.load("no"), lambda: calls.unload("no"), lambda: calls.infer("no", None, tensors)):
        with pytest.raises(NotFound, match="Model no not found"):
            call()


def test_an_index_that_is_none_is_invalid(calls, monkeypatch):
    monkeypatch.setattr(calls.session, "call", lambda *arguments, **more: _Answer())
    with pytest.raises(Invalid, match="no index"):
        calls.index()


class _Answer:
    def json(self) -> object:
        return {"models": []}
