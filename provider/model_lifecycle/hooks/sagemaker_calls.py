"""Changing one SageMaker endpoint: configurations, updates, weights, and which change was asked for last."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from model_lifecycle.core.errors import Conflict, NotFound, Unavailable
from model_lifecycle.hooks.aws_calls import AwsCalls
from model_lifecycle.hooks.sagemaker_names import config_name, endpoint_name, is_config_of, variant_name, version_of
from model_lifecycle.hooks.sagemaker_state import EndpointState, read_state

ASKED = "model-lifecycle-asked"
"""The tag of an endpoint that names the configuration which was asked for last."""
POLL = 2.0

Variant = dict[str, Any]

log = logging.getLogger(__name__)


class SagemakerCalls:
    """The control of all endpoints of one account and region.

    :param deployment: how UpdateEndpoint shifts the traffic, as ``DeploymentConfig``; empty for SageMaker's own way.
    :param deadline: seconds until a change that we wait for must have happened.
    """

    def __init__(self, aws: AwsCalls, deployment: Mapping[str, Any], deadline: float) -> None:
        self.aws, self.deployment, self.deadline = aws, dict(deployment), deadline

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Ask SageMaker; see :meth:`~model_lifecycle.hooks.aws_calls.AwsCalls.call`."""
        return self.aws.call("sagemaker", operation, **parameters)

    def made_model(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """SageMaker's model of that name, made now if there is none, as SageMaker describes it."""
        name = wanted["ModelName"]
        try:
            return self.call("describe_model", ModelName=name)
        except NotFound:
            log.info("Making SageMaker's model %s", name)
        try:
            self.call("create_model", **wanted)
        except Conflict:
            log.info("Another worker made SageMaker's model %s", name)
        return self.call("describe_model", ModelName=name)

    def state(self, model: str) -> EndpointState:
        """The model's endpoint as it is now; one without status if there is none."""
        try:
            described = self.call("describe_endpoint", EndpointName=endpoint_name(model))
            asked = self._asked(described["EndpointArn"])
        except NotFound:
            return EndpointState()
        config = described.get("EndpointConfigName", "")
        if not described.get("ProductionVariants"):  # as long as it was never in service
            described = {**described, "ProductionVariants": self._configured(config)}
        rest = self._configured(asked) if asked and asked != config else []
        return read_state(described, asked, [variant["VariantName"] for variant in rest])

    def variants(self, state: EndpointState) -> dict[int, Variant]:
        """The production variants that serve, as a new configuration repeats them: with their weights of now."""
        if state.status in ("", "Failed"):
            return {}
        found = {}
        for variant in self._configured(state.config):
            version = version_of(variant["VariantName"])
            now = state.variants.get(version or 0)
            if version and now is not None:
                count = now.get("DesiredInstanceCount") or now.get("CurrentInstanceCount")
                weight = float(now.get("CurrentWeight") or 0)
                kept = {**variant, "InitialVariantWeight": weight}
                found[version] = {**kept, "InitialInstanceCount": count} if count else kept
        return found

    def change(self, model: str, state: EndpointState, variants: Mapping[int, Variant]) -> None:
        """Ask for a configuration with exactly these variants; returns as soon as SageMaker has taken it.

        An endpoint without any weight answers nobody, not even pinned requests: the only variant gets all traffic.

        :raises Unavailable: if the endpoint is changing.
        """
        self.require_settled(model, state)
        if state.status == "Failed":
            self.delete(model, state)
            state = EndpointState()
        listed = [variants[version] for version in sorted(variants)]
        if not any(variant["InitialVariantWeight"] for variant in listed):
            listed = [{**variant, "InitialVariantWeight": 1.0} for variant in listed]
        name = config_name(model, listed)
        self._sweep(model, {name, state.config})
        try:
            self.call("create_endpoint_config", EndpointConfigName=name, ProductionVariants=listed)
        except Conflict:
            log.info("The configuration %s is there already", name)  # its name says what it holds
        if not state.status:
            self._create(model, name)
            return
        how = {"DeploymentConfig": self.deployment} if self.deployment else {}
        answer = self.call("update_endpoint", EndpointName=endpoint_name(model), EndpointConfigName=name, **how)
        # After, not before: a worker that dies in between must not leave an update that was never asked for "failed".
        self._remember(answer["EndpointArn"], name)

    def accept(self, model: str, state: EndpointState) -> None:
        """Ask for nothing but what serves: what failed to come is forgotten."""
        self.require_settled(model, state)
        self._remember(self.call("describe_endpoint", EndpointName=endpoint_name(model))["EndpointArn"], state.config)
        self._sweep(model, {state.config})

    def weigh(self, model: str, state: EndpointState, weights: Mapping[int, int]) -> EndpointState:
        """Set the weight of every variant, those not named to 0, and wait until the endpoint is settled again."""
        self.require_settled(model, state)
        shares = {variant_name(version): float(weights.get(version, 0)) for version in state.variants}
        self.call(
            "update_endpoint_weights_and_capacities",
            EndpointName=endpoint_name(model),
            DesiredWeightsAndCapacities=[
                {"VariantName": name, "DesiredWeight": share} for name, share in shares.items()
            ],
        )
        return self._settled(model)

    def delete(self, model: str, state: EndpointState) -> None:
        """Delete the endpoint and its configurations, and wait until it is gone."""
        if state.status and state.status != "Deleting":
            self.require_settled(model, state)
            with suppress(NotFound):
                self.call("delete_endpoint", EndpointName=endpoint_name(model))
        if self._settled(model).status:
            raise Unavailable("the endpoint is not gone yet", target=self.aws.target, model=model)
        self._sweep(model, set())

    def require_settled(self, model: str, state: EndpointState) -> None:
        """Refuse a change that SageMaker would refuse.

        :raises Unavailable: if the endpoint is changing.
        """
        if not state.is_settled:
            hint = "try again when the change under way is over"
            raise Unavailable(f"the endpoint is {state.status}", target=self.aws.target, model=model, hint=hint)

    def _create(self, model: str, config: str) -> None:
        tags = [{"Key": ASKED, "Value": config}]
        try:
            self.call("create_endpoint", EndpointName=endpoint_name(model), EndpointConfigName=config, Tags=tags)
        except Conflict as error:
            what, hint = "another worker made the endpoint meanwhile", "try again: it may be what was asked for"
            raise Unavailable(what, target=self.aws.target, model=model, hint=hint) from error

    def _settled(self, model: str) -> EndpointState:
        end = time.monotonic() + self.deadline
        while not (state := self.state(model)).is_settled:
            if time.monotonic() > end:
                self.require_settled(model, state)
            time.sleep(POLL)
        return state

    def _asked(self, arn: str) -> str:
        tags = self.call("list_tags", ResourceArn=arn).get("Tags", [])
        return next((str(tag["Value"]) for tag in reversed(tags) if tag["Key"] == ASKED), "")

    def _remember(self, arn: str, name: str) -> None:
        self.call("add_tags", ResourceArn=arn, Tags=[{"Key": ASKED, "Value": name}])

    def _configured(self, name: str) -> list[Variant]:
        try:
            found = self.call("describe_endpoint_config", EndpointConfigName=name)
        except NotFound:
            return []
        return list(found["ProductionVariants"])

    def _sweep(self, model: str, kept: set[str]) -> None:
        """Delete the model's configurations that nothing uses any more."""
        part = f"{endpoint_name(model)}-c-"
        listed = self.call("list_endpoint_configs", NameContains=part, MaxResults=100)["EndpointConfigs"]
        for name in {one["EndpointConfigName"] for one in listed} - kept:
            if is_config_of(model, name):
                with suppress(NotFound):  # another worker sweeps, too
                    self.call("delete_endpoint_config", EndpointConfigName=name)
