"""Triggers that ask one read-only question until it is answered, then yield one event (Law 8).

Their arguments are plain JSON without secrets: a connection's id, never the connection. A question may be asked
twice or by two triggerers at once; nothing outside is changed by asking, so nothing has to be cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from model_lifecycle.core.errors import NotFound, Rejected, Unavailable
from model_lifecycle.core.models import Endpoint, ModelUri, ModelVersion
from model_lifecycle.hooks.registry import ModelRegistryHook, registry_hook
from model_lifecycle.hooks.serving import VersionState, serving_hook
from model_lifecycle.hooks.store import open_store
from model_lifecycle.triggers.threads import ask_aside

FOUND, REFUSED = "found", "refused"


class PollTrigger(BaseTrigger):
    """Asks :meth:`ask` every ``poll_interval`` seconds until it answers something other than None.

    The event is ``{"status": "found", "answer": ...}``, or ``{"status": "refused", "message": ...}`` if the question
    can never be answered. A system that is away is asked again; the sensor's time-out bounds the wait.
    """

    ask: ClassVar[Callable[..., Any]]
    """The question: answers in JSON values, or None for "not yet"; read-only."""
    asked: ClassVar[str] = ""
    """The argument that names the system that is asked."""

    def __init__(self, poll_interval: float, **question: Any) -> None:
        super().__init__()
        self.poll_interval = poll_interval
        self.question = question

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as they go into Airflow's database."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {"poll_interval": self.poll_interval, **self.question}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until answered."""
        while True:
            # Airflow 3.3 may take a task for failed whose event comes in the same second in which it was deferred.
            await asyncio.sleep(min(1.0, self.poll_interval))
            event = await self._event()
            if event is not None:
                yield TriggerEvent(event)
                return
            await asyncio.sleep(self.poll_interval)

    async def _event(self) -> dict[str, Any] | None:
        try:
            answer = await ask_aside(str(self.question.get(self.asked, "")), self.ask, **self.question)
        except Unavailable as error:
            self.log.warning("Asking again in %s s: %s", self.poll_interval, error)
            return None
        except Rejected as error:
            return {"status": REFUSED, "message": str(error)}
        return None if answer is None else {"status": FOUND, "answer": answer}


def ask_version(
    *, registry_conn_id: str, model_name: str, alias: str | None, newer_than: int, tags: Mapping[str, str]
) -> str | None:
    """The model URI of the newest version with these tags and above that number, under the alias if one is given."""
    registry = registry_hook(registry_conn_id)
    found = _aliased(registry, model_name, alias) if alias else registry.search(model_name, tags)
    fresh = [v for v in found if v.version > newer_than and tags.items() <= v.tags.items()]
    return max(fresh, key=lambda v: v.version).uri if fresh else None


def _aliased(registry: ModelRegistryHook, model_name: str, alias: str) -> list[ModelVersion]:
    try:
        return [registry.get(ModelUri(model_name, alias=alias))]
    except NotFound:
        return []


def ask_artifact(*, store: str, artifact_uri: str) -> str | None:
    """The artifact's URI once it is published."""
    return artifact_uri if open_store(store).exists(artifact_uri) else None


def ask_ready(*, endpoint: str, version: int | None, share: int) -> dict[str, Any] | None:
    """The traffic once the version, or any, is READY and has its share of it."""
    name = Endpoint.parse(endpoint)
    serving = serving_hook(name.conn_id)
    traffic, states = serving.traffic(name.model), serving.versions(name.model)
    wanted = [version] if version is not None else list(traffic)
    ready = [one for one in wanted if states.get(one) is VersionState.READY and traffic.get(one, 0) >= share]
    if not ready:
        return None
    return {"endpoint": endpoint, "version": ready[0], "traffic": {str(v): per_cent for v, per_cent in traffic.items()}}


class VersionTrigger(PollTrigger):
    """Waits for a version in the registry; see :class:`model_lifecycle.sensors.version.ModelVersionSensor`."""

    ask = staticmethod(ask_version)
    asked = "registry_conn_id"


class ArtifactTrigger(PollTrigger):
    """Waits for an artifact in the store; see :class:`model_lifecycle.sensors.artifact.ModelArtifactSensor`."""

    ask = staticmethod(ask_artifact)
    asked = "store"


class ReadyTrigger(PollTrigger):
    """Waits until a version serves; see :class:`model_lifecycle.sensors.ready.ModelReadySensor`."""

    ask = staticmethod(ask_ready)
    asked = "endpoint"
