"""The code in docs/torchserve.md and docs/multi-model-server.md, run against real servers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import requests

from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.rollback import RollbackModelOperator
from tests.fixtures_archives import SIGNATURE, Made
from tests.operators.life import Life, context, number
from tests.servers.mms import MultiModelServer
from tests.servers.torchserve import TorchServe


def saved(folder: Path, made: Path, flavor: str, file: str) -> Path:
    """A model as MLflow saves it in that flavor: the file, the signature, an input example."""
    (folder / file).parent.mkdir(parents=True)
    shutil.copy(next(made.iterdir()), folder / file)
    example = {"dataframe_split": {"columns": ["x", "y"], "data": [[1.0, 10.0], [2.0, 20.0]]}}
    (folder / "serving_input_example.json").write_text(json.dumps(example))
    inputs = json.dumps(json.dumps(SIGNATURE["inputs"]))
    (folder / "MLmodel").write_text(f"flavors:\n  {flavor}\nsignature:\n  inputs: {inputs}\n")
    return folder


def test_versions_go_to_torchserve_and_back(
    life: Life, torchserve: TorchServe, torchserve_connection, torchscript: Made
):
    flavor = "pytorch: {model_data: data, pytorch_version: 2.13.0}"
    store_uri, uris = life.store_uri, []
    for offset in (1, 2):
        folder = saved(life.folder / str(offset), torchscript("RIGHT", offset), flavor, "data/model.pth")
        uris.append(life.register(life.upload(folder)))
    for uri in uris:
        # [START deploy]
        deploy = DeployModelOperator(
            task_id="deploy",
            model_uri=uri,
            serving_conn_id="torchserve_default",
            store=store_uri,
            trust="torchscript",
        )
        # [END deploy]
        assert deploy.execute(context("deploy", uri))["state"] == "SUCCEEDED"
    hook = serving_hook("torchserve_default")
    assert hook.traffic(life.model) == {number(uris[1]): 100}
    key, url, name = torchserve.key("inference"), f"http://127.0.0.1:{torchserve.port}", life.model
    # [START ask]
    answer = requests.post(
        f"{url}/predictions/{name}",
        json={"inputs": {"x": [1.0, 2.0], "y": [10.0, 20.0]}},
        headers={"Authorization": f"Bearer {key}"},
        timeout=10,
    ).json()
    print(answer["model_version"], answer["outputs"])
    # [END ask]
    assert answer == {"model_version": str(number(uris[1])), "outputs": {"output": [13.0, 24.0]}}
    back = RollbackModelOperator(task_id="back", endpoint=f"torchserve_default/{name}", store=store_uri)
    assert back.execute(context("back", "later"))["state"] == "ROLLED_BACK"
    assert hook.traffic(name) == {number(uris[0]): 100}


def test_a_version_goes_to_multi_model_server_behind_haproxy(
    life: Life, mms: MultiModelServer, mms_connection: str, onnx: Made, haproxy_server
):
    folder = saved(life.folder / "one", onnx("RIGHT", 1), "onnx: {data: model.onnx}", "model.onnx")
    uri, store_uri = life.register(life.upload(folder)), life.store_uri
    # [START mms]
    deploy = DeployModelOperator(
        task_id="deploy",
        model_uri=uri,
        serving_conn_id="multi_model_server_default",
        store=store_uri,
    )
    # [END mms]
    assert deploy.execute(context("deploy"))["state"] == "SUCCEEDED"
    url, name = f"http://127.0.0.1:{haproxy_server.port}", life.model
    # [START mms_ask]
    answer = requests.post(f"{url}/predictions/{name}", json={"inputs": {"x": [1.0], "y": [10.0]}}, timeout=10)
    print(answer.headers["x-model-version"], answer.json()["outputs"])
    # [END mms_ask]
    assert answer.json() == {"model_version": str(number(uri)), "outputs": {"sum": [12.0]}}
