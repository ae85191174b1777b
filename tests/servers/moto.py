"""moto's server for S3, STS and SageMaker, and a double of what it lacks of SageMaker. Neither is AWS.

moto cannot update an endpoint, never has one that is busy or failed, and runs no models. :class:`Sagemaker` answers in
its place, inside botocore, after the request was checked and written: UpdateEndpoint by making the endpoint anew in
moto, DescribeEndpoint with what is under way, InvokeEndpoint by running the MLflow model whose archive lies in S3.
"""

from __future__ import annotations

import io
import json
import random
import tarfile
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.awsrequest import AWSResponse

from model_lifecycle.hooks.aws_calls import AwsCalls
from tests.models import quiet
from tests.servers.environments import environment
from tests.servers.process import Server, free_ports

REGION = "eu-central-1"
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing-secret"}  # moto accepts any


class MotoServer(Server):
    """One moto server, which forgets everything when it ends."""

    def __init__(self, log: Path) -> None:
        (port,) = free_ports()
        self.url = f"http://127.0.0.1:{port}"
        command = [environment("moto") / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
        super().__init__("moto", command, log=log, ready=self._answers)

    def client(self, service: str) -> Any:
        """boto3's own client, for looking at what the hook did."""
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **KEYS)

    def __enter__(self) -> MotoServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        return requests.get(f"{self.url}/moto-api/", timeout=2).status_code == 200


class Sagemaker:
    """A double of what moto lacks of SageMaker; one for all clients of a moto server.

    ``alarm`` says why every update is rolled back, ``mended`` names the models whose containers start all the same.

    :param looks: how many times DescribeEndpoint says that an update is under way before it is done.
    """

    def __init__(self, moto: MotoServer, looks: int = 1) -> None:
        self.control, self.s3, self.looks = moto.client("sagemaker"), moto.client("s3"), looks
        self.lock = threading.RLock()
        self.underway: dict[str, tuple[str, int]] = {}
        self.reasons: dict[str, str] = {}
        self.creation_failed: set[str] = set()
        self.mended: set[str] = set()
        self.alarm = ""
        self.models: dict[str, Any] = {}
        self.updates: list[dict[str, Any]] = []

    def lend(self, aws: AwsCalls) -> None:
        """Answer in moto's place what the clients of a hook ask."""
        own = {"UpdateEndpoint": self.update, "DescribeEndpoint": self.describe, "CreateEndpoint": self.create,
               "DeleteEndpoint": self.delete}  # fmt: skip
        for name, answer in own.items():
            aws.client("sagemaker").meta.events.register_first(f"before-send.sagemaker.{name}", _asked(answer))
        runtime = aws.client("sagemaker-runtime").meta.events
        runtime.register_first("before-send.sagemaker-runtime.InvokeEndpoint", self.invoke)

    def create(self, asked: dict[str, Any], request: Any) -> Any:
        name = asked["EndpointName"]
        if any(one.lower() == name.lower() for one in self._endpoints()):
            return refusal("ValidationException", f'Cannot create already existing endpoint "{name}".')
        reason = self._why_broken(asked["EndpointConfigName"])
        self.reasons.pop(name, None)
        if reason:
            self.creation_failed.add(name)
            self.reasons[name] = reason
        return None  # moto's turn

    def delete(self, asked: dict[str, Any], request: Any) -> Any:
        name = asked["EndpointName"]
        self.creation_failed.discard(name)
        self.reasons.pop(name, None)

    def update(self, asked: dict[str, Any], request: Any) -> Any:
        name, config = asked["EndpointName"], asked["EndpointConfigName"]
        with self.lock:
            found = self.control.describe_endpoint(EndpointName=name)
            if name in self.underway:
                return refusal("ValidationException", f'Cannot update in-progress endpoint "{name}".')
            self.control.describe_endpoint_config(EndpointConfigName=config)
            self.updates.append(asked)
            self.underway[name] = (config, self.looks)
            self.reasons.pop(name, None)
        return answered({"EndpointArn": found["EndpointArn"]})

    def describe(self, asked: dict[str, Any], request: Any) -> Any:
        name = asked["EndpointName"]
        with self.lock:
            if name in self.underway:
                config, looks = self.underway[name]
                self.underway[name] = (config, looks - 1)
                if looks <= 0:
                    del self.underway[name]
                    self._finish(name, config)
            response = requests.post(request.url, data=request.body, headers=dict(request.headers), timeout=10)
            if response.status_code != 200:
                return None
            value = response.json()
            if name in self.underway:
                config, _ = self.underway[name]
                variants = self.control.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
                names = [{"VariantName": one["VariantName"]} for one in variants]
                value["EndpointStatus"] = "Updating"
                value["PendingDeploymentSummary"] = {"EndpointConfigName": config, "ProductionVariants": names}
            if name in self.creation_failed:
                value["EndpointStatus"] = "Failed"
                del value["ProductionVariants"]
            if name in self.reasons:
                value["FailureReason"] = self.reasons[name]
            return answered(value)

    def invoke(self, request: Any, **_: Any) -> Any:
        name = request.url.split("/endpoints/")[1].split("/")[0]
        try:
            found = self.control.describe_endpoint(EndpointName=name)
        except self.control.exceptions.ClientError:
            found = None
        if found is None or name in self.creation_failed:
            return refusal("ValidationError", f"Endpoint {name} of account 123456789012 not found.")
        weights = {one["VariantName"]: one.get("CurrentWeight", 0) for one in found["ProductionVariants"]}
        target = request.headers.get("X-Amzn-SageMaker-Target-Variant")
        target = target.decode() if isinstance(target, bytes) else target
        if target and target not in weights:
            return refusal("ValidationError", f"Variant {target} is not one of this endpoint.")
        variant = target or random.choices(list(weights), list(weights.values()))[0]
        try:
            said = {"predictions": self._run(found["EndpointConfigName"], variant, json.loads(request.body))}
        except Exception as error:  # whatever the model raises is the container's error
            body = {"Message": "Received client error (400) from primary", "OriginalMessage": str(error)}
            return answered({**body, "OriginalStatusCode": 400}, 424, {"x-amzn-errortype": "ModelError"})
        return answered(said, headers={"x-Amzn-Invoked-Production-Variant": variant})

    def _endpoints(self) -> list[str]:
        return [one["EndpointName"] for one in self.control.list_endpoints()["Endpoints"]]

    def _finish(self, name: str, config: str) -> None:
        reason = self.alarm or self._why_broken(config)
        if reason:
            self.reasons[name] = reason
            return
        arn = self.control.describe_endpoint(EndpointName=name)["EndpointArn"]
        tags = self.control.list_tags(ResourceArn=arn)["Tags"]
        self.control.delete_endpoint(EndpointName=name)
        self.control.create_endpoint(EndpointName=name, EndpointConfigName=config, Tags=tags)

    def _why_broken(self, config: str) -> str:
        if config.partition("-c-")[0] in self.mended:
            return ""
        variants = self.control.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        for variant in variants:
            try:
                self._loaded(config, variant["VariantName"])
            except Exception as error:
                return f"The {variant['VariantName']} container did not pass the ping health check: {error}"
        return ""

    def _run(self, config: str, variant: str, body: dict[str, Any]) -> list[Any]:
        import pandas as pd

        split = body["dataframe_split"]
        frame = pd.DataFrame(split["data"], columns=split["columns"])
        model = self._loaded(config, variant)
        unknown = set(frame.columns) - set(model.metadata.get_input_schema().input_names())
        if unknown:
            raise ValueError(f"unexpected column {', '.join(sorted(unknown))}")
        if frame.isna().any().any():
            raise ValueError(f"null in column {', '.join(frame.columns[frame.isna().any()])}")
        with quiet():
            return list(model.predict(frame).tolist())

    def _loaded(self, config: str, variant: str) -> Any:
        variants = self.control.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        name = next(one["ModelName"] for one in variants if one["VariantName"] == variant)
        url = self.control.describe_model(ModelName=name)["PrimaryContainer"]["ModelDataUrl"]
        if url not in self.models:
            bucket, _, key = url.removeprefix("s3://").partition("/")
            data = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            folder = tempfile.mkdtemp(prefix="sagemaker-")
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                # Python 3.11.2, which is Debian's, has no filters yet.
                archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
            with quiet():
                import mlflow.pyfunc

                self.models[url] = mlflow.pyfunc.load_model(folder)
        return self.models[url]


def answered(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> AWSResponse:
    """An answer as it would come over the network."""
    raw = io.BytesIO(json.dumps(value).encode())
    raw.stream = lambda *_, **__: iter([raw.read()])  # type: ignore[attr-defined]
    return AWSResponse("https://double", status, {"Content-Type": "application/json", **(headers or {})}, raw)


def refusal(code: str, message: str) -> AWSResponse:
    """An answer that refuses, in the form of both of SageMaker's protocols."""
    return answered({"__type": code, "message": message, "Message": message}, 400, {"x-amzn-errortype": code})


def _asked(answer: Callable[[dict[str, Any], Any], Any]) -> Callable[..., Any]:
    return lambda request, **_: answer(json.loads(request.body), request)
