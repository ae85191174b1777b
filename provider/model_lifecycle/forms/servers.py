"""Forms of the model servers that a team runs itself."""

from __future__ import annotations

from typing import Any

from model_lifecycle.forms.fields import (
    BY_HTTP,
    Fields,
    by_http,
    choice,
    connection_type,
    lines,
    number,
    repository,
    served,
    text,
    timeout,
    tls,
)

_LOCAL = {"host": "http://127.0.0.1", "port": "8080"}


def servers() -> list[dict[str, Any]]:
    """``open_inference``, ``mlflow_serving``, ``tensorflow_serving``, ``torchserve`` and ``multi_model_server``."""
    return [_open_inference(), _mlflow_serving(), _tensorflow_serving(), _torchserve(), _multi_model_server()]


def _open_inference() -> dict[str, Any]:
    fields = {
        "repository": repository("The folder from which the server loads models, as the workers see it."),
        "server": choice("Kind of server", "Where its own name does not tell.", "scorer", "mlserver", "kserve"),
        "grpc": text("gRPC address", "If predictions shall go by gRPC; grpcs:// for TLS.", "models.example.com:8081"),
        "implementation": text(
            "Runtime of MLServer", "The class that loads artifacts.", "mlserver_mlflow.MLflowRuntime"
        ),
    }
    return connection_type(
        "open_inference",
        "open_inference.OpenInferenceHook",
        "Open Inference Protocol v2",
        {**fields, **served(), **by_http()},
        labels={"host": "Model server", **BY_HTTP},
        placeholders=_LOCAL,
    )


def _mlflow_serving() -> dict[str, Any]:
    fields = {
        "repository": repository("The folder of the models that the slots serve, as the workers see it."),
        "slots": lines("Slots", "The servers by number, such as models:5100 and models:5101."),
        "program": text("Program", "Its name in Supervisor's configuration; model by default.", "model"),
    }
    return connection_type(
        "mlflow_serving",
        "mlflow_serving.MlflowServingHook",
        "MLflow models serve",
        {**fields, **served(), **by_http()},
        labels={"host": "Supervisor", "login": "User of Supervisor", "password": "Password of Supervisor"},
        placeholders={"host": "http://models.example.com", "port": "9001"},
    )


def _tensorflow_serving() -> dict[str, Any]:
    fields = {
        "repository": repository("The folder of the models and of models.config, as the workers see it."),
        "base_path": text("The same folder for the server", "Where the server sees it, if that is elsewhere."),
        "label": text("Label", "The version label by which callers ask; stable by default.", "stable"),
        "signature": text("Signature", "Of the SavedModel; serving_default by default.", "serving_default"),
        "rest": text("REST URL", "The server's REST port as a router sees it.", "http://models.example.com:8501"),
        "scheme": choice("Scheme", "https: TLS towards the server. Where the host names none.", "http", "https"),
    }
    return connection_type(
        "tensorflow_serving",
        "tensorflow_serving.TensorflowServingHook",
        "TensorFlow Serving",
        {**fields, **served(), **tls(), **timeout()},
        labels={"host": "Server (gRPC)", **BY_HTTP},
        placeholders={"host": "models.example.com", "port": "8500"},
    )


def _torchserve() -> dict[str, Any]:
    words = "TorchServe's key_file.json, as the workers see it; else the password is the key."
    return _archive_server(
        "torchserve",
        "torchserve.TorchServeHook",
        "TorchServe",
        {"key_file": text("Key file", words, "/torchserve/key_file.json")},
    )


def _multi_model_server() -> dict[str, Any]:
    return _archive_server("multi_model_server", "multi_model_server.MultiModelServerHook", "multi-model-server", {})


def _archive_server(kind: str, hook: str, name: str, own: Fields) -> dict[str, Any]:
    fields = {
        "management": text("Management API", "Its URL; the same host and port 8081 by default.", "http://models:8081"),
        "archives": text("Model store", "The folder from which it loads archives, as the workers see it.", "/archives"),
        "workers": number("Workers", "How many a version gets; 1 by default.", minimum=1),
        "load_timeout": number(
            "Seconds to load", "After which workers that do not run are FAILED; 120 by default.", minimum=1
        ),
    }
    return connection_type(
        kind,
        hook,
        name,
        {**own, **fields, **served(), **by_http()},
        labels={"host": "Inference API", **BY_HTTP},
        placeholders=_LOCAL,
    )
