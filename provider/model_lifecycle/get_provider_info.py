"""The table of contents that Airflow reads when it discovers the provider."""

from __future__ import annotations

from typing import Any

from model_lifecycle.connection_forms import connection_types


def get_provider_info() -> dict[str, Any]:
    """Plain values after Airflow's ``provider_info.schema.json``; imports nothing of Airflow."""
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
                    "model_lifecycle.hooks.alerts",
                    "model_lifecycle.hooks.envoy",
                    "model_lifecycle.hooks.haproxy",
                    "model_lifecycle.hooks.metrics",
                    "model_lifecycle.hooks.mlflow",
                    "model_lifecycle.hooks.mlflow_serving",
                    "model_lifecycle.hooks.multi_model_server",
                    "model_lifecycle.hooks.open_inference",
                    "model_lifecycle.hooks.prometheus",
                    "model_lifecycle.hooks.registry",
                    "model_lifecycle.hooks.router",
                    "model_lifecycle.hooks.sagemaker_endpoint",
                    "model_lifecycle.hooks.serving",
                    "model_lifecycle.hooks.store",
                    "model_lifecycle.hooks.torchserve",
                    "model_lifecycle.hooks.tensorflow_serving",
                    "model_lifecycle.hooks.webhdfs",
                ],
            }
        ],
        "operators": [
            {
                "integration-name": "Model Lifecycle",
                "python-modules": [
                    "model_lifecycle.operators.approval",
                    "model_lifecycle.operators.deploy",
                    "model_lifecycle.operators.drift",
                    "model_lifecycle.operators.evaluate",
                    "model_lifecycle.operators.metric",
                    "model_lifecycle.operators.monitor",
                    "model_lifecycle.operators.profile",
                    "model_lifecycle.operators.promote",
                    "model_lifecycle.operators.reconcile",
                    "model_lifecycle.operators.register",
                    "model_lifecycle.operators.release",
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
                    "model_lifecycle.sensors.drift",
                    "model_lifecycle.sensors.health",
                    "model_lifecycle.sensors.ready",
                    "model_lifecycle.sensors.version",
                ],
            }
        ],
        "triggers": [
            {
                "integration-name": "Model Lifecycle",
                "python-modules": [
                    "model_lifecycle.triggers.answer",
                    "model_lifecycle.triggers.drift",
                    "model_lifecycle.triggers.health",
                    "model_lifecycle.triggers.poll",
                    "model_lifecycle.triggers.release",
                    "model_lifecycle.triggers.watch",
                ],
            }
        ],
        "asset-uris": [
            {
                "schemes": ["model"],
                "handler": "model_lifecycle.assets.model.sanitize_uri",
                "factory": "model_lifecycle.assets.model.create_asset",
                "to_openlineage_converter": "model_lifecycle.assets.model.convert_asset_to_openlineage",
            }
        ],
        "extra-links": [
            "model_lifecycle.operators.links.DashboardLink",
            "model_lifecycle.operators.links.EndpointLink",
            "model_lifecycle.operators.links.ModelVersionLink",
            "model_lifecycle.operators.reports.DriftReportLink",
        ],
        "notifications": ["model_lifecycle.notifications.model_event.ModelEventNotifier"],
        "task-decorators": [{"name": "model_gate", "class-name": "model_lifecycle.decorators.gate.model_gate_task"}],
        "cli": ["model_lifecycle.cli.definition.get_cli_commands"],
        "plugins": [
            {
                "name": "model_lifecycle_alerts",
                "plugin-class": "model_lifecycle.plugins.alerts.ModelLifecycleAlertsPlugin",
            },
            {
                "name": "model_lifecycle_models",
                "plugin-class": "model_lifecycle.plugins.models_api.ModelLifecycleModelsPlugin",
            },
        ],
        "connection-types": connection_types(),
        "config": {"model_lifecycle": {"description": "Defaults that a team sets once.", "options": _options()}},
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
        "metrics_conn_id": {
            "description": "The connection of the metric system that releases and monitors tell their results to, and "
            "that answers queries, when none is given. Empty: nobody is told.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "prometheus_default",
            "default": None,
        },
        "registry_conn_id": {
            "description": "The connection of the model registry that operators use when none is given.",
            "version_added": "0.1.0",
            "type": "string",
            "example": None,
            "default": "mlflow_default",
        },
        "alerts_conn_id": {
            "description": "The connection, of type model_alerts, that says who may tell us of alerts.",
            "version_added": "0.1.0",
            "type": "string",
            "example": None,
            "default": "alerts_default",
        },
        "alert_dag": {
            "description": "The DAG that a firing alert with the label action: rollback starts.",
            "version_added": "0.1.0",
            "type": "string",
            "example": None,
            "default": "alert_rollback",
        },
        "rollback_dag": {
            "description": "The DAG that the Models page starts to roll back; its params are endpoint, to and reason.",
            "version_added": "0.1.0",
            "type": "string",
            "example": None,
            "default": "rollback_model",
        },
        "promote_dag": {
            "description": "The DAG that the Models page starts to deploy and promote a version; its params are model, "
            "version, serving_conn_id and reason.",
            "version_added": "0.1.0",
            "type": "string",
            "example": None,
            "default": "promote_model",
        },
    }
