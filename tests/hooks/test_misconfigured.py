"""What the button of a connection's form says to each mistake: the cause, and what to do; never a secret."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from airflow.sdk import BaseHook

from tests.servers.haproxy import HaproxyServer
from tests.servers.misled import TOKEN, WEAK, MisledServer
from tests.servers.moto import KEYS
from tests.servers.process import free_ports

SECRET = "s3cr3t-of-the-team"
Ask = Callable[..., tuple[bool, str]]

# Where a connection leads, and what is told; {port} is that of the server, {gone} one where nothing listens.
MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    "name": ({"host": "http://mlfow.invalid"}, "name cannot be resolved", "look for a slip in the host"),
    "refused": ({"host": "http://127.0.0.1", "port": "gone"}, "nothing listens there", "is this its port"),
    "unknown CA": ({"host": "https://localhost", "port": "tls"}, "nobody we trust has signed", "extra ca"),
    "expired": ({"host": "https://localhost", "port": "expired", "ca": True}, "certificate has expired", "renew it"),
    "host": ({"host": "https://localhost", "port": "other_host", "ca": True}, "another server's", "the name for which"),
    "client": ({"host": "https://localhost", "port": "mutual", "ca": True}, "asks for a client certificate",
               "extras cert and key"),
    "login": ({"host": "http://127.0.0.1", "port": "login", "password": SECRET}, "401 who are you",
              "check login and password"),
    "permission": ({"host": "http://127.0.0.1", "port": "login", "password": WEAK}, "403 not yours",
                   "this account lacks the permission"),
    "page": ({"host": "http://127.0.0.1", "port": "html"}, "answered with HTML", "is this the right port"),
    "gateway": ({"host": "http://127.0.0.1", "port": "gateway"}, "502 Bad Gateway", "reaches no server behind it"),
    "silence": ({"host": "http://127.0.0.1", "port": "silent", "timeout": 0.3}, "no answer in time", "extra timeout"),
    "http to https": ({"host": "http://127.0.0.1", "port": "tls"}, "", "write https:// into the host"),
    "https to http": ({"host": "https://127.0.0.1", "port": "html"}, "speaks no TLS on this port", "write http://"),
    "no CA file": ({"host": "https://localhost", "port": "tls", "extra_ca": "/no/ca.pem"}, "extra ca names no file",
                   "write the path"),
    "bad extra": ({"host": "http://127.0.0.1", "port": "html", "raw": '{"verify": true,}'},
                  "extra of the connection is not JSON: line 1, column 17", "correct it"),
    "list": ({"host": "http://127.0.0.1", "port": "html", "raw": "[1]"}, "no object of JSON", "write {...}"),
    "no host": ({"host": ""}, "the connection has no host", "set host"),
    "auth": ({"host": "http://127.0.0.1", "auth": "basic"}, "extra auth is basic, and the connection has no login", ""),
}  # fmt: skip
BY_HTTP = {
    "mlflow": {},
    "prometheus": {},
    "open_inference": {"server": "scorer"},
    "mlflow_serving": {"slots": ["127.0.0.1:1"]},
    "torchserve": {},
    "haproxy": {"socket": "/run/no.sock", "maps": "/no/maps"},
    "envoy": {"admin": "http://127.0.0.1:1", "config": "/no/config"},
}


@pytest.fixture(scope="module")
def misled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MisledServer]:
    server = MisledServer(tmp_path_factory.mktemp("misled"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]


@pytest.fixture
def ask(misled: MisledServer, silent: int, monkeypatch: pytest.MonkeyPatch) -> Ask:
    ports = {**misled.ports, "silent": silent, "gone": free_ports()[0]}

    def ask(kind: str, own: dict[str, Any], **fields: Any) -> tuple[bool, str]:
        extra = dict(own)
        if fields.pop("ca", False):
            extra["ca"] = str(misled.ca)
        if missing := fields.pop("extra_ca", None):
            extra["ca"] = missing
        extra |= {name: fields.pop(name) for name in ("timeout", "auth") if name in fields}
        port = fields.pop("port", None)
        if kind == "torchserve" and "raw" not in fields and fields.get("host"):  # which asks its management API first
            extra["management"] = fields["host"] + (f":{ports.get(port, port)}" if port else "")
        raw = fields.pop("raw", json.dumps(extra))
        value = {"conn_type": kind, "port": ports.get(port, port), "extra": raw, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_TRIED", json.dumps(value))
        return BaseHook.get_hook("tried").test_connection()

    return ask


UNREAD = {"bad extra", "list"}
"""Of these Airflow 3.1 says itself that there is no such connection."""


def told_since(mistakes: Iterable[str]) -> list[Any]:
    return [pytest.param(one, marks=pytest.mark.since("3.2")) if one in UNREAD else one for one in mistakes]


@pytest.mark.parametrize("mistake", told_since(MISTAKES))
@pytest.mark.parametrize("kind", BY_HTTP)
def test_each_mistake_is_told_with_its_cause_and_what_to_do(ask: Ask, kind: str, mistake: str) -> None:
    fields, cause, hint = MISTAKES[mistake]
    good, said = ask(kind, BY_HTTP[kind], **fields)
    if mistake == "page" and kind == "mlflow_serving":
        cause, hint = "none of Supervisor's", ""
    if kind == "torchserve" and mistake == "gateway":
        cause = "502"
    assert not good
    assert cause in said, said
    assert hint in said, said
    assert "->" in said or not hint
    assert all(secret not in said for secret in (SECRET, TOKEN, WEAK))


def test_what_is_right_is_told_too(ask: Ask, misled: MisledServer) -> None:
    right = {"host": "https://localhost", "port": "tls", "ca": True}
    assert ask("mlflow", {}, **right) == (True, f"MLflow answers at https://localhost:{misled.ports['tls']}")
    good, said = ask("mlflow", {"cert": str(misled.client)}, **{**right, "port": "mutual"})
    assert good, said
    assert ask("mlflow", {}, host="http://127.0.0.1", port="login", password=TOKEN)[0]
    assert ask("mlflow", {}, host="http://127.0.0.1", port="login", login="x", password=TOKEN, auth="bearer")[0]
    assert not ask("mlflow", {}, host="http://127.0.0.1", port="login", login="x", password=TOKEN)[0]


@pytest.mark.parametrize("kind", ["prometheus", "open_inference", "torchserve", "haproxy", "envoy"])
def test_a_server_that_speaks_json_and_is_another_is_found_out(ask: Ask, kind: str) -> None:
    good, said = ask(kind, BY_HTTP[kind], host="http://127.0.0.1", port="empty")
    assert not good
    told = ("right port", "something else answers", "is this the address of a Prometheus")
    assert any(words in said for words in told), said


def test_a_missing_folder_of_an_extra_is_told(ask: Ask, scorer_server: Any, tmp_path: Any) -> None:
    there = {"host": "http://127.0.0.1", "port": scorer_server.port}
    assert ask("open_inference", {"repository": str(tmp_path)}, **there)[0]
    good, said = ask("open_inference", {"repository": "/no/models"}, **there)
    assert (good, "the extra repository names no folder of the machine that tests: /no/models" in said) == (False, True)
    assert "make or mount it" in said
    good, said = ask("open_inference", {"repository": "models"}, **there)
    assert (good, "the extra repository is not an absolute path" in said) == (False, True)


WEBHDFS = ["name", "refused", "unknown CA", "expired", "host", "client", "page", "silence", "bad extra", "no host"]


@pytest.mark.parametrize("mistake", told_since(WEBHDFS))
def test_of_hdfs_too(ask: Ask, mistake: str) -> None:
    fields, cause, hint = MISTAKES[mistake]
    secure = {"use_ssl": True} if str(fields["host"]).startswith("https") else {}
    host = str(fields["host"]).rpartition("://")[2]
    good, said = ask("webhdfs", secure, **{**fields, "host": host})
    assert not good
    if mistake == "page":
        cause, hint = "does not answer as WebHDFS does", "is this a NameNode's address?"
    if mistake == "silence":
        cause, hint = "timed out", ""
    if mistake == "no host":
        hint = "give the NameNodes"
    assert cause in said
    assert hint in said, said


def test_a_real_hdfs_answers(ask: Ask, hdfs_cluster: Any) -> None:
    host, _, port = hdfs_cluster.url.rpartition("//")[2].partition(":")
    good, said = ask("webhdfs", {}, host=host, port=int(port), login="airflow")
    assert good, said


@pytest.mark.parametrize(
    ("socket_of", "cause", "hint"),
    [
        ("/run/no.sock", "no runtime socket at /run/no.sock", "is HAProxy running"),
        ("127.0.0.1:{gone}", "failed (ConnectionRefusedError", "is this its port"),
        ("haproxy.invalid:9999", "failed (gaierror", "look for a slip in the host"),
        ("127.0.0.1:{html}", "it speaks HTTP", "line stats socket"),
        ("admin", "neither an absolute path nor host:port", "line stats socket"),
    ],
)
def test_of_haproxys_socket_too(
    ask: Ask, misled: MisledServer, haproxy_server: HaproxyServer, socket_of: str, cause: str, hint: str
) -> None:
    address = socket_of.format(gone=free_ports()[0], html=misled.ports["html"])
    own = {"socket": address, "maps": str(haproxy_server.maps)}
    good, said = ask("haproxy", own, host="http://127.0.0.1", port=haproxy_server.port)
    assert not good
    assert cause in said, said
    assert hint in said, said


@pytest.mark.parametrize(
    ("admin", "cause", "hint"),
    [
        ("http://127.0.0.1:{gone}", "nothing listens there", "is this its port"),
        ("http://127.0.0.1:{html}", "answered with HTML", "another server answers"),
        ("http://envoy.invalid:9901", "name cannot be resolved", "look for a slip"),
        ("https://localhost:{html}", "speaks no TLS on this port", "write http://"),
        ("ftp://127.0.0.1", "is not an http or https URL", ""),
    ],
)
def test_of_envoys_admin_too(
    ask: Ask, misled: MisledServer, envoy_server: Any, admin: str, cause: str, hint: str
) -> None:
    port = json.loads(envoy_server.connection)["port"]
    address = admin.format(gone=free_ports()[0], html=misled.ports["html"])
    good, said = ask("envoy", {"admin": address, "config": "/no"}, host="http://127.0.0.1", port=port)
    assert not good
    assert cause in said, said
    assert hint in said, said


@pytest.mark.parametrize(
    ("endpoint", "cause", "hint"),
    [
        ("http://127.0.0.1:{gone}", "nothing listens there", "is this its port"),
        ("http://aws.invalid", "name cannot be resolved", "look for a slip"),
        ("https://localhost:{tls}", "nobody we trust has signed", "the extra verify of the aws connection"),
        ("http://127.0.0.1:{html}", "sagemaker list_endpoints", "is endpoint_url"),
    ],
)
def test_of_aws_too(
    ask: Ask, misled: MisledServer, monkeypatch: pytest.MonkeyPatch, endpoint: str, cause: str, hint: str
) -> None:
    url = endpoint.format(gone=free_ports()[0], **misled.ports)
    extra = {**KEYS, "region_name": "eu-central-1", "endpoint_url": url}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_TRIED", json.dumps({"conn_type": "aws", "extra": extra}))
    good, said = ask("sagemaker_endpoint", {"aws_conn_id": "aws_tried"})
    assert not good
    assert cause in said, said
    assert hint in said, said
    assert KEYS["aws_secret_access_key"] not in said


@pytest.mark.parametrize(
    ("own", "cause"),
    [
        ({}, "nobody may send alerts: there is no secret"),
        ({"password": "short"}, "its password holds a secret of fewer than 16 characters"),
        ({"mlflow_secret": "short"}, "its extra mlflow_secret holds a secret of fewer"),
    ],
)
def test_of_who_may_send_alerts_too(ask: Ask, own: dict[str, str], cause: str) -> None:
    extra = {name: value for name, value in own.items() if name == "mlflow_secret"}
    good, said = ask("model_alerts", extra, password=own.get("password"))
    assert (good, cause in said) == (False, True), said
    assert ask("model_alerts", {}, password=SECRET) == (True, "secrets: 1 in the password; endpoints of 0 models")
