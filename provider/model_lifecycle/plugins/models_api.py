"""The plugin of the Models page: ``/model-lifecycle/models``, a JSON API and the page that shows it.

Schedulers, workers and triggerers import plugins too; FastAPI and what the routes need are imported when the API
server asks for the application, and by nobody else (Law 13).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

PREFIX = "/model-lifecycle/models"


class ModelLifecycleModelsPlugin(AirflowPlugin):
    """Mounts the API, and puts the page into Airflow's navigation.

    The page is one module that Airflow's own page loads; its address has no slash before it, because Airflow may be
    served below a path.
    """

    name = "model_lifecycle_models"

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The application; made when it is asked for."""
        from model_lifecycle.plugins.models_routes import application

        return [{"name": "model lifecycle: models", "app": application(), "url_prefix": PREFIX}]

    @cached_property
    def react_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The page: a module that Airflow's own page loads."""
        return [
            {
                "name": "Models",
                "bundle_url": f"{PREFIX[1:]}/models.js",
                "destination": "nav",
                "url_route": "models",
                "nav_top_level": True,
            }
        ]
