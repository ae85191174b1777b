"""Wait for a version in the model registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_lifecycle.sensors.base import ModelSensor
from model_lifecycle.triggers.poll import VersionTrigger


class ModelVersionSensor(ModelSensor):
    """Wait until a model has a version that was not there before: newer, under an alias, or with tags.

    :param model_name: the registered model's name.
    :param alias: wait until this alias names a version newer than ``newer_than``.
    :param newer_than: only versions above this number count.
    :param tags: only versions with all these tags count.
    :param registry_conn_id: the connection of the registry.
    :returns: the model URI of the newest such version.
    """

    template_fields: Sequence[str] = ("model_name", "alias", "newer_than", "tags", "registry_conn_id")
    trigger_class = VersionTrigger

    def __init__(
        self,
        *,
        model_name: str,
        alias: str | None = None,
        newer_than: int | str = 0,
        tags: Mapping[str, str] | None = None,
        registry_conn_id: str = "mlflow_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_name = model_name
        self.alias = alias
        self.newer_than = newer_than
        self.tags = tags
        self.registry_conn_id = registry_conn_id

    def question(self) -> dict[str, Any]:
        """What to ask the registry."""
        return {
            "registry_conn_id": self.registry_conn_id,
            "model_name": self.model_name,
            "alias": self.alias,
            "newer_than": int(self.newer_than or 0),
            "tags": dict(self.tags or {}),
        }
