"""The contract on a real model server of the KServe SDK behind a real HAProxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from model_lifecycle.hooks.serving import VersionState, serving_hook
from model_lifecycle.testing.serving_contract import NewHook
from tests.hooks.published import PublishedModels
from tests.hooks.test_open_inference import connect
from tests.servers.kserve import KServeServer


@pytest.fixture(scope="module")
def kserve_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KServeServer]:
    with KServeServer(tmp_path_factory.mktemp("kserve")) as server:
        yield server


class TestKServe(PublishedModels):
    @pytest.fixture
    def new_hook(
        self, kserve_server: KServeServer, haproxy_connection: str, monkeypatch: pytest.MonkeyPatch
    ) -> NewHook:
        extra = {"repository": str(kserve_server.repository), "router_conn_id": haproxy_connection, "timeout": 60}
        connect(monkeypatch, kserve_server.port, "kserve_tried", **extra)
        return lambda: serving_hook("kserve_tried")

    def test_a_server_that_starts_again_loads_what_it_had(self, hook, model, bring, kserve_server):
        bring(1)
        bring(2)
        hook.unload(model, 1)
        kserve_server.stop()
        kserve_server.start()
        assert hook.versions(model) == {2: VersionState.READY}
