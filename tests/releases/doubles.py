"""A whole world in memory for histories of releases: doubles of store, server, router, registry and clock.

Every call into it is a point at which its caller may lose the processor to somebody else, or be killed, before or
after the effect. Nothing here decides anything: the operators and the driver are the real ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from model_lifecycle.core.counts import Counts
from model_lifecycle.core.errors import Conflict, NotFound
from model_lifecycle.core.models import ModelUri, ModelVersion
from model_lifecycle.hooks.serving import Answer, VersionState

START = datetime(2013, 2, 1, tzinfo=UTC)
EXAMPLE = json.dumps({"columns": ["x"], "data": [[1.0]]}).encode()


@dataclass
class World:
    """What every execution sees alike.

    :param pause: called before and after each effect.
    :param sick: versions whose every request fails once they have traffic.
    :param unloadable: versions that cannot be loaded.
    """

    pause: Callable[[], None] = lambda: None
    now: datetime = START
    entries: dict[int, bytes] = field(default_factory=dict)
    ready: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    shares: dict[int, int] = field(default_factory=dict)
    copies: dict[int, int] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    asked: dict[int, Counts] = field(default_factory=dict)
    sick: set[int] = field(default_factory=set)
    unloadable: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Time passes, and callers ask."""
        self.pause()
        self.now += timedelta(seconds=max(seconds, 0.001))
        for version, share in {**self.copies, **self.shares}.items():
            requests = int(share * seconds)
            failed = requests if version in self.sick else 0
            self.asked[version] = self.asked.get(version, Counts()) + Counts(requests, failed, 0, {0.01: requests})
            if share and version not in self.ready:
                self.faults.append(f"callers were sent to version {version}, which cannot serve")
        self.pause()


class MemoryStore:
    """A double of a model store: the ledger, and one example for every artifact."""

    uri = "memory:///"

    def __init__(self, world: World) -> None:
        self.world = world

    def generations(self, log: str) -> list[int]:
        self.world.pause()
        return sorted(self.world.entries)

    def append_exclusive(self, log: str, generation: int, data: bytes) -> None:
        self.world.pause()
        if generation in self.world.entries:
            raise Conflict(f"generation {generation} exists")
        self.world.entries[generation] = data
        self.world.pause()

    def read_entry(self, log: str, generation: int) -> bytes:
        return self.world.entries[generation]

    def read_file(self, artifact_uri: str, path: str, limit: int = 0) -> bytes:
        if path != "input_example.json":
            raise NotFound(f"no {path}")
        return EXAMPLE


class MemoryServing:
    """A double of a serving system behind a router."""

    hook_name = "a double"
    can_split = can_mirror = counts_requests = True
    serves_first = False

    def __init__(self, world: World) -> None:
        self.world = world

    def stage(self, *_: Any) -> None:
        self.world.pause()

    def load(self, model: str, version: int) -> None:
        self.world.pause()
        (self.world.failed if version in self.world.unloadable else self.world.ready).add(version)
        self.world.pause()

    def unload(self, model: str, version: int) -> None:
        self.world.pause()
        if version in {**self.world.shares, **self.world.copies}:
            raise Conflict("it has traffic")
        self.world.ready.discard(version)
        self.world.failed.discard(version)
        self.world.pause()

    def versions(self, model: str) -> dict[int, VersionState]:
        self.world.pause()
        ready = dict.fromkeys(self.world.ready, VersionState.READY)
        return {**dict.fromkeys(self.world.failed, VersionState.FAILED), **ready}

    def failure(self, model: str, version: int) -> str:
        return "it cannot be loaded"

    def predict(self, model: str, inputs: Any, version: int | None = None) -> Answer:
        asked = version or next(iter(self.world.shares), None)
        if asked not in self.world.ready:
            raise NotFound("nothing answers")
        return Answer(asked, {"y": [1.0]})

    def traffic(self, model: str) -> dict[int, int]:
        self.world.pause()
        return dict(self.world.shares)

    def route(self, model: str, traffic: Mapping[int, int]) -> None:
        self.world.pause()
        if not set(traffic) <= self.world.ready:
            raise Conflict("not ready")
        self.world.shares = dict(traffic)
        self.world.pause()

    def mirrored(self, model: str) -> dict[int, int]:
        return dict(self.world.copies)

    def mirror(self, model: str, mirrored: Mapping[int, int]) -> None:
        self.world.pause()
        if not set(mirrored) <= self.world.ready:
            raise Conflict("not ready")
        self.world.copies = dict(mirrored)
        self.world.pause()

    def counts(self, model: str) -> dict[int, Counts]:
        return dict(self.world.asked)


class MemoryRegistry:
    """A double of a model registry in which every version exists."""

    def __init__(self, world: World) -> None:
        self.world = world

    def get(self, uri: ModelUri) -> ModelVersion:
        version = uri.version or self.world.aliases.get(uri.alias or "")
        if version is None:
            raise NotFound(f"no alias {uri.alias}")
        return ModelVersion(uri.name, version, f"memory:///{version}", digest=f"{version:064x}")

    def set_alias(self, model: str, alias: str, version: int) -> None:
        self.world.pause()
        self.world.aliases[alias] = version
        self.world.pause()

    def delete_alias(self, model: str, alias: str) -> None:
        self.world.pause()
        self.world.aliases.pop(alias, None)
        self.world.pause()
