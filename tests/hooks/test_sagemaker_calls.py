"""What is asked of SageMaker to change an endpoint, request by request, on botocore's stubber.

The stubber checks requests and answers against AWS's own description of the service; it is no server, and the order of
statuses that it is told here comes from the documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import Connection
from botocore.stub import Stubber

from model_lifecycle.core.errors import Denied, NotFound, Unavailable
from model_lifecycle.hooks import sagemaker_calls
from model_lifecycle.hooks.aws_calls import AwsCalls
from model_lifecycle.hooks.sagemaker_calls import ASKED, SagemakerCalls
from model_lifecycle.hooks.sagemaker_names import config_name
from model_lifecycle.hooks.sagemaker_state import EndpointState
from model_lifecycle.hooks.serving import VersionState
from tests.servers.moto import KEYS, REGION

ARN = f"arn:aws:sagemaker:{REGION}:123456789012:endpoint/churn"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
LINEAR = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "LINEAR",
            "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 25},
            "WaitIntervalInSeconds": 300,
        }
    },
    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "5xx"}]},
}


def variant(version: int, weight: float) -> dict[str, Any]:
    return {
        "VariantName": f"v{version}",
        "ModelName": f"churn-v{version}",
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
        "InitialVariantWeight": weight,
    }


BEFORE = [variant(1, 1.0)]
AFTER = [variant(1, 1.0), variant(2, 0.0)]
OLD, NEW = config_name("churn", BEFORE), config_name("churn", AFTER)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> SagemakerCalls:
    monkeypatch.setattr(sagemaker_calls, "POLL", 0.001)
    login, password = KEYS.values()
    extra = json.dumps({"region_name": REGION, "endpoint_url": "http://127.0.0.1:9"})
    connection = Connection(conn_id="aws_tried", conn_type="aws", login=login, password=password, extra=extra)
    return SagemakerCalls(AwsCalls(connection, 5.0), LINEAR, 1.0)


class Script:
    """What is to be asked, in order, and what is answered."""

    def __init__(self, stubber: Stubber) -> None:
        self.stubber = stubber

    def answers(self, operation: str, answer: dict[str, Any], **asked: Any) -> None:
        self.stubber.add_response(operation, answer, asked or None)

    def describes(
        self, status: str, *variants: dict[str, Any], config: str = OLD, asked: str = OLD, **more: Any
    ) -> None:
        """One look at the endpoint: its description, and the tag that says what was asked for last."""
        summaries = [
            {
                "VariantName": one["VariantName"],
                "CurrentWeight": one["InitialVariantWeight"],
                "CurrentInstanceCount": one["InitialInstanceCount"],
            }
            for one in variants
        ]
        answer = {
            "EndpointName": "churn",
            "EndpointArn": ARN,
            "EndpointConfigName": config,
            "EndpointStatus": status,
            "CreationTime": NOW,
            "LastModifiedTime": NOW,
            **({"ProductionVariants": summaries} if summaries else {}),
            **more,
        }
        self.answers("describe_endpoint", answer, EndpointName="churn")
        self.answers("list_tags", {"Tags": [{"Key": ASKED, "Value": asked}]}, ResourceArn=ARN)

    def describes_config(self, name: str, variants: list[dict[str, Any]]) -> None:
        answer = {"EndpointConfigName": name, "EndpointConfigArn": "arn:aws:sagemaker:x:123456789012:endpoint-config/x"}
        whole = {**answer, "ProductionVariants": variants, "CreationTime": NOW}
        self.answers("describe_endpoint_config", whole, EndpointConfigName=name)

    def lists_configs(self, *names: str) -> None:
        one = {"EndpointConfigArn": "arn:aws:sagemaker:x:123456789012:endpoint-config/x", "CreationTime": NOW}
        listed = [{**one, "EndpointConfigName": name} for name in names]
        self.answers("list_endpoint_configs", {"EndpointConfigs": listed}, NameContains="churn-c-", MaxResults=100)

    def makes_config(self, name: str, variants: list[dict[str, Any]]) -> None:
        arn = {"EndpointConfigArn": "arn:aws:sagemaker:x:123456789012:endpoint-config/x"}
        self.answers("create_endpoint_config", arn, EndpointConfigName=name, ProductionVariants=variants)

    def refuses(self, operation: str, message: str) -> None:
        self.stubber.add_client_error(operation, "ValidationException", message, 400)


@pytest.fixture
def script(calls: SagemakerCalls) -> Iterator[Script]:
    with Stubber(calls.aws.client("sagemaker")) as stubber:
        yield Script(stubber)
        stubber.assert_no_pending_responses()


def test_the_first_version_makes_the_endpoint_and_has_its_traffic(calls: SagemakerCalls, script: Script) -> None:
    script.lists_configs()
    script.makes_config(OLD, BEFORE)
    tags = [{"Key": ASKED, "Value": OLD}]
    script.answers("create_endpoint", {"EndpointArn": ARN}, EndpointName="churn", EndpointConfigName=OLD, Tags=tags)
    calls.change("churn", EndpointState(), {1: variant(1, 0.0)})


def test_another_version_is_an_update_to_a_configuration_with_both(calls: SagemakerCalls, script: Script) -> None:
    script.describes("InService", variant(1, 1.0))
    script.describes_config(OLD, BEFORE)
    script.lists_configs(OLD)
    script.makes_config(NEW, AFTER)
    asked = {"EndpointName": "churn", "EndpointConfigName": NEW, "DeploymentConfig": LINEAR}
    script.answers("update_endpoint", {"EndpointArn": ARN}, **asked)
    script.answers("add_tags", {}, ResourceArn=ARN, Tags=[{"Key": ASKED, "Value": NEW}])
    state = calls.state("churn")
    calls.change("churn", state, {**calls.variants(state), 2: variant(2, 0.0)})


def test_a_configuration_that_a_killed_worker_made_is_used(calls: SagemakerCalls, script: Script) -> None:
    script.lists_configs(OLD, NEW)
    script.refuses("create_endpoint_config", f"Cannot create already existing endpoint configuration {NEW}.")
    script.answers("update_endpoint", {"EndpointArn": ARN})
    script.answers("add_tags", {})
    calls.change("churn", EndpointState("InService", OLD), {1: variant(1, 1.0), 2: variant(2, 0.0)})


def test_in_service_after_an_automatic_rollback_is_a_failure(calls: SagemakerCalls, script: Script) -> None:
    """The answers that Amazon's own operators and boto3's waiter take for a success."""
    pending = {"EndpointConfigName": NEW, "ProductionVariants": [{"VariantName": "v1"}, {"VariantName": "v2"}]}
    script.describes("Updating", variant(1, 1.0), asked=NEW, PendingDeploymentSummary=pending)
    script.describes_config(NEW, AFTER)
    script.describes("InService", variant(1, 1.0), asked=NEW, FailureReason="alarm 5xx went off")
    script.describes_config(NEW, AFTER)
    assert calls.state("churn").states() == {1: VersionState.READY, 2: VersionState.LOADING}
    state = calls.state("churn")
    assert state.states() == {1: VersionState.READY, 2: VersionState.FAILED}
    assert state.failure(2) == f"the endpoint went back to {OLD}: alarm 5xx went off"
    assert state.traffic() == {1: 100}


def test_in_service_on_what_was_asked_for_is_a_success(calls: SagemakerCalls, script: Script) -> None:
    script.describes("InService", variant(1, 1.0), variant(2, 0.0), config=NEW, asked=NEW)
    assert calls.state("churn").states() == {1: VersionState.READY, 2: VersionState.READY}


def test_an_endpoint_being_created_has_the_versions_of_its_configuration(calls: SagemakerCalls, script: Script) -> None:
    script.describes("Creating")
    script.describes_config(OLD, BEFORE)
    assert calls.state("churn").states() == {1: VersionState.LOADING}


def test_what_failed_to_come_is_forgotten_with_its_configuration(calls: SagemakerCalls, script: Script) -> None:
    script.describes("InService", variant(1, 1.0), asked=NEW)
    script.describes_config(NEW, AFTER)
    state = calls.state("churn")
    script.answers(
        "describe_endpoint",
        {"EndpointName": "churn", "EndpointArn": ARN, "EndpointStatus": "InService", "CreationTime": NOW,
         "LastModifiedTime": NOW},
    )  # fmt: skip
    script.answers("add_tags", {}, ResourceArn=ARN, Tags=[{"Key": ASKED, "Value": OLD}])
    script.lists_configs(OLD, NEW, "churn-c-of-somebody-else")
    script.answers("delete_endpoint_config", {}, EndpointConfigName=NEW)
    calls.accept("churn", state)


def test_weights_are_set_for_every_variant_and_waited_for(calls: SagemakerCalls, script: Script) -> None:
    state = EndpointState("InService", NEW, {1: {"CurrentWeight": 1.0}, 2: {"CurrentWeight": 0.0}})
    weights = [{"VariantName": "v1", "DesiredWeight": 75.0}, {"VariantName": "v2", "DesiredWeight": 25.0}]
    script.answers(
        "update_endpoint_weights_and_capacities",
        {"EndpointArn": ARN},
        EndpointName="churn",
        DesiredWeightsAndCapacities=weights,
    )
    script.describes("Updating", variant(1, 1.0), variant(2, 0.0), config=NEW, asked=NEW)
    script.describes("InService", variant(1, 75.0), variant(2, 25.0), config=NEW, asked=NEW)
    assert calls.weigh("churn", state, {1: 75, 2: 25}).traffic() == {1: 75, 2: 25}


def test_a_version_that_is_not_named_gets_no_weight(calls: SagemakerCalls, script: Script) -> None:
    weights = [{"VariantName": "v1", "DesiredWeight": 0.0}, {"VariantName": "v2", "DesiredWeight": 100.0}]
    script.answers(
        "update_endpoint_weights_and_capacities",
        {"EndpointArn": ARN},
        EndpointName="churn",
        DesiredWeightsAndCapacities=weights,
    )
    script.describes("InService", variant(1, 0.0), variant(2, 100.0), config=NEW, asked=NEW)
    calls.weigh("churn", EndpointState("InService", NEW, {1: {}, 2: {}}), {2: 100})


def test_an_endpoint_is_deleted_with_its_configurations(calls: SagemakerCalls, script: Script) -> None:
    script.answers("delete_endpoint", {}, EndpointName="churn")
    script.describes("Deleting", variant(1, 1.0))
    script.refuses("describe_endpoint", f'Could not find endpoint "{ARN}".')
    script.lists_configs(OLD)
    script.answers("delete_endpoint_config", {}, EndpointConfigName=OLD)
    calls.delete("churn", EndpointState("InService", OLD))


def test_nothing_is_asked_of_an_endpoint_that_changes(calls: SagemakerCalls, script: Script) -> None:
    busy = EndpointState("SystemUpdating", OLD, {1: {}})
    for verb in (
        lambda: calls.change("churn", busy, {1: variant(1, 1.0)}),
        lambda: calls.weigh("churn", busy, {1: 100}),
        lambda: calls.delete("churn", busy),
        lambda: calls.accept("churn", busy),
    ):
        with pytest.raises(Unavailable, match="the endpoint is SystemUpdating"):
            verb()


def test_an_endpoint_that_is_already_changing_by_another_worker_is_unavailable(
    calls: SagemakerCalls, script: Script
) -> None:
    script.lists_configs()
    script.makes_config(NEW, AFTER)
    script.refuses("update_endpoint", f'Cannot update in-progress endpoint "{ARN}".')
    with pytest.raises(Unavailable):
        calls.change("churn", EndpointState("InService", OLD), {1: variant(1, 1.0), 2: variant(2, 0.0)})


def test_an_endpoint_that_another_worker_made_first_is_asked_for_again(calls: SagemakerCalls, script: Script) -> None:
    script.lists_configs()
    script.makes_config(OLD, BEFORE)
    script.refuses("create_endpoint", f'Cannot create already existing endpoint "{ARN}".')
    with pytest.raises(Unavailable, match="another worker made the endpoint"):
        calls.change("churn", EndpointState(), {1: variant(1, 0.0)})


def test_what_another_worker_deleted_first_is_gone_as_was_asked(calls: SagemakerCalls, script: Script) -> None:
    script.refuses("delete_endpoint", f'Could not find endpoint "{ARN}".')
    script.refuses("describe_endpoint", f'Could not find endpoint "{ARN}".')
    script.lists_configs(OLD)
    script.refuses("delete_endpoint_config", f'Could not find endpoint configuration "{OLD}".')
    calls.delete("churn", EndpointState("InService", OLD))


def test_a_model_that_another_worker_made_first_is_that_one(calls: SagemakerCalls, script: Script) -> None:
    described = {
        "ModelName": "churn-v1",
        "ModelArn": f"arn:aws:sagemaker:{REGION}:123456789012:model/x",
        "PrimaryContainer": {"Image": "i", "ModelDataUrl": "s3://b/k"},
        "CreationTime": NOW,
    }
    script.refuses("describe_model", 'Could not find model "churn-v1".')
    script.refuses("create_model", 'Cannot create already existing model "churn-v1".')
    script.answers("describe_model", described, ModelName="churn-v1")
    wanted = {"ModelName": "churn-v1", "PrimaryContainer": {"Image": "i", "ModelDataUrl": "s3://b/other"}}
    assert calls.made_model(wanted)["PrimaryContainer"]["ModelDataUrl"] == "s3://b/k"


def test_what_aws_refuses_is_ours(calls: SagemakerCalls, script: Script) -> None:
    script.stubber.add_client_error("describe_model", "AccessDeniedException", "User is not authorized", 400)
    with pytest.raises(Denied, match="sagemaker describe_model: AccessDeniedException User is not authorized"):
        calls.call("describe_model", ModelName="churn-v1")
    script.refuses("describe_model", "Could not find model")
    with pytest.raises(NotFound):
        calls.call("describe_model", ModelName="churn-v1")
