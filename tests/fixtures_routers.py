"""Routers that tests share, and connections that lead to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from model_lifecycle.hooks.router import RouterHook, router_hook
from model_lifecycle.testing.small_backends import SmallBackend
from tests.servers.envoy import EnvoyServer
from tests.servers.haproxy import HaproxyServer


@pytest.fixture(scope="session")
def haproxy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HaproxyServer]:
    """One HAProxy for the whole session; nobody stops it, and every test uses model names of its own."""
    server = HaproxyServer(tmp_path_factory.mktemp("haproxy"))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def haproxy_connection(haproxy_server: HaproxyServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of an Airflow connection to the shared HAProxy, for the extra ``router_conn_id``."""
    monkeypatch.setenv("AIRFLOW_CONN_HAPROXY_DEFAULT", haproxy_server.connection)
    return "haproxy_default"


@pytest.fixture(scope="session")
def envoy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyServer]:
    """One Envoy for the whole session; nobody stops it, and every test uses model names of its own."""
    server = EnvoyServer(tmp_path_factory.mktemp("envoy"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def envoy_connection(envoy_server: EnvoyServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of an Airflow connection to the shared Envoy, for the extra ``router_conn_id``."""
    monkeypatch.setenv("AIRFLOW_CONN_ENVOY_DEFAULT", envoy_server.connection)
    return "envoy_default"


@pytest.fixture(scope="module")
def small_backend() -> Iterator[SmallBackend]:
    """A version's own server, which says that it is version 1."""
    server = SmallBackend(1)
    yield server
    server.stop()


@pytest.fixture
def own_model(hook: RouterHook, small_backend: SmallBackend) -> str:
    """A model of the module's own ``hook``: two versions on one server, of which the first has all traffic."""
    name = f"own-{uuid4().hex[:12]}"
    hook.attach(name, 1, small_backend.url)
    hook.attach(name, 2, small_backend.url)
    hook.route(name, {1: 100})
    return name


@pytest.fixture
def connect_router(monkeypatch: pytest.MonkeyPatch) -> Callable[..., RouterHook]:
    """Make a hook for a connection to a router, of which some fields or extras are changed."""

    def connect(connection: str, **changes: Any) -> RouterHook:
        value = json.loads(connection)
        value["extra"].update(changes.pop("extra", {}))
        monkeypatch.setenv("AIRFLOW_CONN_ROUTER_CHANGED", json.dumps({**value, **changes}))
        return router_hook("router_changed")

    return connect
