"""Routers that tests share, and connections that lead to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
