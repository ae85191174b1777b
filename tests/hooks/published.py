"""Models of each kind in a store of the test's own, for the contract of serving systems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import Kind, Publish, ServingContract
from tests import models

Makers = dict[Kind, Callable[[Path, float], Path]]


class PublishedModels(ServingContract):
    """The contract with MLflow models whose signatures name their outputs; ``new_hook`` is left to whoever inherits."""

    @pytest.fixture
    def makers(self) -> Makers:
        return {
            Kind.RIGHT: lambda folder, offset: models.linear(folder, offset, outputs=True),
            Kind.BROKEN: lambda folder, offset: models.broken(folder, outputs=True),
            Kind.FAILING: lambda folder, offset: models.failing(folder, outputs=True),
        }

    @pytest.fixture
    def store(self, tmp_path: Path) -> ModelStore:
        return local_store(tmp_path / "store")

    @pytest.fixture
    def publish(self, store: ModelStore, tmp_path: Path, makers: Makers) -> Publish:
        def publish(model: str, kind: Kind, offset: float) -> str:
            folder = makers[kind](tmp_path / uuid4().hex, offset)
            return store.publish(folder, models.manifest_of(folder, model))

        return publish
