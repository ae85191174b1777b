"""The plugin that lets Alertmanager and MLflow tell us: ``POST /model-lifecycle/alerts/{alertmanager,mlflow}``.

Schedulers, workers and triggerers import plugins too; FastAPI and Airflow's models are imported when the API server
asks for the application, and by nobody else (Law 13).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

PREFIX = "/model-lifecycle/alerts"


class ModelLifecycleAlertsPlugin(AirflowPlugin):
    """Mounts the receiver."""

    name = "model_lifecycle_alerts"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The receiver's application; made when it is asked for."""
        from model_lifecycle.plugins.receiver import application

        return [{"name": "model lifecycle: alerts", "app": application(), "url_prefix": PREFIX}]
