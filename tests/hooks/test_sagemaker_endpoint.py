"""The hook for SageMaker, on moto's server and a double of what that lacks (tests/servers/moto.py): never on AWS."""

from __future__ import annotations

import io
import itertools
import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from airflow.sdk import BaseHook
from botocore.response import StreamingBody
from botocore.stub import Stubber

from model_lifecycle.core.errors import Conflict, Invalid, NotFound, Unavailable
from model_lifecycle.hooks import sagemaker_calls
from model_lifecycle.hooks.sagemaker_endpoint import SagemakerEndpointHook
from model_lifecycle.hooks.sagemaker_state import EndpointState
from model_lifecycle.hooks.serving import Answer, ServingHook, VersionState, serving_hook
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.serving_contract import (
    INPUTS,
    Bring,
    Kind,
    NewHook,
    Publish,
    ServingContract,
    settled,
    values,
)
from tests import models
from tests.servers.moto import KEYS, REGION, MotoServer, Sagemaker

BUCKET = "models-of-the-team"
ROLE = "arn:aws:iam::123456789012:role/sagemaker"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/mlflow-pyfunc:3.17.2"


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    with MotoServer(tmp_path_factory.mktemp("moto") / "moto.log") as server:
        server.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield server


@pytest.fixture(scope="module")
def sagemaker(moto: MotoServer) -> Sagemaker:
    return Sagemaker(moto)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sagemaker_calls, "POLL", 0.01)


def connect(monkeypatch: pytest.MonkeyPatch, moto: MotoServer, **extra: object) -> None:
    aws = {"conn_type": "aws", "login": KEYS["aws_access_key_id"], "password": KEYS["aws_secret_access_key"]}
    aws["extra"] = {"region_name": REGION, "endpoint_url": moto.url}  # type: ignore[assignment]
    monkeypatch.setenv("AIRFLOW_CONN_AWS_TRIED", json.dumps(aws))
    whole = {"aws_conn_id": "aws_tried", "bucket": BUCKET, "prefix": "live", "role_arn": ROLE, "image_uri": IMAGE,
             "instance_type": "ml.m5.large", "timeout": 20, "deadline": 20, **extra}  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_SAGEMAKER_TRIED", json.dumps({"conn_type": "sagemaker_endpoint", "extra": whole}))


class TestSagemakerEndpoint(ServingContract):
    """The contract, on moto and the double. What SageMaker cannot do is told by the tests that stand here again."""

    @pytest.fixture
    def new_hook(self, moto: MotoServer, sagemaker: Sagemaker, monkeypatch: pytest.MonkeyPatch) -> NewHook:
        connect(monkeypatch, moto)

        def new_hook() -> ServingHook:
            hook = SagemakerEndpointHook("sagemaker_tried")
            sagemaker.lend(hook.aws)
            return hook

        return new_hook

    @pytest.fixture
    def store(self, tmp_path: Path) -> ModelStore:
        return local_store(tmp_path / "store")

    @pytest.fixture
    def publish(self, store: ModelStore, tmp_path: Path) -> Publish:
        makers: dict[Kind, Callable[[Path, float], Path]] = {
            Kind.RIGHT: models.linear,
            Kind.BROKEN: lambda folder, offset: models.broken(folder),
            Kind.FAILING: lambda folder, offset: models.failing(folder),
        }

        def publish(model: str, kind: Kind, offset: float) -> str:
            folder = makers[kind](tmp_path / uuid4().hex, offset)
            return store.publish(folder, models.manifest_of(folder, model))

        return publish

    def test_a_loaded_version_has_no_traffic_of_itself(self, hook: ServingHook, model: str, bring: Bring) -> None:
        assert hook.serves_first
        bring(1)
        assert hook.traffic(model) == {1: 100}
        bring(2)
        assert hook.traffic(model) == {1: 100}

    def test_an_unloaded_version_is_forgotten(self, hook: ServingHook, model: str, bring: Bring) -> None:
        bring(1)
        bring(2)
        hook.unload(model, 2)
        assert hook.versions(model) == {1: VersionState.READY}
        assert settled(hook, model, 1) is VersionState.READY
        with pytest.raises(NotFound):
            hook.predict(model, INPUTS, 2)

    def test_unloading_what_is_not_loaded_does_nothing(self, hook: ServingHook, model: str, bring: Bring) -> None:
        hook.unload(model, 1)
        bring(1)
        hook.unload(model, 2)
        with pytest.raises(Conflict):
            hook.unload(model, 1)
        hook.route(model, {})
        hook.unload(model, 1)
        assert hook.versions(model) == {}

    def test_an_unloaded_version_can_be_loaded_again(self, hook: ServingHook, model: str, bring: Bring) -> None:
        bring(1)
        hook.route(model, {})
        hook.load(model, 1)
        assert settled(hook, model, 1) is VersionState.READY
        assert values(hook, model, 1) == [12.0, 23.0]

    def test_without_traffic_nothing_answers_but_pinned_requests_do(
        self, hook: ServingHook, model: str, bring: Bring
    ) -> None:
        bring(1)
        hook.route(model, {})  # SageMaker has no endpoint that answers nobody: it is gone, pinned requests too
        assert (hook.traffic(model), hook.versions(model)) == ({}, {})
        for version in (1, None):
            with pytest.raises(NotFound):
                hook.predict(model, INPUTS, version)

    def test_models_do_not_disturb_each_other(
        self, hook: ServingHook, store: ModelStore, publish: Publish, model: str, bring: Bring
    ) -> None:
        other = f"{model}-b"
        bring(1)
        hook.stage(other, 1, publish(other, Kind.RIGHT, 50), store)
        assert hook.versions(other) == {}
        hook.load(other, 1)
        settled(hook, other, 1)
        assert (values(hook, model), values(hook, other)) == ([12.0, 23.0], [61.0, 72.0])


class Bench:
    """One hook, one new model, and what is needed to bring versions of it."""

    def __init__(self, hook: SagemakerEndpointHook, moto: MotoServer, sagemaker: Sagemaker, folder: Path) -> None:
        self.hook, self.moto, self.sagemaker, self.folder = hook, moto, sagemaker, folder
        self.store, self.model = local_store(folder / "store"), f"m{uuid4().hex[:12]}"

    def stage(self, version: int, *, broken: bool = False) -> None:
        folder = self.folder / uuid4().hex
        if broken:
            models.broken(folder)
        else:
            models.linear(folder, version, example=False)
        uri = self.store.publish(folder, models.manifest_of(folder, self.model))
        self.hook.stage(self.model, version, uri, self.store)

    def bring(self, version: int, *, broken: bool = False) -> VersionState:
        self.stage(version, broken=broken)
        self.hook.load(self.model, version)
        return settled(self.hook, self.model, version)

    def configs(self) -> set[str]:
        listed = self.moto.client("sagemaker").list_endpoint_configs(NameContains=f"{self.model}-c-")
        return {one["EndpointConfigName"] for one in listed["EndpointConfigs"]}


@pytest.fixture
def bench(moto: MotoServer, sagemaker: Sagemaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    connect(monkeypatch, moto)
    hook = SagemakerEndpointHook("sagemaker_tried")
    sagemaker.lend(hook.aws)
    return Bench(hook, moto, sagemaker, tmp_path)


def test_airflow_finds_the_hook_by_the_type_of_the_connection(bench: Bench) -> None:
    assert isinstance(BaseHook.get_hook("sagemaker_tried"), SagemakerEndpointHook)
    assert isinstance(serving_hook("sagemaker_tried"), SagemakerEndpointHook)


def test_the_connection_is_tested_from_the_form(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.hook.test_connection() == (True, "SageMaker answers")
    connect(monkeypatch, bench.moto, aws_conn_id="aws_nowhere")
    works, reason = SagemakerEndpointHook("sagemaker_tried").test_connection()
    assert not works
    assert "there is no connection aws_nowhere" in reason


def test_what_lies_in_s3_is_the_artifact_and_is_put_once(bench: Bench) -> None:
    bench.stage(1)
    s3 = bench.moto.client("s3")
    (found,) = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"live/{bench.model}/")["Contents"]
    with tarfile.open(fileobj=io.BytesIO(s3.get_object(Bucket=BUCKET, Key=found["Key"])["Body"].read())) as archive:
        assert {"MLmodel", "model.skops"} <= set(archive.getnames())
    (uri,) = bench.store.list(bench.model)
    bench.hook.stage(bench.model, 1, uri, bench.store)
    (again,) = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"live/{bench.model}/")["Contents"]
    assert again["LastModified"] == found["LastModified"]
    name, _ = bench.hook._model(bench.model, 1)
    described = bench.moto.client("sagemaker").describe_model(ModelName=name)
    assert described["ExecutionRoleArn"] == ROLE
    assert described["PrimaryContainer"]["Image"] == IMAGE
    assert described["PrimaryContainer"]["ModelDataUrl"] == f"s3://{BUCKET}/{found['Key']}"


def test_something_else_in_s3_is_a_conflict(bench: Bench) -> None:
    folder = models.linear(bench.folder / "model", 1.0, example=False)
    manifest = models.manifest_of(folder, bench.model)
    uri = bench.store.publish(folder, manifest)
    key = f"live/{bench.model}/{manifest.digest}/model.tar.gz"
    bench.moto.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"something else")
    with pytest.raises(Conflict, match="something else lies at s3://"):
        bench.hook.stage(bench.model, 1, uri, bench.store)


def test_a_container_that_is_run_otherwise_is_another_model_of_sagemakers(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.bring(1)
    connect(monkeypatch, bench.moto, environment='{"MLFLOW_WORKERS": 2}')
    hook = SagemakerEndpointHook("sagemaker_tried")
    bench.sagemaker.lend(hook.aws)
    with pytest.raises(NotFound):
        hook.load(bench.model, 2)
    (uri,) = bench.store.list(bench.model)
    hook.stage(bench.model, 2, uri, bench.store)
    hook.load(bench.model, 2)
    assert settled(hook, bench.model, 2) is VersionState.READY


@pytest.mark.parametrize("name", ["bucket", "role_arn", "image_uri", "instance_type"])
def test_what_the_connection_lacks_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    bench.stage(1)
    connect(monkeypatch, bench.moto, **{name: ""})
    bench.hook = SagemakerEndpointHook("sagemaker_tried")
    verb = {"bucket": lambda: bench.stage(1)}.get(name, lambda: bench.hook.load(bench.model, 1))
    with pytest.raises(Invalid, match=f"no extra {name} .*name "):
        verb()


@pytest.mark.parametrize(
    "extra",
    [
        {"deployment_config": "["},
        {"environment": "[]"},
        {"deadline": "soon"},
        {"initial_instance_count": "-1"},
        {"timeout": 0},
    ],
)
def test_an_extra_of_another_form_is_invalid(bench: Bench, monkeypatch: pytest.MonkeyPatch, extra: dict) -> None:
    bench.stage(1)
    connect(monkeypatch, bench.moto, **extra)
    with pytest.raises(Invalid, match=f"extra {next(iter(extra))}"):
        SagemakerEndpointHook("sagemaker_tried").load(bench.model, 1)


def test_an_update_is_asked_for_as_the_connection_says_and_keeps_the_weights_of_now(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": "CANARY",
                "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
                "WaitIntervalInSeconds": 600,
            }
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "5xx"}]},
    }
    bench.bring(1)
    bench.bring(2)
    bench.hook.route(bench.model, {1: 90, 2: 10})
    for version, extra in ((3, canary), (4, json.dumps(canary))):
        connect(monkeypatch, bench.moto, deployment_config=extra)
        hook = SagemakerEndpointHook("sagemaker_tried")
        bench.sagemaker.lend(hook.aws)
        bench.hook = hook
        bench.bring(version)
        asked = bench.sagemaker.updates[-1]
        assert asked["DeploymentConfig"] == canary
        found = bench.moto.client("sagemaker").describe_endpoint_config(EndpointConfigName=asked["EndpointConfigName"])
        weights = {one["VariantName"]: one["InitialVariantWeight"] for one in found["ProductionVariants"]}
        assert weights == {"v1": 90.0, "v2": 10.0, f"v{version}": 0.0}
        assert hook.traffic(bench.model) == {1: 90, 2: 10}
        hook.unload(bench.model, version)
        assert settled(hook, bench.model, 1) is VersionState.READY


def test_an_update_that_sagemaker_rolled_back_is_failed_although_the_endpoint_is_in_service(bench: Bench) -> None:
    bench.bring(1)
    assert bench.bring(2, broken=True) is VersionState.FAILED
    described = bench.hook.calls.call("describe_endpoint", EndpointName=bench.model)
    assert described["EndpointStatus"] == "InService"
    reason = bench.hook.failure(bench.model, 2)
    assert reason is not None
    assert "went back to" in reason
    assert "did not pass the ping health check" in reason
    assert bench.hook.traffic(bench.model) == {1: 100}
    bench.hook.unload(bench.model, 2)
    assert bench.hook.versions(bench.model) == {1: VersionState.READY}
    assert bench.bring(3) is VersionState.READY


def test_a_worker_killed_before_it_wrote_down_what_it_asked_for_fails_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.bring(1)
    bench.stage(2)
    with monkeypatch.context() as killed:
        killed.setattr(bench.hook.calls, "_remember", lambda *_: sys.exit(9))
        with pytest.raises(SystemExit):
            bench.hook.load(bench.model, 2)
    assert settled(bench.hook, bench.model, 2) is VersionState.READY
    bench.hook.load(bench.model, 2)
    assert bench.hook.versions(bench.model) == {1: VersionState.READY, 2: VersionState.READY}


def test_an_endpoint_that_never_came_into_service_is_failed_and_made_anew(bench: Bench) -> None:
    assert bench.bring(1, broken=True) is VersionState.FAILED
    assert "the endpoint is Failed" in str(bench.hook.failure(bench.model, 1))
    assert bench.hook.traffic(bench.model) == {}
    assert bench.bring(2) is VersionState.READY
    assert bench.hook.versions(bench.model) == {2: VersionState.READY}


@pytest.mark.parametrize("first", [1, 2])
def test_a_version_that_failed_can_be_asked_for_again(bench: Bench, first: int) -> None:
    """Alone, so that the endpoint was never in service, and beside another that serves."""
    for version in range(1, first):
        bench.bring(version)
    assert bench.bring(first, broken=True) is VersionState.FAILED
    bench.sagemaker.mended.add(bench.model)  # as an image that could not be pulled
    bench.hook.load(bench.model, first)
    assert settled(bench.hook, bench.model, first) is VersionState.READY
    assert bench.hook.failure(bench.model, first) is None


def test_while_an_endpoint_changes_another_change_is_unavailable_and_what_serves_serves(bench: Bench) -> None:
    bench.bring(1)
    bench.stage(2)
    bench.stage(3)
    bench.sagemaker.looks = 3
    try:
        bench.hook.load(bench.model, 2)
        assert bench.hook.versions(bench.model) == {1: VersionState.READY, 2: VersionState.LOADING}
        bench.hook.load(bench.model, 2)  # again is once
        with pytest.raises(Unavailable, match="the endpoint is Updating"):
            bench.hook.load(bench.model, 3)
        assert settled(bench.hook, bench.model, 2) is VersionState.READY
        bench.hook.unload(bench.model, 2)
        assert bench.hook.versions(bench.model) == {1: VersionState.READY}
        with pytest.raises(Unavailable, match="the endpoint is Updating"):
            bench.hook.load(bench.model, 3)
        assert values(bench.hook, bench.model) == [12.0, 23.0]
    finally:
        bench.sagemaker.looks = 1
    bench.hook.calls._settled(bench.model)


def test_what_an_update_left_over_is_deleted(bench: Bench) -> None:
    other = Bench(bench.hook, bench.moto, bench.sagemaker, bench.folder)
    other.model = f"{bench.model}-c"
    other.bring(1)
    for version in (1, 2, 3):
        bench.bring(version)
    assert len(bench.configs() - other.configs()) <= 2
    bench.hook.route(bench.model, {})
    assert bench.configs() == other.configs() != set()


def test_somebody_elses_endpoint_is_not_touched(bench: Bench) -> None:
    bench.stage(1)
    control = bench.moto.client("sagemaker")
    name, _ = bench.hook._model(bench.model, 1)
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large"}
    control.create_endpoint_config(
        EndpointConfigName=f"{bench.model}-own", ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
    )
    control.create_endpoint(EndpointName=bench.model, EndpointConfigName=f"{bench.model}-own")
    for verb in (
        lambda: bench.hook.load(bench.model, 1),
        lambda: bench.hook.route(bench.model, {}),
        lambda: bench.hook.versions(bench.model),
    ):
        with pytest.raises(Conflict, match="the variant AllTraffic, .*not made here"):
            verb()


def test_weights_that_do_not_hold_in_time_are_unavailable(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.bring(1)
    bench.bring(2)
    busy = EndpointState("Updating", "c", {1: {"CurrentWeight": 1.0}, 2: {}})
    bench.hook.calls.deadline = 0.05
    with monkeypatch.context() as slow:
        states = itertools.chain([bench.hook.calls.state(bench.model)], itertools.repeat(busy))
        slow.setattr(bench.hook.calls, "state", lambda model: next(states))
        with pytest.raises(Unavailable, match="the endpoint is Updating"):
            bench.hook.route(bench.model, {1: 50, 2: 50})


def test_rows_of_csv_are_sent_to_containers_that_want_them(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, bench.moto, format="csv")
    hook = SagemakerEndpointHook("sagemaker_tried")
    body = StreamingBody(io.BytesIO(b"11.0\n22.0\n"), 10)
    with Stubber(hook.aws.client("sagemaker-runtime")) as stubbed:
        asked = {"EndpointName": "churn", "Body": b"1.0,10.0\n2.0,20.0\n", "TargetVariant": "v7"}
        answer = {"Body": body, "ContentType": "text/csv; charset=utf-8", "InvokedProductionVariant": "v7"}
        stubbed.add_response("invoke_endpoint", answer, {**asked, "ContentType": "text/csv", "Accept": "text/csv"})
        assert hook.predict("churn", INPUTS, 7) == Answer(7, {"predictions": [11.0, 22.0]})
    connect(monkeypatch, bench.moto, format="parquet")
    with pytest.raises(Invalid, match="none of mlflow, csv"):
        SagemakerEndpointHook("sagemaker_tried").predict("churn", INPUTS)
