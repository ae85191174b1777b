"""The hook for TorchServe, on a real one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_lifecycle.hooks.torchserve import TorchServeHook
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import Kind, NewHook, Publish, ServingContract
from tests.servers.environments import environment
from tests.servers.torchserve import TorchServe

MAKER = Path(__file__).parents[1] / "servers" / "torchscript_models.py"
SIGNATURE = {"inputs": [{"type": "double", "name": name, "required": True} for name in ("x", "y")]}
Script = Callable[[Kind, float], Path]


@pytest.fixture(scope="session")
def torchserve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorchServe]:
    with TorchServe(tmp_path_factory.mktemp("torchserve"), "--enable-model-api") as server:
        yield server


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Script:
    """Folders with a TorchScript file of a kind and an offset, each made once."""
    root = tmp_path_factory.mktemp("torchscript")

    def script(kind: Kind, offset: float) -> Path:
        folder = root / f"{kind.name}-{offset}"
        if not folder.exists():
            command = [environment("torchserve") / "python", MAKER, folder, kind.name, offset]
            subprocess.run([str(part) for part in command], check=True, capture_output=True)
        return folder

    return script


def connect(
    monkeypatch: pytest.MonkeyPatch, server: TorchServe, name: str = "torchserve_tried", **extra: object
) -> None:
    known = {
        "management": f"http://127.0.0.1:{server.management_port}",
        "archives": str(server.archives),
        "key_file": str(server.key_file),
        "timeout": 20,
    }
    connection = {
        "conn_type": "torchserve",
        "host": "http://127.0.0.1",
        "port": server.port,
        "extra": {**known, **extra},
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))


class TestTorchServe(ServingContract):
    @pytest.fixture
    def new_hook(self, torchserve: TorchServe, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewHook]:
        connect(monkeypatch, torchserve)
        yield lambda: TorchServeHook("torchserve_tried")
        torchserve.forget_all()

    @pytest.fixture
    def store(self, tmp_path: Path) -> ModelStore:
        return local_store(tmp_path / "store")

    @pytest.fixture
    def publish(self, store: ModelStore, script: Script) -> Publish:
        def publish(model: str, kind: Kind, offset: float) -> str:
            folder = script(kind, offset)
            return store.publish(folder, describe(folder, model, signature=SIGNATURE))

        return publish
