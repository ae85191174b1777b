"""The hook for TensorFlow Serving, on the protocol double of tests/servers/tensorflow_double.py."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from model_lifecycle.hooks.tensorflow_serving import TensorflowServingHook
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import Kind, NewHook, Publish, ServingContract
from tests.servers.tensorflow_server import TensorflowDouble, write_models


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorflowDouble]:
    folder = tmp_path_factory.mktemp("tensorflow")
    with TensorflowDouble(folder / "repository", folder / "double.log") as server:
        yield server


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("saved"))


def connect(monkeypatch: pytest.MonkeyPatch, double: TensorflowDouble, **extra: object) -> None:
    extra = {"repository": str(double.repository), "rest": double.rest, "timeout": 20, **extra}
    connection = {"conn_type": "tensorflow_serving", "host": "127.0.0.1", "port": double.port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TENSORFLOW_TRIED", json.dumps(connection))


class TestTensorflowServing(ServingContract):
    @pytest.fixture
    def new_hook(self, double: TensorflowDouble, monkeypatch: pytest.MonkeyPatch) -> NewHook:
        connect(monkeypatch, double)
        return lambda: TensorflowServingHook("tensorflow_tried")

    @pytest.fixture
    def store(self, tmp_path: Path) -> ModelStore:
        return local_store(tmp_path / "store")

    @pytest.fixture
    def publish(self, store: ModelStore, tmp_path: Path, saved: Path) -> Publish:
        def publish(model: str, kind: Kind, offset: float) -> str:
            folder = tmp_path / uuid4().hex
            name = "failing" if kind is Kind.FAILING else f"right-{max(offset, 1):.0f}"
            shutil.copytree(saved / name, folder)
            if kind is Kind.BROKEN:
                (folder / "variables" / "variables.index").write_bytes(b"cut")
            return store.publish(folder, describe(folder, model))

        return publish
