"""A protocol double of TensorFlow Serving: the official stubs, real SavedModels, and behaviour rewritten from its docs.

THIS IS NOT TENSORFLOW SERVING, of which no binary could be had here. What it does was written down from the published
guide (serving_config.md, api_rest.md) and from reading the server's sources. It runs in the environment ``tensorflow``:
``python -P tensorflow_double.py --port=8500 --rest_api_port=8501 --model_config_file=models.config``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc
import tensorflow as tf
from google.protobuf import json_format, text_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

sys.path.append(str(Path(__file__).parent))  # at the end: modules here bear the names of packages

from tensorflow_double_core import Core, Refused, invalid

_HTTP = {"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400, "NOT_FOUND": 404,
         "ABORTED": 409, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503}  # fmt: skip


def rpc(verb: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    """A method of a servicer: what is Refused becomes the status of the call."""

    @wraps(verb)
    def call(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return verb(self, request)
        except Refused as error:
            context.abort(error.code, error.message)

    return call


class Calls(model_service_pb2_grpc.ModelServiceServicer, prediction_service_pb2_grpc.PredictionServiceServicer):
    """The calls of both services."""

    def __init__(self, core: Core) -> None:
        self.core = core

    @rpc
    def GetModelStatus(self, request: Any) -> Any:
        states = dict(self.core.states.get(request.model_spec.name, {}))
        if request.model_spec.HasField("version"):
            asked = request.model_spec.version.value
            states = {asked: states[asked]} if asked in states else {}
        if not states:
            name = request.model_spec.name
            raise Refused(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        answer = get_model_status_pb2.GetModelStatusResponse()
        for version, (state, code, message) in sorted(states.items(), reverse=True):
            one = answer.model_version_status.add(version=version, state=state)
            one.status.error_code, one.status.error_message = code, message
        return answer

    @rpc
    def HandleReloadConfigRequest(self, request: Any) -> Any:
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid("ServerModelConfig type not supported by HandleReloadConfigRequest.")
        self.core.reload(request.config)
        return model_management_pb2.ReloadConfigResponse()

    @rpc
    def GetModelMetadata(self, request: Any) -> Any:
        if list(request.metadata_field) != ["signature_def"]:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        with self.core.servable(request.model_spec) as (version, found):
            signatures = get_model_metadata_pb2.SignatureDefMap()
            for name, one in found.signatures.items():
                signatures.signature_def[name].CopyFrom(one)
        answer.model_spec.name, answer.model_spec.version.value = request.model_spec.name, version
        answer.metadata["signature_def"].Pack(signatures)
        return answer

    @rpc
    def Predict(self, request: Any) -> Any:
        answer = predict_pb2.PredictResponse()
        with self.core.servable(request.model_spec) as (version, found):
            inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
            outputs = found.run(request.model_spec.signature_name, inputs)
        for name, tensor in outputs.items():
            answer.outputs[name].CopyFrom(tf.make_tensor_proto(tensor))
        answer.model_spec.name, answer.model_spec.version.value = request.model_spec.name, version
        answer.model_spec.signature_name = request.model_spec.signature_name or "serving_default"
        return answer

    def predict_json(self, spec: Any, body: dict[str, Any]) -> dict[str, Any]:
        with self.core.servable(spec) as (_, found):
            signature = body.get("signature_name", "serving_default")
            wanted = found.signatures[signature].inputs
            given = body["inputs"]
            given = given if isinstance(given, dict) else {next(iter(wanted)): given}
            missing = next((name for name in wanted if name not in given), None)
            if missing:
                raise invalid(f"Missing named input: {missing} in 'inputs' object.")
            try:
                inputs = {name: tf.constant(given[name], tf.as_dtype(wanted[name].dtype)) for name in wanted}
            except (TypeError, ValueError) as error:
                raise invalid(f"JSON Value: {error}") from error
            outputs = {name: _plain(tensor.numpy()) for name, tensor in found.run(signature, inputs).items()}
        return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}


def _plain(array: Any) -> Any:
    if array.dtype == object:
        return [value.decode() for value in array.tolist()]
    return array.tolist()


_ROUTE = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(/versions/(?P<version>\d+)|/labels/(?P<label>\w+))?(?P<verb>:predict)?"
)


class Rest(BaseHTTPRequestHandler):
    """The REST interface as far as it is used: the status of a model, and predictions in the columnar form."""

    protocol_version = "HTTP/1.1"
    calls: Calls

    def do_GET(self) -> None:
        self._answer(lambda spec: json_format.MessageToDict(
            Calls.GetModelStatus.__wrapped__(self.calls, get_model_status_pb2.GetModelStatusRequest(model_spec=spec)),
            preserving_proto_field_name=True))  # fmt: skip

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(lambda spec: self.calls.predict_json(spec, body))

    def _answer(self, verb: Callable[[Any], Any]) -> None:
        found = _ROUTE.fullmatch(unquote(self.path))
        try:
            if not found or bool(found["verb"]) != (self.command == "POST"):
                raise invalid(f"Malformed request: {self.command} {self.path}")
            status, value = 200, verb(_spec(found))
        except Refused as error:
            status, value = _HTTP.get(error.code.name, 500), {"error": error.message}
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


def _spec(found: re.Match[str]) -> Any:
    spec = model_pb2.ModelSpec(name=found["name"])
    if found["version"]:
        spec.version.value = int(found["version"])
    if found["label"]:
        spec.version_label = found["label"]
    return spec


def main() -> None:
    """Load what the list says, then listen; a list that cannot be realised ends the server, as it does the real one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8500)
    parser.add_argument("--rest_api_port", type=int, default=0)
    parser.add_argument("--model_config_file", type=Path, required=True)
    parser.add_argument("--allow_version_labels_for_unavailable_models", default="false", choices=("true", "false"))
    parser.add_argument("--file_system_poll_wait_seconds", type=float, default=1)
    args = parser.parse_args()
    core = Core(args.allow_version_labels_for_unavailable_models == "true", args.file_system_poll_wait_seconds)
    try:
        core.reload(text_format.Parse(args.model_config_file.read_text(), model_server_config_pb2.ModelServerConfig()))
    except Refused as error:
        sys.exit(f"Failed to start server. Error: {error.code.name}: {error.message}")
    Rest.calls = Calls(core)
    server = grpc.server(ThreadPoolExecutor(16))
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Rest.calls, server)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Rest.calls, server)
    server.add_insecure_port(f"127.0.0.1:{args.port}")
    server.start()
    if args.rest_api_port:
        rest = ThreadingHTTPServer(("127.0.0.1", args.rest_api_port), Rest)
        threading.Thread(target=rest.serve_forever, daemon=True).start()
    print("the protocol double of TensorFlow Serving listens; it is not TensorFlow Serving", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
