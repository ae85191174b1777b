"""A model's life on the native stack: tasks that find everything in the environment that docker-compose.yml gives."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from model_lifecycle.core.models import Endpoint
from model_lifecycle.hooks.serving import ServingHook, serving_hook
from model_lifecycle.hooks.store import open_store
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.register import RegisterModelOperator
from model_lifecycle.operators.upload import UploadModelOperator
from model_lifecycle.stores.ledger import Ledger
from tests import models
from tests.compose.native import Native, answer
from tests.compose.stack import RUNNERS
from tests.operators.life import SCORER, context

OURS = ("AIRFLOW_CONN_", "AIRFLOW__MODEL_LIFECYCLE__")


class Composed:
    """A model with a name of its own; operators are told nothing that stands in the stack's environment.

    :param model: the name of one that others make.
    """

    def __init__(self, native: Native, folder: Path, monkeypatch: pytest.MonkeyPatch, model: str = "") -> None:
        self.native, self.folder, self.model = native, folder, model or f"m{uuid4().hex[:12]}"
        for name, value in native.values(RUNNERS[0]).items():
            if name.startswith(OURS):
                monkeypatch.setenv(name, value)

    @property
    def address(self) -> str:
        """What callers ask."""
        return f"{self.native.url('haproxy', 8080)}/v2/models/{self.model}/infer"

    @property
    def ledger(self) -> Ledger:
        """The ledger of its endpoint, on HDFS."""
        store = os.environ["AIRFLOW__MODEL_LIFECYCLE__STORE"]
        return Ledger(open_store(store), Endpoint(SCORER, self.model))

    @property
    def serving(self) -> ServingHook:
        """Its scorer behind HAProxy."""
        return serving_hook(SCORER)

    def listed(self, path: str) -> list[str]:
        """What lies in a folder of HDFS."""
        status, body = answer(f"{self.native.url('namenode', 9870)}/webhdfs/v1{path}?op=LISTSTATUS")
        assert status == 200, body
        return [one["pathSuffix"] for one in json.loads(body)["FileStatuses"]["FileStatus"]]

    def version(self, offset: float) -> str:
        """Make, upload and register a version; returns its model URI."""
        source = models.linear(self.folder / str(offset), offset)
        upload = UploadModelOperator(task_id="upload", model_name=self.model, source=str(source))
        uri = upload.execute(context("upload", str(offset)))
        register = RegisterModelOperator(task_id="register", model_name=self.model, artifact_uri=uri)
        return register.execute(context("register", str(offset)))

    def deploy(self, model_uri: str, serving_conn_id: str = SCORER) -> dict[str, Any]:
        """Let a version take all traffic."""
        task = DeployModelOperator(task_id="deploy", model_uri=model_uri, serving_conn_id=serving_conn_id)
        return task.execute(context("deploy", model_uri))
