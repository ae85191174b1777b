"""What tasks tell OpenLineage: of a whole life, of a failure, and nothing where it is not installed."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.get_provider_info import get_provider_info
from model_lifecycle.operators import lineage
from model_lifecycle.operators.base import ModelLifecycleOperator
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.promote import PromoteModelOperator
from model_lifecycle.operators.register import RegisterModelOperator
from model_lifecycle.operators.rollback import RollbackModelOperator
from model_lifecycle.operators.upload import UploadModelOperator
from tests import models
from tests.operators.life import SCORER, Life, context
from tests.operators.lineage_events import completed, failed


def names(event: dict[str, Any], side: str) -> list[tuple[str, str, str | None]]:
    return [
        (one["namespace"], one["name"], one["facets"].get("version", {}).get("datasetVersion")) for one in event[side]
    ]


def test_the_events_of_a_life_tell_what_became_of_what(life: Life, tmp_path):
    first = life.release(0.0, "run-0")
    folder = str(models.linear(tmp_path / "new", 5.0))
    store = {"store": life.store_uri}
    upload = UploadModelOperator(task_id="upload", model_name=life.model, source=folder, **store)
    uri = upload.execute(context("upload"))
    artifact = ("file", uri.removeprefix("file://"), None)
    told = completed(upload)
    assert names(told, "inputs") == [("file", folder, None)]
    assert names(told, "outputs") == [artifact]

    register = RegisterModelOperator(task_id="register", model_name=life.model, artifact_uri=uri, **store)
    model_uri = register.execute(context("register"))
    version = ("model", life.model, model_uri.rpartition("/")[2])
    told = completed(register)
    assert (names(told, "inputs"), names(told, "outputs")) == ([artifact], [version])

    where = {"model_uri": model_uri, "serving_conn_id": SCORER, **store}
    deploy = DeployModelOperator(task_id="deploy", **where)
    deploy.execute(context("deploy"))
    told = completed(deploy)
    assert names(told, "inputs") == [version]
    assert names(told, "outputs") == [("endpoint", life.endpoint, version[2])]
    facet = told["run"]["facets"]["modelLifecycle"]
    assert (facet["endpoint"], facet["state"], facet["change"]) == (life.endpoint, "SUCCEEDED", "deploy")

    promote = PromoteModelOperator(task_id="promote", **where)
    promote.execute(context("promote"))
    told = completed(promote)
    assert names(told, "outputs") == [version]
    assert told["run"]["facets"]["modelLifecycle"]["endpoint"] == life.endpoint

    back = RollbackModelOperator(task_id="back", endpoint=life.endpoint, reason="worse", **store)
    back.execute(context("back"))
    told = completed(back)
    assert names(told, "outputs") == [("endpoint", life.endpoint, first.rpartition("/")[2])]
    assert "worse" in told["run"]["facets"]["modelLifecycle"]["reason"]


def test_a_failure_tells_what_would_have_been_read_and_nothing_of_what_was_made(life: Life):
    register = RegisterModelOperator(
        task_id="register", model_name=life.model, artifact_uri=f"{life.store_uri}/no/such", store=life.store_uri
    )
    with pytest.raises(AirflowFailException):
        register.execute(context("register"))
    told = failed(register)
    assert len(told["inputs"]) == 1
    assert told["outputs"] == []
    assert told["run"]["facets"]["modelLifecycle"]["operator"] == "RegisterModelOperator"


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("/data/flights.parquet", ("file", "/data/flights.parquet", None)),
        ("file:///data/x", ("file", "/data/x", None)),
        ("s3://aws_default@bucket/key/x.parquet", ("s3://bucket", "key/x.parquet", None)),
        ("s3://bucket/key", ("s3://bucket", "key", None)),
        ("hdfs://webhdfs_default@/data/x", ("hdfs://webhdfs_default", "/data/x", None)),
        ("webhdfs://nn:9870/models/churn/0f", ("webhdfs://nn:9870", "/models/churn/0f", None)),
        ("relative.csv", None),
        ("http://[", None),
    ],
)
def test_a_uri_is_named_as_openlineage_names_it(uri, name):
    assert lineage.place(uri) == name


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("models:/churn/3", ("model", "churn", "3")),
        ("models:/churn@champion", ("model", "churn/champion", None)),
        ("churn", None),
    ],
)
def test_a_version_is_a_model_and_its_number(uri, name):
    assert lineage.model(uri) == name


def test_a_verdict_names_both_versions_its_data_and_its_profile():
    operator = SimpleNamespace(data=["/data/a.csv", "/data/b.csv"], model_uri="models:/churn@challenger")
    result = {"verdict": "PASS", "candidate": "models:/churn/3", "champion": None, "profile": "s3://bucket/p.json"}
    assert lineage.inputs(operator, result) == [
        ("file", "/data/a.csv", None),
        ("file", "/data/b.csv", None),
        ("model", "churn/challenger", None),
        ("model", "churn", "3"),
    ]
    assert lineage.outputs(operator, result) == [("s3://bucket", "p.json", None)]
    assert lineage.about(operator, result) == {"operator": "SimpleNamespace", "verdict": "PASS"}


def test_every_operator_tells():
    for module in get_provider_info()["operators"][0]["python-modules"]:
        for kind in vars(import_module(module)).values():
            if isinstance(kind, type) and kind.__module__ == module and kind.__name__.endswith("Operator"):
                assert issubclass(kind, ModelLifecycleOperator)


def test_without_openlineage_nothing_breaks(tmp_path):
    models.linear(tmp_path / "model", 1.0)
    code = f"""
import sys
for name in ("openlineage", "airflow.providers.openlineage.extractors"):
    sys.modules[name] = None
from model_lifecycle.operators.upload import UploadModelOperator
from tests.operators.life import context
task = UploadModelOperator(task_id="t", model_name="m", source={str(tmp_path / "model")!r},
                           store={(tmp_path / "store").as_uri()!r})
assert task.execute(context("t")).startswith("file://")
print(task.get_openlineage_facets_on_complete(None), task.get_openlineage_facets_on_failure(None))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["None None"], done.stderr[-2000:]
