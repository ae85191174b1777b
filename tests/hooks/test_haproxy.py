from __future__ import annotations

import pytest

from model_lifecycle.hooks.haproxy import HaproxyHook
from model_lifecycle.testing.router_contract import RouterContract
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
