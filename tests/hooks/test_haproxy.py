from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from importlib.resources import files
from itertools import pairwise
from uuid import uuid4

import pytest

from model_lifecycle.core.counts import BUCKETS
from model_lifecycle.core.errors import Invalid, Unavailable
from model_lifecycle.hooks.haproxy import HaproxyHook
from model_lifecycle.hooks.haproxy_socket import RuntimeSocket
from model_lifecycle.testing.router_contract import RouterContract
from model_lifecycle.testing.small_backends import ask
from tests.servers.haproxy import HaproxyServer


@pytest.fixture(scope="module")
def haproxy(tmp_path_factory):
    server = HaproxyServer(tmp_path_factory.mktemp("haproxy"))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def hook(haproxy, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_HAPROXY_OWN", haproxy.connection)
    return HaproxyHook("haproxy_own")


class TestContract(RouterContract):
    @pytest.fixture
    def process(self, haproxy):
        return haproxy

    @pytest.fixture
    def new_hook(self, process, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_HAPROXY_OWN", process.connection)
        return lambda: HaproxyHook("haproxy_own")


def test_the_installed_configuration_counts_in_the_classes_of_our_counts():
    text = (files("model_lifecycle") / "routers" / "haproxy.cfg").read_text()
    rules = re.findall(r"sc_inc_gpc\((\d+),0\) if versioned \{ var\(txn\.took\) -m int (\S+ ?\d*) \}", text)
    micros = [round(bound * 1e6) for bound in BUCKETS[:-1]]
    wanted = [f"le {micros[0]}", *(f"{low + 1}:{high}" for low, high in pairwise(micros)), f"gt {micros[-1]}"]
    assert rules == [(str(place), condition) for place, condition in enumerate(wanted, start=2)]
    assert f"gpc({len(BUCKETS) + 2})" in text


def test_what_runs_is_told_where_the_file_says_something_else(haproxy, hook, own_model):
    haproxy_file = haproxy.maps / "traffic.map"
    haproxy_file.write_text(f"{own_model} 2:2:0\n")
    assert hook.traffic(own_model) == {1: 100}
    hook.route(own_model, {1: 50, 2: 50})
    assert f"{own_model} 1:2:50\n" in haproxy_file.read_text()


KILLED = """
import os, signal, sys
from model_lifecycle.hooks.haproxy import HaproxyHook
from model_lifecycle.hooks.haproxy_socket import Maps
Maps.save = lambda self, name: os.kill(os.getpid(), signal.SIGKILL)
HaproxyHook("haproxy_own").route(sys.argv[1], {2: 100})
"""


@pytest.mark.parametrize("repair", ["the same verb", "another model's verb"])
def test_a_worker_killed_between_what_runs_and_the_file_is_repaired_by_the_next_verb(
    haproxy, hook, own_model, small_backend, repair
):
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, own_model], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert hook.traffic(own_model) == {2: 100}
    assert f"{own_model} 1:1:0\n" in (haproxy.maps / "traffic.map").read_text()
    if repair == "the same verb":
        hook.route(own_model, {2: 100})
    else:
        hook.attach(f"{own_model}-b", 1, small_backend.url)
        hook.route(f"{own_model}-b", {1: 100})
    assert f"{own_model} 2:2:0\n" in (haproxy.maps / "traffic.map").read_text()
    haproxy.kill()
    haproxy.start()
    assert hook.traffic(own_model) == {2: 100}


def test_traffic_in_another_form_is_unavailable_until_it_is_set_anew(haproxy, hook, own_model):
    RuntimeSocket(str(haproxy.socket), "here").change(f"set map {haproxy.maps}/traffic.map {own_model} nonsense")
    with pytest.raises(Unavailable, match="nonsense"):
        hook.traffic(own_model)
    hook.route(own_model, {1: 100})
    assert hook.traffic(own_model) == {1: 100}


def test_a_target_in_another_form_is_unavailable_until_the_version_is_attached_anew(
    haproxy, hook, own_model, small_backend
):
    RuntimeSocket(str(haproxy.socket), "here").change(f"set map {haproxy.maps}/targets.map {own_model}/2 nonsense")
    with pytest.raises(Unavailable, match=r"targets.map says 'nonsense'.*attach the version anew"):
        hook.route(own_model, {2: 100})
    hook.attach(own_model, 2, small_backend.url)
    hook.route(own_model, {2: 100})
    assert hook.traffic(own_model) == {2: 100}


def test_counts_without_their_table_are_invalid_and_not_zero(hook, own_model, monkeypatch):
    monkeypatch.setattr("model_lifecycle.hooks.haproxy.TABLE", "other")
    for read in (lambda: hook.counts(own_model), lambda: hook.in_flight(own_model, 1)):
        with pytest.raises(Invalid, match="no stick table other"):
            read()


def test_a_host_name_is_resolved_when_it_is_attached_and_read_back_as_it_was(haproxy, hook, small_backend):
    url = f"http://localhost:{small_backend.port}{small_backend.path}"
    name = f"own-{uuid4().hex[:12]}"
    hook.attach(name, 1, url)
    assert hook.backends(name) == {1: url}
    assert ask(haproxy.port, f"/{name}", version=1).version == 1
    assert small_backend.headers[-1]["host"] == f"localhost:{small_backend.port}"


def test_a_host_name_that_nobody_knows_is_unavailable(hook):
    with pytest.raises(Unavailable, match="resolved"):
        hook.attach("own", 1, "http://no-such-host.invalid:80/x")
    assert hook.backends("own") == {}


def test_a_name_that_cannot_be_resolved_any_more_keeps_its_address(haproxy, hook, small_backend, monkeypatch):
    url, name = f"http://localhost:{small_backend.port}{small_backend.path}", f"own-{uuid4().hex[:12]}"
    hook.attach(name, 1, url)
    monkeypatch.setattr(socket, "getaddrinfo", nobody_knows)
    hook.attach(name, 1, url)
    hook.route(name, {1: 100})
    with pytest.raises(Unavailable, match="cannot be resolved"):
        hook.attach(name, 2, url)
    monkeypatch.undo()
    assert ask(haproxy.port, f"/{name}").version == 1


def nobody_knows(host, *more, **options):
    """A double of a name server that is down; addresses need none."""
    raise socket.gaierror(f"no name server tells where {host} is")


def test_an_ipv6_address_is_routed(haproxy, hook):
    hook.attach("own-ipv6", 1, "http://[::1]:9/x")
    assert hook.backends("own-ipv6") == {1: "http://[::1]:9/x"}
    assert ask(haproxy.port, "/own-ipv6", version=1).status == 503
    hook.detach("own-ipv6", 1)


def test_the_socket_may_be_a_tcp_port(haproxy, own_model, connect_router):
    with relay(haproxy.socket) as port:
        other = connect_router(haproxy.connection, extra={"socket": f"127.0.0.1:{port}"})
        assert other.test_connection()[0]
        other.route(own_model, {2: 100})
        assert other.traffic(own_model) == {2: 100}


@contextmanager
def relay(path):
    """A TCP port that leads to a unix socket, one connection at a time."""
    listener, stop = socket.create_server(("127.0.0.1", 0)), threading.Event()
    listener.settimeout(0.1)

    def serve():
        while not stop.is_set():
            try:
                caller, _ = listener.accept()
            except TimeoutError:
                continue
            with caller, socket.socket(socket.AF_UNIX) as inner:
                inner.connect(str(path))
                inner.sendall(caller.recv(2**16))
                while chunk := inner.recv(2**16):
                    caller.sendall(chunk)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        listener.close()


def test_the_connection_test_says_what_is_missing(haproxy, small_backend, tmp_path, connect_router):
    assert connect_router(haproxy.connection).test_connection() == (
        True,
        "HAProxy answers callers, and its maps can be changed",
    )
    for changes, said in (
        ({"extra": {"socket": "/nowhere/socket"}}, "no runtime socket at /nowhere/socket"),
        ({"extra": {"socket": "nowhere"}}, "the extra socket is neither"),
        ({"extra": {"socket": None}}, "the extra socket is neither"),
        ({"extra": {"maps": str(tmp_path)}}, "holds no traffic.map"),
        ({"extra": {"maps": "maps"}}, "the extra maps is not an absolute path"),
        ({"port": small_backend.port}, "501"),
        ({"port": 1}, "the connection failed"),
    ):
        good, words = connect_router(haproxy.connection, **changes).test_connection()
        assert (good, said in words) == (False, True), words


def test_maps_of_another_configuration_are_told(haproxy, tmp_path, connect_router):
    server = HaproxyServer(tmp_path)
    own = tmp_path / "own.cfg"
    own.write_text('global\n  stats socket "${MODELS_SOCKET}" level admin\ndefaults\n  mode http\n'
                   '  timeout client 5s\nfrontend x\n  bind "${MODELS_BIND}"\n')  # fmt: skip
    server.command[-1] = str(own)
    try:
        server.start()
        extra = {"socket": str(server.socket), "maps": str(server.maps)}
        with pytest.raises(Invalid, match="runs 0 maps"):
            connect_router(haproxy.connection, extra=extra).traffic("own")
    finally:
        server.remove()


def test_traffic_moves_with_one_command(hook, own_model, monkeypatch):
    sent = []
    change = RuntimeSocket.change
    monkeypatch.setattr(RuntimeSocket, "change", lambda self, command: sent.append(command) or change(self, command))
    hook.route(own_model, {1: 75, 2: 25})
    hook.route(own_model, {1: 75, 2: 25})
    assert [command.split(" ")[3:] for command in sent] == [[own_model, "1:2:25"]]
