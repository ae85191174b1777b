from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from model_lifecycle.core.errors import Conflict, Invalid, NotFound, Unavailable
from model_lifecycle.hooks import routed as routed_module
from model_lifecycle.hooks.haproxy_socket import RuntimeSocket
from model_lifecycle.hooks.routed import RoutedServing, routed
from model_lifecycle.hooks.router import router_hook
from model_lifecycle.hooks.serving import Answer, RoutableHook, VersionState
from model_lifecycle.testing.router_contract import wait_until
from model_lifecycle.testing.small_backends import Callers, SmallBackend

INPUTS = {"x": [1.0]}


class SmallServing(RoutableHook):
    """A double of a serving system, of which only the addresses are real: each loaded version is a tiny HTTP server."""

    conn_type = "small"
    hook_name = "small servers"

    def __init__(self):
        super().__init__()
        self.servers: dict[int, SmallBackend] = {}
        self.staged: list[int] = []

    def prove_connection(self):
        return "small servers answer"

    def stage(self, model, version, artifact_uri, store):
        self.staged.append(version)

    def load(self, model, version):
        self.servers[version] = SmallBackend(version, path=f"/own/{version}")

    def unload(self, model, version):
        if version in self.servers:
            self.servers.pop(version).stop()

    def versions(self, model):
        return dict.fromkeys(self.servers, VersionState.READY)

    def failure(self, model, version):
        return None

    def address(self, model, version):
        if version not in self.servers:
            raise NotFound("not loaded")
        return self.servers[version].url

    def ask(self, session, path, model, inputs, headers):
        response = session.call("POST", path, json=inputs, headers=headers, text=True, retry=False)
        return Answer(int(response.headers["x-model-version"]), {"said": [response.text]})

    def predict(self, model, inputs, version=None):
        raise AssertionError("callers of a routed system ask the router")


@pytest.fixture(params=["haproxy", "envoy"])
def server(request):
    request.getfixturevalue(f"{request.param}_connection")
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
def backend():
    hook = SmallServing()
    yield hook
    for server in hook.servers.values():
        server.stop()


@pytest.fixture
def serving(server, backend):
    return routed(backend, f"{json.loads(server.connection)['conn_type']}_default")


@pytest.fixture
def model():
    return f"routed-{uuid4().hex[:12]}"


@pytest.fixture
def two(serving, model):
    """Both versions are loaded, and the first has all traffic."""
    for version in (1, 2):
        serving.stage(model, version, "file:///nowhere", None)
        serving.load(model, version)
    serving.route(model, {1: 100})
    return model


def test_it_can_split_and_count_and_mirror_as_far_as_its_router_can(serving):
    assert isinstance(serving, RoutedServing)
    assert (serving.can_split, serving.counts_requests) == (True, True)
    assert serving.can_mirror == serving.router.can_mirror


def test_a_loaded_version_answers_when_it_is_pinned_and_nobody_else_before_it_has_traffic(serving, model):
    serving.load(model, 1)
    assert serving.versions(model) == {1: VersionState.READY}
    assert serving.predict(model, INPUTS, 1) == Answer(1, {"said": ["1 12"]})
    assert serving.traffic(model) == {}
    with pytest.raises(NotFound):
        serving.predict(model, INPUTS)


def test_a_version_that_is_not_ready_is_not_found_and_gets_no_traffic(serving, two):
    with pytest.raises(NotFound, match="not ready"):
        serving.predict(two, INPUTS, 9)
    for traffic in ({9: 100}, {1: 50, 9: 50}):
        with pytest.raises(Conflict, match="not ready"):
            serving.route(two, traffic)
    assert serving.traffic(two) == {1: 100}


def test_traffic_that_is_none_is_invalid_before_anything_is_attached(serving, two):
    with pytest.raises(Invalid):
        serving.route(two, {1: 50, 2: 49})
    assert list(serving.router.backends(two)) == [1]


def test_a_host_that_has_another_address_by_now_is_found_again_when_traffic_is_set(
    haproxy_connection, haproxy_server, backend, model
):
    serving = routed(backend, haproxy_connection)
    serving.load(model, 1)
    serving.route(model, {1: 100})
    old = f"127.0.0.9|{backend.servers[1].port}|/own/1|127.0.0.1"  # what its name meant before
    maps = f"{haproxy_server.maps}/targets.map {model}/1"
    RuntimeSocket(str(haproxy_server.socket), "here").change(f"set map {maps} {old}")
    serving.route(model, {1: 100})
    assert serving.predict(model, INPUTS).version == 1


def test_traffic_is_split_and_counted_by_version(serving, server, two):
    serving.route(two, {1: 50, 2: 50})
    assert serving.traffic(two) == {1: 50, 2: 50}
    answers = [serving.predict(two, INPUTS).version for _ in range(100)]
    counts = serving.counts(two)
    assert {version: counts[version].requests for version in (1, 2)} == {1: answers.count(1), 2: answers.count(2)}
    assert set(answers) == {1, 2}


def test_a_version_that_came_back_at_another_address_is_found_there(serving, backend, two):
    backend.unload(two, 1)
    with pytest.raises(Unavailable):
        serving.predict(two, INPUTS)
    backend.load(two, 1)
    serving.route(two, {1: 100})
    assert serving.predict(two, INPUTS).version == 1
    assert serving.router.backends(two)[1] == backend.address(two, 1)


def test_a_version_with_traffic_is_not_unloaded(serving, backend, two):
    with pytest.raises(Conflict, match="has traffic"):
        serving.unload(two, 1)
    assert serving.predict(two, INPUTS).version == 1
    assert 1 in backend.servers


def test_an_unloaded_version_is_forgotten_by_both(serving, backend, two):
    serving.predict(two, INPUTS, 2)
    serving.unload(two, 2)
    serving.unload(two, 2)
    assert list(serving.router.backends(two)) == [1]
    assert list(backend.servers) == [1]


def test_what_a_version_is_answering_is_waited_for_before_it_is_unloaded(serving, backend, two):
    backend.servers[1].delay = 1.0
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(serving.predict, two, INPUTS, 1)
        wait_until(lambda: serving.router.in_flight(two, 1) == 1)
        serving.route(two, {2: 100})
        serving.unload(two, 1)
        assert answer.result().version == 1


def test_a_version_that_never_ends_its_requests_is_unloaded_all_the_same(serving, backend, two, monkeypatch):
    monkeypatch.setattr(routed_module, "DRAIN", 0.3)
    backend.servers[1].delay = 3.0
    with ThreadPoolExecutor(1) as pool:
        pool.submit(serving.predict, two, INPUTS, 1)
        wait_until(lambda: serving.router.in_flight(two, 1) == 1)
        serving.route(two, {2: 100})
        serving.unload(two, 1)
        assert list(backend.servers) == [2]


def test_a_release_and_its_rollback_fail_no_request(serving, server, two):
    with Callers(server.port, f"/v2/models/{two}/infer") as callers:
        for traffic in ({1: 95, 2: 5}, {1: 50, 2: 50}, {2: 100}, {1: 100}):
            serving.route(two, traffic)
            callers.go_on()
        serving.unload(two, 2)
        callers.go_on()
    assert callers.faults == []
    assert set(callers.versions) == {1, 2}


def test_copies_go_to_the_shadow_or_are_refused(serving, backend, two):
    if not serving.can_mirror:
        with pytest.raises(Invalid):
            serving.mirror(two, {2: 100})
        return
    with pytest.raises(Conflict, match="not ready"):
        serving.mirror(two, {9: 100})
    serving.mirror(two, {2: 100})
    assert serving.mirrored(two) == {2: 100}
    assert serving.predict(two, INPUTS).version == 1
    wait_until(lambda: serving.counts(two)[2].requests == 1)
    with pytest.raises(Conflict):
        serving.unload(two, 2)
    serving.mirror(two, {})
    serving.unload(two, 2)


def test_a_system_without_addresses_cannot_stand_behind_a_router(haproxy_connection, backend):
    class WithoutAddresses:
        hook_name = "a system of one address"

    with pytest.raises(Invalid, match="cannot stand behind a router"):
        routed(WithoutAddresses(), haproxy_connection)
    assert router_hook(haproxy_connection).hook_name == "HAProxy"
