"""Watching the registry and the store: what starts DAGs when something changes, also outside of Airflow.

A watcher compares what it finds at a poll with what it has seen. What it has seen lies in Airflow's store of asset
state, and is written there only after Airflow has stored the events that tell of it: a triggerer may be killed at any
moment, and what it had not told is told by the next one; what it did not yet know to be stored is told again, with the
same key (:func:`~model_lifecycle.assets.events.new_events`). Before Airflow 3.3 it lies in a Variable.
"""

from __future__ import annotations

import asyncio
import json
import logging
from abc import abstractmethod
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from model_lifecycle.core.errors import ModelLifecycleError
from model_lifecycle.core.models import ModelUri
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.registry import ModelState, registry_hook
from model_lifecycle.hooks.store import open_store
from model_lifecycle.triggers.seen import Seen
from model_lifecycle.triggers.threads import ask_aside

if TYPE_CHECKING:
    from airflow.triggers.shared_stream import SharedStreamProducer

log = logging.getLogger(__name__)

POLL = 30.0
"""Seconds between two polls by default."""
FIRST = 1.0
"""Seconds before the first poll at most, in which all watchers of a triggerer that starts find each other."""


@dataclass
class Look:
    """What one poll found, for all who share it.

    :param told: set once Airflow has stored every event that tells of it.
    """

    found: Any
    told: asyncio.Event = field(default_factory=asyncio.Event)


class Watcher(BaseEventTrigger):
    """Base of the watchers: one poll for all that ask the same; what each has seen is its own.

    A system that does not answer is asked again at the next poll. What is there already when a watcher is started for
    the first time is not told.

    :param poll_interval: seconds between two polls.
    """

    def __init__(self, *, poll_interval: float = POLL) -> None:
        super().__init__()
        self.poll_interval = poll_interval

    @abstractmethod
    def names(self) -> dict[str, Any]:
        """The arguments besides the interval: JSON values, a connection's id and never a secret."""

    @abstractmethod
    def asked(self) -> Hashable:
        """What the poll depends on; watchers for which it is equal share the poll."""

    @classmethod
    def system(cls, names: Mapping[str, Any]) -> str:
        """What is asked: the URI of a store, or the id of a connection."""
        return str(names.get("store") or names.get("registry_conn_id"))

    @classmethod
    @abstractmethod
    def ask(cls, names: Mapping[str, Any]) -> Any:
        """Ask once, in a thread; only what :meth:`asked` holds may be used of the names."""

    @abstractmethod
    def pick(self, found: Any) -> Any:
        """What of a poll's answer is this watcher's, as a JSON value that is equal as long as nothing has changed."""

    @abstractmethod
    def changes(self, seen: Any, found: Any) -> list[dict[str, Any]]:
        """What has happened between two picks, one event each, in a thread."""

    @abstractmethod
    def fact(self, event: Mapping[str, Any]) -> str:
        """What tells an event from the others, and is equal whenever and of whomever it is asked."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as they go into Airflow's database."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {**self.names(), "poll_interval": self.poll_interval}

    def shared_stream_key(self) -> Hashable:
        """Which watchers share one poll (Airflow 3.3; before, each has its own)."""
        return (type(self).__qualname__, self.poll_interval, self.asked())

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Look]:
        """Poll for ever; where nobody confirms what was told, it is by the next poll."""
        last: Look | None = None
        async for look in cls.looks(kwargs):
            if last is not None:
                last.told.set()
            yield look
            last = look

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Poll for ever, with Airflow's word for what it has stored (Airflow 3.3)."""
        from model_lifecycle.triggers.looks import Looks

        return Looks(cls.looks(kwargs))

    @classmethod
    async def looks(cls, kwargs: dict[str, Any]) -> AsyncIterator[Look]:
        """One look after each pause; none when the system does not answer."""
        pause = float(kwargs.get("poll_interval", POLL))
        await asyncio.sleep(min(FIRST, pause))
        while True:
            try:
                yield Look(await ask_aside(cls.system(kwargs), cls.ask, kwargs))
            except ModelLifecycleError as error:
                log.warning("%s looks again in %s s: %s", cls.__name__, pause, error)
            await asyncio.sleep(pause)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch alone, where watchers cannot share their polls."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Look]) -> AsyncIterator[TriggerEvent]:
        """Tell what has changed since the last look."""
        memory = Seen(getattr(self, "asset_state_store", None), self._key())
        try:
            seen = await memory.read()
            async for look in shared_stream:
                found = self.pick(look.found)
                if seen is None:
                    await memory.write(found)
                elif found != seen:
                    events = await self._changes(seen, found)
                    if events is None:
                        continue
                    for event in events:
                        yield TriggerEvent({**event, "key": memory.name(self.fact(event))})
                    memory.write_after(look.told, found)
                seen = found
        finally:
            memory.close()

    async def _changes(self, seen: Any, found: Any) -> list[dict[str, Any]] | None:
        try:
            return await ask_aside(self.system(self.names()), self.changes, seen, found)
        except ModelLifecycleError as error:
            self.log.warning("Telling of it at the next poll: %s", error)
            return None

    def _key(self) -> str:
        path, names = self.serialize()
        names.pop("poll_interval")
        return "model_lifecycle.seen." + sha256(f"{path} {json.dumps(names, sort_keys=True)}".encode()).hexdigest()[:24]


class ModelVersionWatcher(Watcher):
    """Tells when a version of a model appears, an alias of it moves, or a version of it gets tags.

    Its event's payload: ``{"event": "version", "key", "model", "version", "model_uri", "digest"}``, or the same with
    ``"event": "tag"`` and ``tags``, or ``{"event": "alias", "key", "model", "alias", "version", "from"}``, where a
    version is None for an alias that is not there.

    One request to the registry serves all watchers of versions and aliases of one connection and interval, and one
    more all watchers of the same tags. A change is looked up at the model itself once it is seen. An alias that moves
    and comes back between two polls is not noticed.

    :param model_name: the registered model's name.
    :param alias: watch this alias instead of the versions.
    :param tags: watch for versions that get all these tags instead, whether old or new.
    :param registry_conn_id: the connection of the registry.
    :raises Invalid: if a name is not allowed.
    """

    def __init__(
        self,
        model_name: str,
        *,
        alias: str | None = None,
        tags: Mapping[str, str] | None = None,
        registry_conn_id: str = "mlflow_default",
        poll_interval: float = POLL,
    ) -> None:
        super().__init__(poll_interval=poll_interval)
        if alias is not None and tags:
            raise ValueError("an alias or tags: use two watchers to watch both")
        self.model_name = check_name(model_name, "model name")
        self.alias = check_name(alias, "alias") if alias is not None else None
        self.tags = dict(tags or {})
        self.registry_conn_id = registry_conn_id

    def names(self) -> dict[str, Any]:
        """The arguments besides the interval."""
        return {
            "model_name": self.model_name,
            "alias": self.alias,
            "tags": self.tags,
            "registry_conn_id": self.registry_conn_id,
        }

    def asked(self) -> Hashable:
        """The registry, and the tags that are searched for."""
        return (self.registry_conn_id, tuple(sorted(self.tags.items())))

    @classmethod
    def ask(cls, names: Mapping[str, Any]) -> Any:
        """All models of the registry, or all versions with these tags."""
        registry, tags = registry_hook(names["registry_conn_id"]), names.get("tags")
        return registry.tagged(tags) if tags else registry.survey()

    def pick(self, found: Any) -> Any:
        """The versions with the tags, what the alias names (0: nothing), or the newest version's number."""
        if self.tags:
            return list(found.get(self.model_name, ()))
        state = found.get(self.model_name, ModelState(0))
        return state.aliases.get(self.alias, 0) if self.alias else state.newest

    def changes(self, seen: Any, found: Any) -> list[dict[str, Any]]:
        """The move of the alias, or each version that is new."""
        if self.alias:
            move = {"version": found or None, "from": seen or None}
            return [{"event": "alias", "model": self.model_name, "alias": self.alias, **move}]
        if self.tags:
            fresh = sorted(set(found) - set(seen))
            return [{**row, "event": "tag", "tags": self.tags} for row in self._versions(fresh)] if fresh else []
        return self._versions(range(seen + 1, found + 1)) if found > seen else []

    def fact(self, event: Mapping[str, Any]) -> str:
        """The version; of an alias, the move."""
        return f"{event.get('from')} {event['version']}"

    def _versions(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        rows = registry_hook(self.registry_conn_id).search(self.model_name)
        return [
            {
                "event": "version",
                "model": row.name,
                "version": row.version,
                "model_uri": str(ModelUri(row.name, row.version)),
                "digest": row.digest,
            }
            for row in sorted(rows, key=lambda one: one.version)
            if row.version in numbers
        ]


class ModelArtifactWatcher(Watcher):
    """Tells when an artifact of a model is published in the model store; one that is half uploaded never shows.

    Its event's payload: ``{"event": "artifact", "key", "model", "artifact_uri"}``. A poll lists one folder.

    :param model_name: the model's name.
    :param store: URI of the model store.
    :raises Invalid: if the name is not allowed.
    """

    def __init__(self, model_name: str, *, store: str, poll_interval: float = POLL) -> None:
        super().__init__(poll_interval=poll_interval)
        self.model_name = check_name(model_name, "model name")
        self.store = store

    def names(self) -> dict[str, Any]:
        """The arguments besides the interval."""
        return {"model_name": self.model_name, "store": self.store}

    def asked(self) -> Hashable:
        """The store and the model."""
        return (self.store, self.model_name)

    @classmethod
    def ask(cls, names: Mapping[str, Any]) -> Any:
        """The model's artifacts."""
        return sorted(open_store(names["store"]).list(names["model_name"]))

    def pick(self, found: Any) -> Any:
        """All of them, without what differs by the host that was asked: the last part names an artifact."""
        return {uri.rpartition("/")[2]: uri for uri in found}

    def changes(self, seen: Any, found: Any) -> list[dict[str, Any]]:
        """Each artifact that is new."""
        fresh = sorted(found.keys() - seen.keys())
        return [{"event": "artifact", "model": self.model_name, "artifact_uri": found[name]} for name in fresh]

    def fact(self, event: Mapping[str, Any]) -> str:
        """The artifact's own name, without the host that was asked."""
        return str(event["artifact_uri"]).rpartition("/")[2]
