"""The code in docs/sagemaker.md, run on moto and a double of what it lacks (tests/servers/moto.py): never on AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.hooks import sagemaker_calls
from model_lifecycle.hooks.sagemaker_endpoint import SagemakerEndpointHook
from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.rollback import RollbackModelOperator
from tests.operators.life import Life, context, number
from tests.servers.moto import KEYS, REGION, MotoServer, Sagemaker


@pytest.fixture
def sagemaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sagemaker]:
    with MotoServer(tmp_path / "moto.log") as moto:
        where = {"region_name": REGION, "endpoint_url": moto.url}
        login, password = KEYS.values()
        aws = {"conn_type": "aws", "login": login, "password": password, "extra": where}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
        extra = {"bucket": "team-models", "role_arn": "arn:aws:iam::123456789012:role/sagemaker-models",
                 "image_uri": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mlflow-pyfunc:3.17.2",
                 "instance_type": "ml.m5.large"}  # fmt: skip
        connection = {"conn_type": "sagemaker_endpoint", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SAGEMAKER_ENDPOINT_DEFAULT", json.dumps(connection))
        monkeypatch.setattr(sagemaker_calls, "POLL", 0.01)
        moto.client("s3").create_bucket(Bucket="team-models", CreateBucketConfiguration={"LocationConstraint": REGION})
        double = Sagemaker(moto)
        opened = SagemakerEndpointHook.aws.func

        def lent(hook: SagemakerEndpointHook) -> object:
            aws = opened(hook)
            double.lend(aws)
            return aws

        monkeypatch.setattr(SagemakerEndpointHook.aws, "func", lent)
        yield double


def test_versions_go_to_sagemaker_and_back(life: Life, sagemaker: Sagemaker) -> None:
    store_uri, model = life.store_uri, life.model
    uris = [life.version(offset) for offset in (1.0, 2.0)]
    for uri in uris:
        # [START deploy]
        deploy = DeployModelOperator(
            task_id="deploy",
            model_uri=uri,
            serving_conn_id="sagemaker_endpoint_default",
            store=store_uri,
            timeout=timedelta(hours=3),
        )
        # [END deploy]
        assert deploy.execute(context("deploy", uri))["state"] == "SUCCEEDED"
    hook = serving_hook("sagemaker_endpoint_default")
    assert hook.traffic(model) == {number(uris[1]): 100}
    # [START ask]
    answer = serving_hook("sagemaker_endpoint_default").predict(model, {"x": [1.0, 2.0], "y": [10.0, 20.0]})
    print(answer.version, answer.outputs)
    # [END ask]
    assert (answer.version, answer.outputs) == (number(uris[1]), {"predictions": [13.0, 24.0]})
    back = RollbackModelOperator(task_id="back", endpoint=f"sagemaker_endpoint_default/{model}", store=store_uri)
    assert back.execute(context("back", "later"))["state"] == "ROLLED_BACK"
    assert hook.traffic(model) == {number(uris[0]): 100}


def test_a_version_that_sagemaker_rolls_back_is_rejected_and_the_old_one_serves(
    life: Life, sagemaker: Sagemaker
) -> None:
    old, new = life.version(1.0), life.version(2.0)
    where = {"serving_conn_id": "sagemaker_endpoint_default", "store": life.store_uri}
    DeployModelOperator(task_id="deploy", model_uri=old, **where).execute(context("deploy"))
    sagemaker.alarm = "CloudWatch alarm 5xx went off"
    with pytest.raises(AirflowFailException, match="REJECTED.*went back to.*CloudWatch alarm 5xx went off"):
        DeployModelOperator(task_id="deploy", model_uri=new, **where).execute(context("deploy", "run-2"))
    assert serving_hook("sagemaker_endpoint_default").traffic(life.model) == {number(old): 100}
