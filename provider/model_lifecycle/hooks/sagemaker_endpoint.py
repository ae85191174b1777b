"""SageMaker: one real-time endpoint per model, one production variant per version, traffic by the variants' weights.

A version comes and goes by a new endpoint configuration, which SageMaker brings up beside the old one and swaps as the
extra ``deployment_config`` says, with its alarms. It never stands for success that the endpoint is InService: it is so
again after SageMaker has rolled the update back by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.sdk import BaseHook

from model_lifecycle.core.errors import Conflict, Invalid, NotFound, Unavailable
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.aws_calls import AwsCalls
from model_lifecycle.hooks.router import check_traffic
from model_lifecycle.hooks.sagemaker_calls import SagemakerCalls, Variant
from model_lifecycle.hooks.sagemaker_data import ModelData
from model_lifecycle.hooks.sagemaker_names import endpoint_name, model_name, variant_name, version_of
from model_lifecycle.hooks.sagemaker_rows import FORMATS, to_body, to_outputs
from model_lifecycle.hooks.serving import Answer, Columns, ServingHook, VersionState
from model_lifecycle.hooks.session import read_timeout
from model_lifecycle.stores.base import ModelStore

DEADLINE = 600.0
_EXTRAS = {
    "bucket": "name the S3 bucket for the models' files",
    "role_arn": "name the role with which SageMaker runs the containers",
    "image_uri": "name the container's image, such as one of mlflow sagemaker build-and-push-container",
    "instance_type": "name an instance type, such as ml.m5.large",
}


class SagemakerEndpointHook(ServingHook):
    """The endpoints of one AWS account and region, behind a connection of type ``sagemaker_endpoint``.

    Extras: ``aws_conn_id``, the connection of type ``aws`` (``aws_default``); ``bucket`` and ``prefix`` for the models'
    files; ``role_arn``, with which the containers run; ``image_uri`` and ``environment`` of the containers; ``format``
    of their requests, ``mlflow`` (default) or ``csv``; ``instance_type`` and ``initial_instance_count`` (1);
    ``deployment_config``, as UpdateEndpoint takes it; ``timeout``, seconds a call may stay silent; ``deadline``,
    seconds until a change of the traffic must have happened (600).

    :param serving_conn_id: the connection.
    """

    default_conn_name = "sagemaker_endpoint_default"
    conn_type = "sagemaker_endpoint"
    hook_name = "Amazon SageMaker endpoint"
    can_split = True
    serves_first = True

    @cached_property
    def aws(self) -> AwsCalls:
        """The calls to AWS; both connections are read when they are first used."""
        return AwsCalls(self._aws_connection(), read_timeout(self._extra.get("timeout"), self.conn_id))

    def get_conn(self) -> AwsCalls:
        """The calls to AWS of this hook."""
        return self.aws

    def prove_connection(self) -> str:
        """Prove that SageMaker answers us."""
        if "Endpoints" not in self.aws.call("sagemaker", "list_endpoints", MaxResults=1):
            hint = "is endpoint_url of the aws connection that of AWS?"
            raise Invalid("the answer to sagemaker list_endpoints is none of AWS's", target=self.aws.target, hint=hint)
        return "SageMaker answers"

    def stage(self, model: str, version: int, artifact_uri: str, store: ModelStore) -> None:
        """Put the artifact into S3 as ``model.tar.gz``, and make SageMaker's model of it; see the contract."""
        check_name(model, "model name")
        name, container = self._model(model, version)
        data = ModelData(self.aws, self._needed("bucket"), str(self._extra.get("prefix") or "models"))
        manifest = store.read_manifest(artifact_uri)
        url = data.put(artifact_uri, manifest, store)
        primary = {"Image": container["image"], "Environment": container["environment"], "ModelDataUrl": url}
        made = {"ModelName": name, "PrimaryContainer": primary, "ExecutionRoleArn": container["role"]}
        there = self.calls.made_model(made)["PrimaryContainer"].get("ModelDataUrl")
        if there != url:
            what = f"another artifact is staged as SageMaker's model {name}: {there}"
            raise Conflict(what, target=self.aws.target, model=model, version=version)

    def load(self, model: str, version: int) -> None:
        """Ask for a configuration that also has the version, at weight 0; the first version gets all traffic.

        One that is FAILED is asked for again.

        :raises NotFound: if the version was not staged.
        :raises Unavailable: if the endpoint is changing; to ask again later is right.
        """
        check_name(model, "model name")
        state = self.calls.state(model)
        if state.states().get(version) in (VersionState.READY, VersionState.LOADING):
            return
        name, _ = self._model(model, version)
        self.calls.call("describe_model", ModelName=name)
        self.calls.change(model, state, {**self.calls.variants(state), version: self._variant(version, name)})

    def unload(self, model: str, version: int) -> None:
        """Ask for a configuration without the version; what never came is forgotten at once.

        :raises Unavailable: if the endpoint is changing.
        """
        state = self.calls.state(model)
        if version not in state.states():
            return
        if version in state.traffic():
            raise Conflict("the version has traffic", target=self.aws.target, model=model, version=version)
        if version not in state.variants:
            self.calls.accept(model, state)
            return
        left = {one: variant for one, variant in self.calls.variants(state).items() if one != version}
        if left:
            self.calls.change(model, state, left)
        else:
            self.calls.delete(model, state)

    def versions(self, model: str) -> dict[int, VersionState]:
        """The variants that serve, come, or did not come; see :mod:`model_lifecycle.hooks.sagemaker_state`."""
        return self.calls.state(model).states()

    def failure(self, model: str, version: int) -> str | None:
        """Why a version is FAILED, or None."""
        return self.calls.state(model).failure(version)

    def predict(self, model: str, inputs: Columns, version: int | None = None) -> Answer:
        """Ask the endpoint, with ``version`` its variant; see the contract.

        :raises Invalid: also if the container answers with an error.
        """
        kind = str(self._extra.get("format") or "mlflow")
        if kind not in FORMATS:
            raise Invalid(f"the extra format is none of {', '.join(FORMATS)}", target=self.conn_id)
        asked: dict[str, Any] = {"EndpointName": endpoint_name(model), "Body": to_body(inputs, kind)}
        if version is not None:
            asked["TargetVariant"] = variant_name(version)
        try:
            answer = self.aws.call(
                "sagemaker-runtime", "invoke_endpoint", **asked, ContentType=FORMATS[kind], Accept=FORMATS[kind]
            )
        except Invalid as error:
            # SageMaker has no code of its own for a variant that is not there.
            if version is not None and self.versions(model).get(version) is not VersionState.READY:
                raise NotFound("the version does not serve", model=model, version=version) from error
            raise
        outputs = to_outputs(self.aws.body(answer["Body"]), answer.get("ContentType", ""))
        return Answer(version_of(answer.get("InvokedProductionVariant", "")), outputs)

    def traffic(self, model: str) -> dict[int, int]:
        """Per cent by version, after the weights that hold now."""
        return self.calls.state(model).traffic()

    def route(self, model: str, traffic: Mapping[int, int]) -> None:
        """Set the weights, and wait until they hold.

        An empty map deletes the endpoint: SageMaker has none that answers nobody.

        :raises Unavailable: if the endpoint is changing, or the weights do not hold within the extra ``deadline``.
        """
        check_traffic(traffic, self.conn_id)
        state = self.calls.state(model)
        wanted = {version: share for version, share in sorted(traffic.items()) if share}
        for version in wanted:
            if state.states().get(version) is not VersionState.READY:
                raise Conflict("the version is not ready", target=self.aws.target, model=model, version=version)
        if state.traffic() == wanted:
            return
        if not wanted:
            self.calls.delete(model, state)
            return
        found = self.calls.weigh(model, state, wanted).traffic()
        if found != wanted:
            raise Unavailable(f"the traffic is {found}, not {wanted}", target=self.aws.target, model=model)

    @cached_property
    def calls(self) -> SagemakerCalls:
        """The control of the endpoints."""
        return SagemakerCalls(self.aws, self._mapping("deployment_config"), self.number("deadline", DEADLINE))

    @property
    def _extra(self) -> dict[str, Any]:
        return self.connection.extra_dejson

    def _aws_connection(self) -> Any:
        conn_id = str(self._extra.get("aws_conn_id") or "aws_default")
        try:
            return BaseHook.get_connection(conn_id)
        except AirflowNotFoundException as error:
            hint = "make one of type aws; without keys it stands for the worker's own role"
            raise Invalid(f"there is no connection {conn_id}", target=self.conn_id, hint=hint) from error

    def _needed(self, name: str) -> str:
        value = self._extra.get(name)
        if not isinstance(value, str) or not value:
            raise Invalid(f"the connection has no extra {name}", target=self.conn_id, hint=_EXTRAS[name])
        return value

    def _mapping(self, name: str) -> dict[str, Any]:
        """An extra that is an object; the form of the UI stores it as text."""
        value = self._extra.get(name) or {}
        try:
            value = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise Invalid(f"the extra {name} is no JSON object", target=self.conn_id)
        return value

    def _model(self, model: str, version: int) -> tuple[str, dict[str, Any]]:
        """The name of SageMaker's model of a version, and how its container runs."""
        environment = {str(name): str(value) for name, value in self._mapping("environment").items()}
        container = {"image": self._needed("image_uri"), "role": self._needed("role_arn"), "environment": environment}
        return model_name(model, version, container), container

    def _variant(self, version: int, name: str) -> Variant:
        return {
            "VariantName": variant_name(version),
            "ModelName": name,
            "InitialInstanceCount": int(self.number("initial_instance_count", 1)),
            "InstanceType": self._needed("instance_type"),
            "InitialVariantWeight": 0.0,
        }
