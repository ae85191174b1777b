"""The code in docs/open-inference.md and docs/mlflow-serving.md, run against real servers behind a real HAProxy."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
import requests

from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.rollback import RollbackModelOperator
from tests import models
from tests.operators.life import Life, context, number

ROOT = Path(__file__).parents[2]


@pytest.fixture
def uris(life: Life) -> list[str]:
    """Two versions whose signatures name what they answer."""
    folders = [models.linear(life.folder / str(offset), offset, outputs=True) for offset in (1, 2)]
    return [life.register(life.upload(folder)) for folder in folders]


def test_versions_go_to_mlserver_and_back(life, uris, mlserver_server, haproxy_server, haproxy_connection, monkeypatch):
    extra = {"repository": str(mlserver_server.repository), "router_conn_id": haproxy_connection, "timeout": 60}
    where = {"conn_type": "open_inference", "host": "http://127.0.0.1", "port": mlserver_server.port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MLSERVER_DEFAULT", json.dumps(where))
    store_uri, router, name = life.store_uri, f"http://127.0.0.1:{haproxy_server.port}", life.model
    for uri in uris:
        # [START deploy]
        deploy = DeployModelOperator(
            task_id="deploy",
            model_uri=uri,
            serving_conn_id="mlserver_default",
            store=store_uri,
        )
        # [END deploy]
        assert deploy.execute(context("deploy", uri))["state"] == "SUCCEEDED"
    # [START ask]
    tensors = [
        {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.0, 2.0]},
        {"name": "y", "shape": [2], "datatype": "FP64", "data": [10.0, 20.0]},
    ]
    answer = requests.post(f"{router}/v2/models/{name}/infer", json={"inputs": tensors}, timeout=10)
    print(answer.headers["x-model-version"], answer.json()["outputs"])
    # [END ask]
    assert answer.headers["x-model-version"] == str(number(uris[1]))
    assert answer.json()["outputs"][0]["data"] == [13.0, 24.0]
    back = RollbackModelOperator(task_id="back", endpoint=f"mlserver_default/{name}", store=store_uri)
    assert back.execute(context("back", "later"))["state"] == "ROLLED_BACK"
    assert serving_hook("mlserver_default").traffic(name) == {number(uris[0]): 100}


def test_versions_go_to_slots_of_mlflow_and_back(
    life, uris, mlflow_slots, haproxy_server, haproxy_connection, monkeypatch
):
    connection = mlflow_slots.connection(router_conn_id=haproxy_connection)
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_SERVING_DEFAULT", connection)
    store_uri, router, name = life.store_uri, f"http://127.0.0.1:{haproxy_server.port}", life.model
    for uri in uris:
        # [START mlflow]
        deploy = DeployModelOperator(
            task_id="deploy",
            model_uri=uri,
            serving_conn_id="mlflow_serving_default",
            store=store_uri,
        )
        # [END mlflow]
        assert deploy.execute(context("deploy", uri))["state"] == "SUCCEEDED"
    # [START mlflow_ask]
    rows = {"dataframe_split": {"columns": ["x", "y"], "data": [[1.0, 10.0], [2.0, 20.0]]}}
    answer = requests.post(f"{router}/{name}", json=rows, timeout=10)
    print(answer.headers["x-model-version"], answer.json()["predictions"])
    # [END mlflow_ask]
    assert (answer.headers["x-model-version"], answer.json()) == (str(number(uris[1])), {"predictions": [13.0, 24.0]})
    back = RollbackModelOperator(task_id="back", endpoint=f"mlflow_serving_default/{name}", store=store_uri)
    assert back.execute(context("back", "later"))["state"] == "ROLLED_BACK"
    assert serving_hook("mlflow_serving_default").traffic(name) == {number(uris[0]): 100}


def test_the_page_shows_the_program_as_it_is_shipped():
    page = (ROOT / "docs" / "mlflow-serving.md").read_text()
    shown = re.search(r"```ini\n(.*?)```", page, re.DOTALL)
    shipped = (files("model_lifecycle") / "servers" / "supervisord.conf").read_text()
    assert shown
    assert shown[1] == shipped[shipped.index("[program:model]") :]
