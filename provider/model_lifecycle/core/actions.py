"""What a release's driver sees and what it may be told to do. Pure values; each action is absolute and repeatable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from model_lifecycle.core.checks import Measurement
from model_lifecycle.core.plan import Served
from model_lifecycle.core.release import State


@dataclass(frozen=True)
class Observation:
    """What was read back from the outside world just now.

    :param ready: the versions that can serve.
    :param failed: why each version that could not be loaded failed.
    :param loading: the versions that are being loaded.
    :param traffic: per cent by version of unversioned calls.
    :param mirrored: per cent of the calls that are copied, by version.
    :param aliases: the registry's aliases of the model.
    :param measured: what the checks say about the requests so far, in the states that are watched.
    """

    ready: frozenset[int] = frozenset()
    failed: Mapping[int, str] = field(default_factory=dict)
    loading: frozenset[int] = frozenset()
    traffic: Mapping[int, int] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    mirrored: Mapping[int, int] = field(default_factory=dict)
    measured: Sequence[Measurement] = ()


@dataclass(frozen=True)
class Enter:
    """Write the next entry: a new state, at a step where it has one, or a mark within the present one."""

    state: State
    reason: str = ""
    mark: str | None = None
    step: int | None = None


@dataclass(frozen=True)
class Load:
    """Stage the version from its artifact and ask the server to load it; then write the mark."""

    served: Served


@dataclass(frozen=True)
class Smoke:
    """Ask the version itself, pinned; enter ``passed`` or ``failed``."""

    version: int
    passed: Enter
    failed: State


@dataclass(frozen=True)
class Route:
    """Set the traffic."""

    traffic: Mapping[int, int]


@dataclass(frozen=True)
class Mirror:
    """Set the share of requests that are copied to a version, or to none."""

    mirrored: Mapping[int, int]


@dataclass(frozen=True)
class Prove:
    """Ask as any caller does until every answer comes from the version; enter ``passed`` or ``failed``.

    ``passed`` is None for a look that only has to hold.
    """

    version: int
    passed: Enter | None
    failed: State


@dataclass(frozen=True)
class Align:
    """Set these aliases (None deletes) and read them back; ``previous`` before ``champion``."""

    aliases: Mapping[str, int | None]


@dataclass(frozen=True)
class Unload:
    """Retire a version that has no traffic."""

    version: int


@dataclass(frozen=True)
class Wait:
    """Look again at that time."""

    until: datetime


@dataclass(frozen=True)
class Done:
    """The release is over."""


Action = Enter | Load | Smoke | Route | Mirror | Prove | Align | Unload | Wait | Done
