"""Buttons on a task's page in the Airflow UI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from model_lifecycle.core.models import ModelVersion
    from model_lifecycle.hooks.registry import ModelRegistryHook

MODEL_VERSION_URL = "model_version_url"
"""The XCom key under which an operator leaves the address of the version it worked on."""


class ModelVersionLink(BaseOperatorLink):
    """From a task to the version in MLflow's UI.

    An operator that lists it in ``operator_extra_links`` calls :func:`publish_version_link`; Airflow asks this
    class once, in the worker and right after the task, and keeps the answer. No address, no button.
    """

    @property
    def name(self) -> str:
        """The button's text."""
        return "MLflow version"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address that the task pushed, or an empty string."""
        from airflow.sdk.execution_time.xcom import XCom

        url = XCom.get_value(ti_key=ti_key, key=MODEL_VERSION_URL)
        return url if isinstance(url, str) else ""


def publish_version_link(context: Context, registry: ModelRegistryHook, version: ModelVersion) -> None:
    """Leave the address of a version for :class:`ModelVersionLink`, if the registry has pages."""
    url = registry.version_url(version.name, version.version)
    if url:
        context["ti"].xcom_push(key=MODEL_VERSION_URL, value=url)
