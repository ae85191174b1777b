"""The code in docs/tensorflow-serving.md, run against the protocol double; no TensorFlow Serving could be had here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.rollback import RollbackModelOperator
from tests.operators.life import Life, context, number
from tests.servers.tensorflow_server import TensorflowDouble, write_models


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TensorflowDouble]:
    with TensorflowDouble(tmp_path / "models", tmp_path / "double.log") as server:
        extra = {"repository": str(server.repository), "trust": "tensorflow_saved_model"}
        connection = {"conn_type": "tensorflow_serving", "host": "127.0.0.1", "port": server.port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_TENSORFLOW_SERVING_DEFAULT", json.dumps(connection))
        yield server


def test_versions_go_to_tensorflow_serving_and_back(life: Life, double: TensorflowDouble) -> None:
    made = write_models(life.folder / "made")
    store_uri, uris = life.store_uri, []
    for offset in (1, 2):
        shutil.copytree(made / f"right-{offset}", life.folder / str(offset))
        uris.append(life.register(life.upload(life.folder / str(offset))))
    for uri in uris:
        # [START deploy]
        deploy = DeployModelOperator(
            task_id="deploy",
            model_uri=uri,
            serving_conn_id="tensorflow_serving_default",
            store=store_uri,
            inputs={"x": [1.0, 2.0], "y": [10.0, 20.0]},
        )
        # [END deploy]
        assert deploy.execute(context("deploy", uri))["state"] == "SUCCEEDED"
    hook = serving_hook("tensorflow_serving_default")
    assert hook.traffic(life.model) == {number(uris[1]): 100}
    url, name = double.rest, life.model
    # [START ask]
    answer = requests.post(
        f"{url}/v1/models/{name}/labels/stable:predict",
        json={"inputs": {"x": [1.0, 2.0], "y": [10.0, 20.0]}},
        timeout=10,
    ).json()
    print(answer["outputs"])
    # [END ask]
    assert answer == {"outputs": [13.0, 24.0]}
    back = RollbackModelOperator(
        task_id="back",
        endpoint=f"tensorflow_serving_default/{name}",
        store=store_uri,
        inputs={"x": [1.0, 2.0], "y": [10.0, 20.0]},
    )
    assert back.execute(context("back", "later"))["state"] == "ROLLED_BACK"
    assert hook.traffic(name) == {number(uris[0]): 100}
