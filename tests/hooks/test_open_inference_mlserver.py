"""The contract on a real MLServer behind a real HAProxy."""

from __future__ import annotations

import pytest

from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.testing.serving_contract import NewHook
from tests.hooks.published import PublishedModels
from tests.hooks.test_open_inference import connect
from tests.servers.mlserver import MLServerServer


class TestMLServer(PublishedModels):
    @pytest.fixture
    def new_hook(
        self, mlserver_server: MLServerServer, haproxy_connection: str, monkeypatch: pytest.MonkeyPatch
    ) -> NewHook:
        extra = {"repository": str(mlserver_server.repository), "router_conn_id": haproxy_connection, "timeout": 60}
        connect(monkeypatch, mlserver_server.port, "mlserver_tried", **extra)
        return lambda: serving_hook("mlserver_tried")
