from __future__ import annotations

import pytest

from model_lifecycle.hooks.envoy import EnvoyHook
from model_lifecycle.testing.mirror_contract import MirrorContract
from tests.servers.envoy import EnvoyServer


@pytest.fixture(scope="module")
def envoy(tmp_path_factory):
    server = EnvoyServer(tmp_path_factory.mktemp("envoy"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def hook(envoy, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ENVOY_OWN", envoy.connection)
    return EnvoyHook("envoy_own")


class TestContract(MirrorContract):
    @pytest.fixture
    def process(self, envoy):
        return envoy

    @pytest.fixture
    def new_hook(self, process, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_ENVOY_OWN", process.connection)
        return lambda: EnvoyHook("envoy_own")
