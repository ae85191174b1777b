"""Servers that load model archives, connections that lead to them, and artifacts that they can serve."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import Kind, Publish
from tests.servers.environments import environment
from tests.servers.mms import MultiModelServer
from tests.servers.torchserve import TorchServe

SERVERS = Path(__file__).parent / "servers"
SIGNATURE = {"inputs": [{"type": "double", "name": name, "required": True} for name in ("x", "y")]}
"""Of all models made here."""
Made = Callable[[str, float], Path]
"""The folder with a model of a kind and an offset."""


@pytest.fixture(scope="session")
def torchserve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorchServe]:
    """One TorchServe for the whole session, with keys and the model API; nobody stops it."""
    with TorchServe(tmp_path_factory.mktemp("torchserve"), "--enable-model-api") as server:
        yield server


@pytest.fixture(scope="session")
def mms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MultiModelServer]:
    """One multi-model-server for the whole session; nobody stops it."""
    with MultiModelServer(tmp_path_factory.mktemp("mms")) as server:
        yield server


@pytest.fixture
def torchserve_connection(torchserve: TorchServe, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id of a connection to it; what a test loads there is gone after the test."""
    yield connect(monkeypatch, "torchserve_default", "torchserve", torchserve, key_file=str(torchserve.key_file))
    torchserve.forget_all()


@pytest.fixture
def mms_connection(mms: MultiModelServer, haproxy_connection: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id of a connection to it, behind HAProxy; what a test loads there is gone after the test."""
    name = "multi_model_server_default"
    yield connect(monkeypatch, name, "multi_model_server", mms, router_conn_id=haproxy_connection)
    mms.forget_all()


def connect(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: str, server: TorchServe | MultiModelServer, **extra: Any
) -> str:
    """Make a connection, and return its id."""
    known = {
        "management": f"http://127.0.0.1:{server.management_port}",
        "archives": str(server.archives),
        "timeout": 20,
    }
    password = extra.pop("password", None)
    value = {"conn_type": kind, "host": "http://127.0.0.1", "port": server.port, "extra": {**known, **extra}}
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({**value, "password": password}))
    return name


@pytest.fixture(scope="session")
def torchscript(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Folders with TorchScript, each made once."""
    return _maker(tmp_path_factory.mktemp("torchscript"), environment("torchserve"), SERVERS / "torchscript_models.py")


@pytest.fixture(scope="session")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Folders with ONNX graphs, each made once."""
    return _maker(tmp_path_factory.mktemp("onnx"), environment("mms"), SERVERS / "onnx_models.py")


def publisher(store_folder: Path, made: Made) -> Publish:
    """Publishes those folders in a store."""
    store = local_store(store_folder)

    def publish(model: str, kind: Kind, offset: float) -> str:
        folder = made(kind.name, offset)
        return store.publish(folder, describe(folder, model, signature=SIGNATURE))

    return publish


def _maker(root: Path, programs: Path, script: Path) -> Made:
    def made(kind: str, offset: float) -> Path:
        folder = root / f"{kind}-{offset}"
        if not folder.exists():
            command = [programs / "python", script, folder, kind, offset]
            subprocess.run([str(part) for part in command], check=True, capture_output=True)
        return folder

    return made
