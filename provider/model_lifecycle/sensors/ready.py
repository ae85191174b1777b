"""Wait until an endpoint serves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_lifecycle.core.models import ModelUri
from model_lifecycle.sensors.base import ModelSensor
from model_lifecycle.triggers.poll import ReadyTrigger


class ModelReadySensor(ModelSensor):
    """Wait until a version, or any version, is READY on an endpoint and has its share of the traffic.

    :param endpoint: ``<serving_conn_id>/<model>``.
    :param version: a version number or ``models:/<name>/<version>``; any version that has traffic by default.
    :param share: the least per cent of unversioned calls it must get.
    :returns: the endpoint, the version and the traffic.
    """

    template_fields: Sequence[str] = ("endpoint", "version")
    trigger_class = ReadyTrigger

    def __init__(self, *, endpoint: str, version: int | str | None = None, share: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.endpoint = endpoint
        self.version = version
        self.share = share

    def question(self) -> dict[str, Any]:
        """What to ask the server."""
        text = str(self.version or "")
        version = int(text) if text.isdigit() else ModelUri.parse(text).version if text else None
        return {"endpoint": self.endpoint, "version": version, "share": self.share}
