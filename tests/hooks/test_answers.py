"""What HTTP answers mean; that they are read and retried is proven in test_session."""

from __future__ import annotations

import json

import pytest
import requests

from model_lifecycle.core.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from model_lifecycle.hooks.answers import check_json, one_line, reading, refusal


def response(status: int, body: bytes = b"", **headers: str) -> requests.Response:
    answer = requests.Response()
    answer.status_code, answer._content, answer.url = status, body, "http://models:8080/v2"
    answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return answer


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((300, 302, 307, 400, 402, 405, 413, 415, 418, 422), Invalid),
        ((401, 403, 407), Denied),
        ((404,), NotFound),
        ((409,), Conflict),
        ((408, 425, 429, 500, 501, 502, 503, 504, 507, 599), Unavailable),
    ],
)
def test_each_status_has_one_class(statuses, kind):
    for status in statuses:
        assert type(refusal("GET /v2", response(status), "srv")) is kind


def test_a_call_can_read_a_status_otherwise():
    assert type(refusal("GET /v2", response(500), "srv", errors={500: Invalid})) is Invalid
    assert type(refusal("GET /v2", response(404), "srv", errors={500: Invalid})) is NotFound


def test_the_response_is_the_cause_and_the_call_is_named():
    error = refusal("POST /v2/x", response(409, b'{"error": "no"}'), "srv at http://models:8080")
    assert error.message == "POST /v2/x: 409 no"
    assert error.target == "srv at http://models:8080"
    assert error.__cause__.response.status_code == 409


def test_credentials_that_are_refused_come_with_what_to_do():
    assert refusal("GET /v2", response(401), "srv").hint == "check login and password of the connection"


def test_a_redirect_names_the_host_and_nothing_that_follows_it():
    error = refusal("GET /v2", response(302, Location="https://login.example.com/?token=s3cr3t"), "srv")
    assert error.message == "GET /v2: 302 redirects to https://login.example.com, which is not followed"


def test_a_secret_at_the_end_of_what_is_shown_is_not_cut_but_hidden():
    body = json.dumps({"error": "x" * 290 + " bad s3cr3t-of-the-server"}).encode()
    assert "s3c" not in str(refusal("GET /v2", response(400, body), "srv", secret="s3cr3t-of-the-server"))


def test_what_is_secret_is_not_repeated():
    assert "s3cr3t" not in str(refusal("GET /v2", response(400, b'{"error": "bad s3cr3t"}'), "srv", secret="s3cr3t"))


def test_an_error_page_is_not_quoted():
    assert refusal("GET /v2", response(502, b"<html><body>Bad Gateway"), "srv").message == "GET /v2: 502 "


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'"text"', b"7"])
def test_json_or_nothing_is_an_answer(body):
    check_json("GET /v2", response(200, body), "srv")


@pytest.mark.parametrize("body", [b"OK", b"{", b"\xff", b"<html></html>"])
def test_anything_else_is_not(body):
    with pytest.raises(Invalid, match="is this the right port"):
        check_json("GET /v2", response(200, body), "srv")


@pytest.mark.parametrize(("text", "line"), [("a\n\tb\x00c", "a b c"), ("x" * 500, "x" * 297 + "..."), ("", "")])
def test_foreign_text_is_one_short_line(text, line):
    assert one_line(text) == line


@pytest.mark.parametrize("take", [lambda: {}["models"], lambda: [1].pop(7), lambda: None.a, lambda: int("x")])
def test_an_answer_of_another_shape_is_none_of_the_server_that_we_mean(take):
    with pytest.raises(Invalid, match=r"the answer to GET /v2/models is none of KServe's.*srv.*is this the right port"):
        with reading("GET /v2/models", "KServe", "srv"):
            take()
