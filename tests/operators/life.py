"""One model's life in a test: a folder store, the shared MLflow, a real scorer, and tasks run as Airflow runs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from model_lifecycle.core.models import Endpoint, ModelUri
from model_lifecycle.core.release import Release
from model_lifecycle.hooks.registry import ModelRegistryHook, registry_hook
from model_lifecycle.hooks.serving import ServingHook, serving_hook
from model_lifecycle.hooks.store import open_store
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.promote import PromoteModelOperator
from model_lifecycle.operators.register import RegisterModelOperator
from model_lifecycle.operators.rollback import RollbackModelOperator
from model_lifecycle.operators.upload import UploadModelOperator
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.ledger import Ledger
from tests import models

SCORER = "scorer_default"


def context(task_id: str = "task", run_id: str = "run-1", try_number: int = 1) -> Any:
    """A double of the context Airflow gives a task: the parts that operators read, and a place for XComs."""
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(
        dag_id="life",
        run_id=run_id,
        task_id=task_id,
        map_index=-1,
        try_number=try_number,
        max_tries=1,
        get_task_states=lambda *_, **__: {run_id: {task_id: "failed"}},
        log_url="http://127.0.0.1/dags/life",
        xcom_push=lambda key, value: pushed.update({key: value}),
        pushed=pushed,
    )
    moment = datetime(2013, 2, 1, tzinfo=UTC)
    run = SimpleNamespace(triggering_user_name="alice")
    return {
        "ti": ti,
        "dag_run": run,
        "data_interval_start": moment,
        "data_interval_end": datetime(2013, 3, 1, tzinfo=UTC),
    }


@dataclass
class Life:
    """A model with a name of its own; every version answers ``x + y + offset``."""

    folder: Path
    model: str
    store_uri: str
    repository: Path
    runs: list[str] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"{SCORER}/{self.model}"

    @property
    def store(self) -> ModelStore:
        return open_store(self.store_uri)

    @property
    def registry(self) -> ModelRegistryHook:
        return registry_hook("mlflow_default")

    @property
    def serving(self) -> ServingHook:
        return serving_hook(SCORER)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.store, Endpoint.parse(self.endpoint))

    def newest(self) -> Release:
        release = self.ledger.newest()
        assert release is not None
        return release

    def upload(self, source: Path, run_id: str = "run-1") -> str:
        task = UploadModelOperator(task_id="upload", model_name=self.model, source=str(source), store=self.store_uri)
        return task.execute(context("upload", run_id))

    def register(self, uri: str, run_id: str = "run-1", **more: Any) -> str:
        task = RegisterModelOperator(
            task_id="register", model_name=self.model, artifact_uri=uri, store=self.store_uri, **more
        )
        return task.execute(context("register", run_id))

    def version(self, offset: float, *, make: Any = models.linear, **more: Any) -> str:
        """Make, upload and register a version; returns its model URI."""
        source = make(self.folder / f"{make.__name__}-{offset}", *([offset] if make is models.linear else []), **more)
        return self.register(self.upload(source))

    def deploy(self, model_uri: str, run_id: str = "run-1", try_number: int = 1, **more: Any) -> dict[str, Any]:
        task = DeployModelOperator(
            task_id="deploy", model_uri=model_uri, serving_conn_id=SCORER, store=self.store_uri, **more
        )
        return task.execute(context("deploy", run_id, try_number))

    def promote(self, model_uri: str, run_id: str = "run-1") -> str:
        task = PromoteModelOperator(
            task_id="promote", model_uri=model_uri, serving_conn_id=SCORER, store=self.store_uri
        )
        return task.execute(context("promote", run_id))

    def roll_back(self, run_id: str = "run-1", **more: Any) -> dict[str, Any]:
        task = RollbackModelOperator(task_id="roll_back", endpoint=self.endpoint, store=self.store_uri, **more)
        return task.execute(context("roll_back", run_id))

    def release(self, offset: float, run_id: str) -> str:
        """A version that went the whole way: deployed and promoted."""
        uri = self.version(offset)
        self.deploy(uri, run_id)
        self.promote(uri, run_id)
        return uri

    def answer(self) -> float:
        """What a caller gets for x = 1, y = 10; 11 above the serving version's offset."""
        outputs = self.serving.predict(self.model, models.INPUTS).outputs
        return float(next(iter(outputs.values()))[0])

    def aliases(self) -> dict[str, int]:
        found = {}
        for version in self.registry.search(self.model):
            found.update(dict.fromkeys(version.aliases, version.version))
        return found


def number(model_uri: str) -> int:
    version = ModelUri.parse(model_uri).version
    assert version is not None
    return version
