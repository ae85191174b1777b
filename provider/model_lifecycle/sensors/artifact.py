"""Wait for an artifact in the model store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_lifecycle.sensors.base import ModelSensor
from model_lifecycle.triggers.poll import ArtifactTrigger


class ModelArtifactSensor(ModelSensor):
    """Wait until an artifact is published; a half-uploaded one never shows.

    :param artifact_uri: the artifact.
    :param store: URI of the model store it lies in.
    :returns: the artifact URI.
    """

    template_fields: Sequence[str] = ("artifact_uri", "store")
    trigger_class = ArtifactTrigger

    def __init__(self, *, artifact_uri: str, store: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.artifact_uri = artifact_uri
        self.store = store

    def question(self) -> dict[str, Any]:
        """What to ask the store."""
        return {"artifact_uri": self.artifact_uri, "store": self.store}
