"""Buttons on a task's page in the Airflow UI: to the version in MLflow, to its endpoint, to a dashboard.

Airflow asks for the addresses once, in the worker and right after the task, and keeps them. No address, no button.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow.providers.common.compat.sdk import conf
from airflow.sdk import BaseOperatorLink

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.models import Endpoint, ModelUri
from model_lifecycle.hooks.metrics import metrics_connection, metrics_hook

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class ModelVersionLink(BaseOperatorLink):
    """From a task to the version in MLflow's UI: the one that it returned or found, or else the one that it names."""

    @property
    def name(self) -> str:
        """The button's text."""
        return "MLflow version"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address that the registry gives, or an empty string if no version is known or it has no pages."""
        named = version_of(operator)
        if named is None or named.version is None:
            return ""
        return operator.model_registry().version_url(named.name, named.version) or ""  # type: ignore[attr-defined]


class EndpointLink(BaseOperatorLink):
    """From a task to its endpoint on the Models page: what serves there, and every release."""

    @property
    def name(self) -> str:
        """The button's text."""
        return "Endpoint"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address below ``[api] base_url``, or an empty string for a task that has no endpoint."""
        endpoint = endpoint_of(operator)
        base = str(conf.get("api", "base_url", fallback="http://localhost:8080")).rstrip("/")
        return f"{base}/plugin/models?{urlencode({'endpoint': str(endpoint)})}" if endpoint else ""


class DashboardLink(BaseOperatorLink):
    """From a task to the dashboard of its endpoint, in the Grafana that the connection of the metric system names."""

    @property
    def name(self) -> str:
        """The button's text."""
        return "Dashboard"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address, or an empty string where there is no endpoint, no metric system, or no Grafana."""
        endpoint, conn_id = endpoint_of(operator), metrics_connection(getattr(operator, "metrics_conn_id", None))
        if endpoint is None or conn_id is None:
            return ""
        board = operator.dashboard  # type: ignore[attr-defined]
        return metrics_hook(conn_id).board_url(board, endpoint=str(endpoint), model=endpoint.model) or ""


def version_of(operator: Any) -> ModelUri | None:
    """The version that a task has worked on, as far as its result and its arguments tell."""
    result, endpoint = operator._result, endpoint_of(operator)
    named = _model_uri(getattr(operator, "model_uri", None))
    model = endpoint.model if endpoint else named.name if named else None
    if isinstance(result, Mapping):
        if isinstance(result.get("version"), int) and model:
            return ModelUri(model, version=result["version"])
        result = result.get("candidate")
    return _model_uri(result) or named


def endpoint_of(operator: Any) -> Endpoint | None:
    """The endpoint that a task is about: its own argument, or its model on its serving connection."""
    named, conn_id = getattr(operator, "endpoint", None), getattr(operator, "serving_conn_id", None)
    uri = _model_uri(getattr(operator, "model_uri", None))
    if not named and conn_id and uri:
        named = f"{conn_id}/{uri.name}"
    try:
        return Endpoint.parse(named) if named else None
    except Invalid:
        return None


def _model_uri(text: Any) -> ModelUri | None:
    try:
        return ModelUri.parse(text) if isinstance(text, str) else None
    except Invalid:
        return None
