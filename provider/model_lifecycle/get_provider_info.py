"""The table of contents that Airflow reads when it discovers the provider."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Plain values after Airflow's ``provider_info.schema.json``; imports nothing."""
    return {
        "package-name": "airflow-provider-model-lifecycle",
        "name": "Model Lifecycle",
        "description": "Register, upload, deploy, monitor, promote and roll back machine-learning models.",
        "integrations": [
            {
                "integration-name": "Model Lifecycle",
                "external-doc-url": "https://mlflow.org/docs/latest/ml/model-registry/",
                "tags": ["machine-learning"],
            }
        ],
        "hooks": [
            {
                "integration-name": "Model Lifecycle",
                "python-modules": [
                    "model_lifecycle.hooks.envoy",
                    "model_lifecycle.hooks.haproxy",
                    "model_lifecycle.hooks.metrics",
                    "model_lifecycle.hooks.mlflow",
                    "model_lifecycle.hooks.mlflow_serving",
                    "model_lifecycle.hooks.multi_model_server",
                    "model_lifecycle.hooks.open_inference",
                    "model_lifecycle.hooks.registry",
                    "model_lifecycle.hooks.router",
                    "model_lifecycle.hooks.sagemaker_endpoint",
                    "model_lifecycle.hooks.serving",
                    "model_lifecycle.hooks.store",
                    "model_lifecycle.hooks.torchserve",
                    "model_lifecycle.hooks.tensorflow_serving",
                ],
            }
        ],
        "operators": [
            {
                "integration-name": "Model Lifecycle",
                "python-modules": [
                    "model_lifecycle.operators.deploy",
                    "model_lifecycle.operators.evaluate",
                    "model_lifecycle.operators.monitor",
                    "model_lifecycle.operators.promote",
                    "model_lifecycle.operators.reconcile",
                    "model_lifecycle.operators.register",
                    "model_lifecycle.operators.rollback",
                    "model_lifecycle.operators.upload",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": "Model Lifecycle",
                "python-modules": [
                    "model_lifecycle.sensors.artifact",
                    "model_lifecycle.sensors.ready",
                    "model_lifecycle.sensors.version",
                ],
            }
        ],
        "triggers": [
            {
                "integration-name": "Model Lifecycle",
                "python-modules": ["model_lifecycle.triggers.poll", "model_lifecycle.triggers.release"],
            }
        ],
        "extra-links": ["model_lifecycle.operators.links.ModelVersionLink"],
        "connection-types": [
            _mlflow(),
            _open_inference(),
            _mlflow_serving(),
            _haproxy(),
            _envoy(),
            _tensorflow_serving(),
            _torchserve(),
            _multi_model_server(),
            _sagemaker_endpoint(),
        ],
        "config": {"model_lifecycle": {"description": "Defaults that a team sets once.", "options": _options()}},
    }


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
            "repository": {
                "label": "Model repository",
                "description": "The folder from which the server loads models, as the workers see it.",
                "schema": {"type": ["string", "null"]},
            },
            "server": {
                "label": "Kind of server",
                "description": "scorer, mlserver or kserve, where the server's own name does not tell.",
                "schema": {"type": ["string", "null"], "enum": ["scorer", "mlserver", "kserve", None]},
            },
            "grpc": {
                "label": "gRPC address",
                "description": "host:port, or grpcs://host:port for TLS, if predictions shall go by gRPC.",
                "schema": {"type": ["string", "null"]},
            },
            "implementation": {
                "label": "Runtime of MLServer",
                "description": "The class that loads artifacts; mlserver_mlflow.MLflowRuntime by default.",
                "schema": {"type": ["string", "null"]},
            },
            "router_conn_id": _router(),
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
            "repository": {
                "label": "Model repository",
                "description": "The folder of the models that the slots serve, as the workers see it.",
                "schema": {"type": ["string", "null"]},
            },
            "slots": {
                "label": "Slots",
                "description": "The servers by number, such as models:5100 and models:5101.",
                "schema": {"type": ["array", "null"], "items": {"type": "string"}},
            },
            "program": {
                "label": "Program",
                "description": "The name of the program in Supervisor's configuration; model by default.",
                "schema": {"type": ["string", "null"]},
            },
            "router_conn_id": _router(),
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
            "socket": {
                "label": "Runtime socket",
                "description": "An absolute path as the workers see it, or host:port.",
                "schema": {"type": ["string", "null"]},
            },
            "maps": {
                "label": "Folder of the map files",
                "description": "Where traffic.map and targets.map lie, as the workers see it.",
                "schema": {"type": ["string", "null"]},
            },
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
            "admin": {
                "label": "Admin",
                "description": "The URL of Envoy's admin, as the workers reach it.",
                "schema": {"type": ["string", "null"]},
            },
            "config": {
                "label": "Folder of the watched files",
                "description": "Where clusters.json and routes.json lie, as the workers see it.",
                "schema": {"type": ["string", "null"]},
            },
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
            "repository": {
                "label": "Model repository",
                "description": "The folder of the models and of models.config, as the workers see it.",
                "schema": {"type": ["string", "null"]},
            },
            "base_path": {
                "label": "The same folder for the server",
                "description": "Where the server sees the repository, if that is elsewhere.",
                "schema": {"type": ["string", "null"]},
            },
            "label": {
                "label": "Label",
                "description": "The version label by which callers ask; stable by default.",
                "schema": {"type": ["string", "null"]},
            },
            "rest": {
                "label": "REST URL",
                "description": "The server's REST port as a router sees it, such as http://models:8501.",
                "schema": {"type": ["string", "null"]},
            },
            "verify": _verify(),
            "timeout": _timeout(),
        },
    }


def _torchserve() -> dict[str, Any]:
    key_file = {
        "label": "Key file",
        "description": "TorchServe's key_file.json, as the workers see it; else the password is the key.",
        "schema": {"type": ["string", "null"]},
    }
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
        "conn-fields": {**fields, "router_conn_id": _router(), "verify": _verify(), "timeout": _timeout()},
    }


def _router() -> dict[str, Any]:
    return {
        "label": "Router",
        "description": "The connection, of type haproxy or envoy, of the router in front of the server.",
        "schema": {"type": ["string", "null"]},
    }


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
            "aws_conn_id": {
                "label": "AWS connection",
                "description": "The connection of type aws that says where and as whom; aws_default by default.",
                "schema": {"type": ["string", "null"]},
            },
            "bucket": {
                "label": "S3 bucket",
                "description": "For the models' files.",
                "schema": {"type": ["string", "null"]},
            },
            "prefix": {
                "label": "Prefix in the bucket",
                "description": "models by default.",
                "schema": {"type": ["string", "null"]},
            },
            "role_arn": {
                "label": "Execution role",
                "description": "The role with which the containers run.",
                "schema": {"type": ["string", "null"]},
            },
            "image_uri": {
                "label": "Image",
                "description": "The containers' image.",
                "schema": {"type": ["string", "null"]},
            },
            "instance_type": {
                "label": "Instance type",
                "description": "Such as ml.m5.large.",
                "schema": {"type": ["string", "null"]},
            },
            "deployment_config": {
                "label": "Deployment",
                "description": "JSON: how an update shifts the traffic, and its alarms.",
                "schema": {"type": ["string", "null"]},
            },
            "timeout": _timeout(),
        },
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


def _options() -> dict[str, Any]:
    return {
        "store": {
            "description": "The model store that operators use when none is given.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "hdfs://webhdfs_default@/models",
            "default": None,
        },
        "trust": {
            "description": "What the files of a version may be before it is loaded: words such as pickle or code, or "
            "JSON with formats, flavors, loader_modules, globals and code. Empty: only formats that run nothing.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "pickle",
            "default": None,
        },
        "registry_conn_id": {
            "description": "The connection of the model registry that operators use when none is given.",
            "version_added": "0.1.0",
            "type": "string",
            "example": None,
            "default": "mlflow_default",
        },
    }
