"""The forms of our connection types: plain values that Airflow's user interface shows."""

from __future__ import annotations

from typing import Any


def connection_types() -> list[dict[str, Any]]:
    """Every connection type, after Airflow's ``provider_info.schema.json``."""
    return [
        _mlflow(),
        _open_inference(),
        _mlflow_serving(),
        _haproxy(),
        _envoy(),
        _tensorflow_serving(),
        _torchserve(),
        _multi_model_server(),
        _sagemaker_endpoint(),
        _model_alerts(),
        _prometheus(),
    ]


def _mlflow() -> dict[str, Any]:
    return {
        "connection-type": "mlflow",
        "hook-class-name": "model_lifecycle.hooks.mlflow.MlflowHook",
        "hook-name": "MLflow",
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {"host": "Tracking server", "login": "User (basic)", "password": "Password or token"},
            "placeholders": {"host": "https://mlflow.example.com", "port": "5000"},
        },
        "conn-fields": {"verify": _verify(), "timeout": _timeout()},
    }


def _open_inference() -> dict[str, Any]:
    return {
        "connection-type": "open_inference",
        "hook-class-name": "model_lifecycle.hooks.open_inference.OpenInferenceHook",
        "hook-name": "Open Inference Protocol v2",
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {"host": "Model server", "login": "User (basic)", "password": "Password or token"},
            "placeholders": {"host": "http://127.0.0.1", "port": "8080"},
        },
        "conn-fields": {
            "repository": _text(
                "Model repository", "The folder from which the server loads models, as the workers see it."
            ),
            "server": {
                "label": "Kind of server",
                "description": "scorer, mlserver or kserve, where the server's own name does not tell.",
                "schema": {"type": ["string", "null"], "enum": ["scorer", "mlserver", "kserve", None]},
            },
            "grpc": _text("gRPC address", "host:port, or grpcs://host:port for TLS, if predictions shall go by gRPC."),
            "implementation": _text(
                "Runtime of MLServer", "The class that loads artifacts; mlserver_mlflow.MLflowRuntime by default."
            ),
            "router_conn_id": _router(),
            "trust": _trust(),
            "verify": _verify(),
            "timeout": _timeout(),
        },
    }


def _mlflow_serving() -> dict[str, Any]:
    return {
        "connection-type": "mlflow_serving",
        "hook-class-name": "model_lifecycle.hooks.mlflow_serving.MlflowServingHook",
        "hook-name": "MLflow models serve",
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {"host": "Supervisor", "login": "User of Supervisor", "password": "Password of Supervisor"},
            "placeholders": {"host": "http://models.example.com", "port": "9001"},
        },
        "conn-fields": {
            "repository": _text(
                "Model repository", "The folder of the models that the slots serve, as the workers see it."
            ),
            "slots": {
                "label": "Slots",
                "description": "The servers by number, such as models:5100 and models:5101.",
                "schema": {"type": ["array", "null"], "items": {"type": "string"}},
            },
            "program": _text("Program", "The name of the program in Supervisor's configuration; model by default."),
            "router_conn_id": _router(),
            "trust": _trust(),
            "verify": _verify(),
            "timeout": _timeout(),
        },
    }


def _haproxy() -> dict[str, Any]:
    return {
        "connection-type": "haproxy",
        "hook-class-name": "model_lifecycle.hooks.haproxy.HaproxyHook",
        "hook-name": "HAProxy",
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {
                "host": "Router, as callers ask it",
                "login": "User (basic)",
                "password": "Password or token",
            },
            "placeholders": {"host": "http://127.0.0.1", "port": "8080"},
        },
        "conn-fields": {
            "socket": _text("Runtime socket", "An absolute path as the workers see it, or host:port."),
            "maps": _text("Folder of the map files", "Where traffic.map and targets.map lie, as the workers see it."),
            "verify": _verify(),
            "timeout": _timeout(),
        },
    }


def _envoy() -> dict[str, Any]:
    return {
        "connection-type": "envoy",
        "hook-class-name": "model_lifecycle.hooks.envoy.EnvoyHook",
        "hook-name": "Envoy",
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {
                "host": "Router, as callers ask it",
                "login": "User (basic)",
                "password": "Password or token",
            },
            "placeholders": {"host": "http://127.0.0.1", "port": "8080"},
        },
        "conn-fields": {
            "admin": _text("Admin", "The URL of Envoy's admin, as the workers reach it."),
            "config": _text(
                "Folder of the watched files", "Where clusters.json and routes.json lie, as the workers see it."
            ),
            "verify": _verify(),
            "timeout": _timeout(),
        },
    }


def _tensorflow_serving() -> dict[str, Any]:
    return {
        "connection-type": "tensorflow_serving",
        "hook-class-name": "model_lifecycle.hooks.tensorflow_serving.TensorflowServingHook",
        "hook-name": "TensorFlow Serving",
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {"host": "Server (gRPC)", "login": "User (basic)", "password": "Password or token"},
            "placeholders": {"host": "models.example.com", "port": "8500"},
        },
        "conn-fields": {
            "repository": _text(
                "Model repository", "The folder of the models and of models.config, as the workers see it."
            ),
            "base_path": _text(
                "The same folder for the server", "Where the server sees the repository, if that is elsewhere."
            ),
            "label": _text("Label", "The version label by which callers ask; stable by default."),
            "rest": _text("REST URL", "The server's REST port as a router sees it, such as http://models:8501."),
            "router_conn_id": _router(),
            "trust": _trust(),
            "verify": _verify(),
            "timeout": _timeout(),
        },
    }


def _torchserve() -> dict[str, Any]:
    key_file = _text("Key file", "TorchServe's key_file.json, as the workers see it; else the password is the key.")
    found = _archive_server("torchserve", "model_lifecycle.hooks.torchserve.TorchServeHook", "TorchServe")
    return {**found, "conn-fields": {"key_file": key_file, **found["conn-fields"]}}


def _multi_model_server() -> dict[str, Any]:
    hook = "model_lifecycle.hooks.multi_model_server.MultiModelServerHook"
    return _archive_server("multi_model_server", hook, "multi-model-server")


def _archive_server(kind: str, hook: str, name: str) -> dict[str, Any]:
    texts = {
        "management": ("Management API", "Its URL; the same host and port 8081 by default."),
        "archives": ("Model store", "The folder from which the server loads archives, as the workers see it."),
    }
    numbers = {
        "workers": ("Workers", "How many a version gets; 1 by default."),
        "load_timeout": ("Seconds to load", "After which workers that do not run are FAILED; 120 by default."),
    }
    kinds = {**dict.fromkeys(texts, "string"), **dict.fromkeys(numbers, "number")}
    fields = {
        field: {"label": label, "description": text, "schema": {"type": [kinds[field], "null"]}}
        for field, (label, text) in {**texts, **numbers}.items()
    }
    return {
        "connection-type": kind,
        "hook-class-name": hook,
        "hook-name": name,
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {"host": "Inference API", "login": "User (basic)", "password": "Password or token"},
            "placeholders": {"host": "http://127.0.0.1", "port": "8080"},
        },
        "conn-fields": {
            **fields,
            "router_conn_id": _router(),
            "trust": _trust(),
            "verify": _verify(),
            "timeout": _timeout(),
        },
    }


def _router() -> dict[str, Any]:
    return _text("Router", "The connection, of type haproxy or envoy, of the router in front of the server.")


def _sagemaker_endpoint() -> dict[str, Any]:
    return {
        "connection-type": "sagemaker_endpoint",
        "hook-class-name": "model_lifecycle.hooks.sagemaker_endpoint.SagemakerEndpointHook",
        "hook-name": "Amazon SageMaker endpoint",
        "ui-field-behaviour": {
            "hidden-fields": ["host", "port", "schema", "login", "password"],
            "relabeling": {},
            "placeholders": {},
        },
        "conn-fields": {
            "aws_conn_id": _text(
                "AWS connection", "The connection of type aws that says where and as whom; aws_default by default."
            ),
            "bucket": _text("S3 bucket", "For the models' files."),
            "prefix": _text("Prefix in the bucket", "models by default."),
            "role_arn": _text("Execution role", "The role with which the containers run."),
            "image_uri": _text("Image", "The containers' image."),
            "instance_type": _text("Instance type", "Such as ml.m5.large."),
            "deployment_config": _text("Deployment", "JSON: how an update shifts the traffic, and its alarms."),
            "trust": _trust(),
            "timeout": _timeout(),
        },
    }


def _model_alerts() -> dict[str, Any]:
    return {
        "connection-type": "model_alerts",
        "hook-class-name": "model_lifecycle.hooks.alerts.AlertsHook",
        "hook-name": "Model alerts",
        "ui-field-behaviour": {
            "hidden-fields": ["host", "port", "schema", "login"],
            "relabeling": {"password": "Alertmanager's shared secret"},
            "placeholders": {"password": "16 characters or more; several, separated by spaces, are all valid"},
        },
        "conn-fields": {
            "mlflow_secret": {
                "label": "Secret of MLflow's webhook",
                "description": "16 characters or more; several, separated by spaces, are all valid.",
                "schema": {"type": ["string", "null"], "format": "password"},
            },
            "endpoints": {
                "label": "Endpoints",
                "description": "JSON: the endpoint of each model whose alerts carry no label endpoint.",
                "schema": {"type": ["object", "null"]},
            },
        },
    }


def _prometheus() -> dict[str, Any]:
    return {
        "connection-type": "prometheus",
        "hook-class-name": "model_lifecycle.hooks.prometheus.PrometheusHook",
        "hook-name": "Prometheus",
        "ui-field-behaviour": {
            "hidden-fields": ["schema"],
            "relabeling": {"host": "Prometheus", "login": "User (basic)", "password": "Password or token"},
            "placeholders": {"host": "https://prometheus.example.com", "port": "9090"},
        },
        "conn-fields": {
            "pushgateway": _text("Pushgateway", "Its URL, or the id of a connection that has credentials of its own."),
            "textfile": _text("Folder for samples", "Of node_exporter's textfile collector, instead of a Pushgateway."),
            "selector": _text("Label matchers", 'For the scorer\'s counts, such as namespace="prod".'),
            "counts": {
                "label": "Expressions for counts",
                "description": "JSON: requests, errors, refused and latency, of servers that are not the scorer.",
                "schema": {"type": ["object", "null"]},
            },
            "verify": _verify(),
            "timeout": _timeout(),
        },
    }


def _trust() -> dict[str, Any]:
    return {
        "label": "Trust",
        "description": "What a version's files may be: words such as pickle or code. Empty: nothing that can run.",
        "schema": {"type": ["string", "object", "null"]},
    }


def _verify() -> dict[str, Any]:
    return {
        "label": "Verify TLS",
        "description": "true (the default), false (with a warning), or the path of a CA bundle.",
        "schema": {"type": ["string", "boolean", "null"]},
    }


def _timeout() -> dict[str, Any]:
    return {
        "label": "Read time-out in seconds",
        "description": "How long one call may stay silent; 60 by default.",
        "schema": {"type": ["number", "null"]},
    }


def _text(label: str, description: str) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"]}}
