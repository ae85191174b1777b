"""The plugin of the Models page: ``/model-lifecycle/models``, a JSON API and the page that shows it.

Schedulers, workers and triggerers import plugins too; FastAPI and what the routes need are imported when the API
server asks for the application, and by nobody else (Law 13).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowPlugin

PREFIX = "/model-lifecycle/models"


class ModelLifecycleModelsPlugin(AirflowPlugin):
    """Mounts the API, and puts the page into Airflow's navigation and beside the tasks of every DAG run.

    Both are one module that Airflow's own page loads, and one name: what it shows is told by where it stands.
    """

    name = "model_lifecycle_models"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The application; made when it is asked for."""
        from model_lifecycle.plugins.models_routes import application

        return [{"name": "model lifecycle: models", "app": application(), "url_prefix": PREFIX}]

    @cached_property
    def react_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The page, and the tab of a DAG run."""
        page = {"name": "Models", "bundle_url": f"{_path()}{PREFIX}/models.js"}
        return [
            {**page, "destination": "nav", "url_route": "models", "nav_top_level": True},
            {**page, "destination": "dag_run", "url_route": "run-models"},
        ]


def _path() -> str:
    """The path below which Airflow is served; before 3.3 a module is found by its whole path only."""
    from airflow.providers.common.compat.sdk import conf

    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
