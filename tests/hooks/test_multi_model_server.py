"""The hook for multi-model-server, on a real one behind a real HAProxy."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import Kind, NewHook, Publish, ServingContract
from tests.servers.environments import environment
from tests.servers.mms import MultiModelServer

MAKER = Path(__file__).parents[1] / "servers" / "onnx_models.py"
SIGNATURE = {"inputs": [{"type": "double", "name": name, "required": True} for name in ("x", "y")]}
Graph = Callable[[Kind, float], Path]


@pytest.fixture(scope="session")
def mms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MultiModelServer]:
    with MultiModelServer(tmp_path_factory.mktemp("mms")) as server:
        yield server


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """Folders with an ONNX graph of a kind and an offset, each made once."""
    root = tmp_path_factory.mktemp("onnx")

    def graph(kind: Kind, offset: float) -> Path:
        folder = root / f"{kind.name}-{offset}"
        if not folder.exists():
            command = [environment("mms") / "python", MAKER, folder, kind.name, offset]
            subprocess.run([str(part) for part in command], check=True, capture_output=True)
        return folder

    return graph


def connect(
    monkeypatch: pytest.MonkeyPatch, server: MultiModelServer, name: str = "mms_tried", **extra: object
) -> None:
    known = {
        "management": f"http://127.0.0.1:{server.management_port}",
        "archives": str(server.archives),
        "timeout": 20,
        **extra,
    }
    connection = {"conn_type": "multi_model_server", "host": "http://127.0.0.1", "port": server.port, "extra": known}
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))


class TestMultiModelServer(ServingContract):
    @pytest.fixture
    def new_hook(
        self, mms: MultiModelServer, haproxy_connection: str, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[NewHook]:
        connect(monkeypatch, mms, router_conn_id=haproxy_connection)
        yield lambda: serving_hook("mms_tried")
        mms.forget_all()

    @pytest.fixture
    def store(self, tmp_path: Path) -> ModelStore:
        return local_store(tmp_path / "store")

    @pytest.fixture
    def publish(self, store: ModelStore, graph: Graph) -> Publish:
        def publish(model: str, kind: Kind, offset: float) -> str:
            folder = graph(kind, offset)
            return store.publish(folder, describe(folder, model, signature=SIGNATURE))

        return publish
