from __future__ import annotations

import signal
import subprocess
import sys
from http.client import HTTPConnection
from uuid import uuid4

import pytest

from model_lifecycle.core.counts import BUCKETS
from model_lifecycle.core.errors import Conflict, Invalid
from model_lifecycle.hooks.envoy import EnvoyHook
from model_lifecycle.testing.mirror_contract import MirrorContract
from model_lifecycle.testing.router_contract import wait_until
from model_lifecycle.testing.small_backends import ask
from tests.servers.envoy import EnvoyServer


@pytest.fixture(scope="module")
def envoy(tmp_path_factory):
    server = EnvoyServer(tmp_path_factory.mktemp("envoy"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


class TestContract(MirrorContract):
    @pytest.fixture
    def process(self, envoy):
        return envoy

    @pytest.fixture
    def new_hook(self, process, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_ENVOY_OWN", process.connection)
        return lambda: EnvoyHook("envoy_own")


@pytest.fixture
def hook(envoy, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ENVOY_OWN", envoy.connection)
    return EnvoyHook("envoy_own")


KILLED = """
import os, signal, sys
from model_lifecycle.hooks.envoy import EnvoyHook
from model_lifecycle.hooks.envoy_admin import WatchedFiles
WatchedFiles._wait = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
EnvoyHook("envoy_own").route(sys.argv[1], {2: 100})
"""


def test_a_worker_killed_after_its_file_has_made_the_change_and_may_repeat_it(envoy, hook, own_model):
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, own_model], timeout=60)
    assert done.returncode == -signal.SIGKILL
    wait_until(lambda: hook.traffic(own_model) == {2: 100})
    hook.route(own_model, {2: 100})
    envoy.kill()
    envoy.start()
    assert hook.traffic(own_model) == {2: 100}


def test_a_file_is_written_only_if_something_changes(envoy, hook, own_model):
    routes = envoy.config / "routes.json"
    before = routes.read_text()
    hook.route(own_model, {1: 100})
    hook.mirror(own_model, {})
    hook.detach(own_model, 7)
    assert routes.read_text() == before


def test_what_runs_is_told_where_the_file_says_something_else(envoy, hook, own_model):
    routes = envoy.config / "routes.json"
    routes.write_text("nonsense")  # no rename: Envoy does not look at it
    assert hook.traffic(own_model) == {1: 100}
    hook.route(own_model, {1: 50, 2: 50})
    envoy.kill()
    envoy.start()
    assert hook.traffic(own_model) == {1: 50, 2: 50}


def test_a_host_name_is_envoys_to_resolve(envoy, hook, small_backend):
    url = f"http://localhost:{small_backend.port}{small_backend.path}"
    name = f"own-{uuid4().hex[:12]}"
    hook.attach(name, 1, url)
    assert hook.backends(name) == {1: url}
    assert ask(envoy.port, f"/{name}", version=1).version == 1


def test_a_host_name_that_nobody_knows_disturbs_no_other_model(envoy, hook, own_model):
    name = f"own-{uuid4().hex[:12]}"
    hook.attach(name, 1, "http://no-such-host.invalid:80/x")
    assert ask(envoy.port, f"/{name}", version=1).status == 503
    hook.route(own_model, {2: 100})
    hook.detach(name, 1)


def test_times_in_other_classes_are_invalid_and_name_what_to_run(envoy, hook, own_model, monkeypatch):
    assert ask(envoy.port, f"/{own_model}").version == 1
    monkeypatch.setattr("model_lifecycle.hooks.envoy.bucket_bounds", lambda: list(range(len(BUCKETS))))
    with pytest.raises(Invalid, match=r"other classes than ours.*envoy\.yaml of this package"):
        hook.counts(own_model)


def test_callers_cannot_ask_as_if_they_were_a_copy(envoy, hook, own_model):
    hook.mirror(own_model, {2: 100})
    connection = HTTPConnection("127.0.0.1", envoy.port, timeout=30)
    connection.request("POST", f"/{own_model}", b"{}", {"x-model-shadow": f"{own_model}/2"})
    assert connection.getresponse().headers["x-model-version"] == "1"
    connection.close()
    hook.mirror(own_model, {})


def test_mirroring_needs_traffic_and_ends_with_it(hook, own_model):
    hook.mirror(own_model, {2: 100})
    hook.route(own_model, {})
    assert hook.mirrored(own_model) == {}
    with pytest.raises(Conflict, match="no traffic to mirror"):
        hook.mirror(own_model, {2: 100})


def test_the_connection_test_says_what_is_missing(envoy, small_backend, tmp_path, connect_router):
    assert connect_router(envoy.connection).test_connection() == (
        True,
        "Envoy answers callers, and its files can be changed",
    )
    for changes, said in (
        ({"extra": {"admin": None}}, "the extra admin is no URL"),
        ({"extra": {"admin": f"http://127.0.0.1:{envoy.port}"}}, "404"),
        ({"extra": {"admin": "http://127.0.0.1:1"}}, "the connection failed"),
        ({"extra": {"config": str(tmp_path)}}, "holds no clusters.json"),
        ({"extra": {"config": "models"}}, "the extra config is not an absolute path"),
        ({"port": small_backend.port}, "501"),
        ({"port": envoy.admin}, "404"),
    ):
        good, words = connect_router(envoy.connection, **changes).test_connection()
        assert (good, said in words) == (False, True), words
