"""The release state machine: ledger, observation and clock in, the next action out. Pure.

``PENDING -> VALIDATING -> PROMOTING -> SOAKING -> SUCCEEDED`` for a deploy; from every state that is not terminal
``-> ROLLING_BACK -> ROLLED_BACK | ROLLBACK_FAILED``; ``REJECTED`` if it ends before any traffic moved. A strategy
with steps passes SHIFTING, BAKING and JUDGING once for each step before PROMOTING. A rollback goes from PENDING
straight to ROLLING_BACK, a promotion from PENDING to PROMOTING and SUCCEEDED. Every action is absolute, so whoever
performs it may die at any point and another asks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.models import CHAMPION, PREVIOUS
from model_lifecycle.core.plan import Change, Plan, Served
from model_lifecycle.core.release import Release, State

LOOK_EVERY = timedelta(seconds=15)
"""How often a soaking version is looked at."""
LOAD_POLL = timedelta(seconds=1)
LOADED, PROVEN = "loaded", "proven"


@dataclass(frozen=True)
class AllAtOnce:
    """All traffic moves in one atomic step, and the release is over when that is proven."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values for the ledger."""
        return {"name": "AllAtOnce", "steps": [], "soak": 0.0}


@dataclass(frozen=True)
class BlueGreen:
    """All traffic moves in one atomic step; then the new version is watched, with the old one kept loaded.

    :param soak: how long it is watched before the release succeeds; any failed look rolls back.
    """

    soak: timedelta = timedelta(minutes=60)

    def __post_init__(self) -> None:
        if self.soak < timedelta(0):
            raise Invalid(f"a soak of {self.soak} is negative")

    def to_dict(self) -> dict[str, Any]:
        """JSON values for the ledger."""
        return {"name": "BlueGreen", "steps": [], "soak": self.soak.total_seconds()}


Strategy = AllAtOnce | BlueGreen


@dataclass(frozen=True)
class Observation:
    """What was read back from the outside world just now.

    :param ready: the versions that can serve.
    :param failed: why each version that could not be loaded failed.
    :param loading: the versions that are being loaded.
    :param traffic: per cent by version of unversioned calls.
    :param aliases: the registry's aliases of the model.
    """

    ready: frozenset[int] = frozenset()
    failed: Mapping[int, str] = field(default_factory=dict)
    loading: frozenset[int] = frozenset()
    traffic: Mapping[int, int] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Enter:
    """Write the next entry: a new state, or a mark within the present one."""

    state: State
    reason: str = ""
    mark: str | None = None


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


Action = Enter | Load | Smoke | Route | Prove | Align | Unload | Wait | Done


def next_action(release: Release, seen: Observation, now: datetime) -> Action:
    """What to do next; asked again after every action, with the world observed afresh."""
    if release.state.terminal:
        return Done()
    if release.state is State.ROLLING_BACK:
        return _roll_back(release, seen, now)
    if release.plan.change is Change.ROLLBACK:
        return Enter(State.ROLLING_BACK)  # however late: what was asked for is the safe state
    if now >= release.plan.deadline:
        return _give_up(release, f"not finished by its deadline {release.plan.deadline.isoformat()}")
    if release.plan.change is Change.PROMOTE:
        return _promote(release, seen)
    steps = {State.PENDING: _pending, State.VALIDATING: _validate, State.PROMOTING: _shift, State.SOAKING: _soak}
    return steps[release.state](release, seen, now)


def _give_up(release: Release, reason: str) -> Enter:
    moved = release.state not in (State.PENDING, State.VALIDATING, State.SHADOW)
    return Enter(State.ROLLING_BACK if moved and release.plan.change is Change.DEPLOY else State.REJECTED, reason)


def _pending(release: Release, seen: Observation, now: datetime) -> Action:
    return Enter(State.VALIDATING)


def _validate(release: Release, seen: Observation, now: datetime) -> Action:
    target = release.plan.target
    loading = _load(release, seen, now, target)
    if loading is not None:
        return loading
    if target.version in seen.failed:
        return Enter(State.REJECTED, f"version {target.version} cannot be loaded: {seen.failed[target.version]}")
    return Smoke(target.version, Enter(State.PROMOTING, "loaded and answering"), State.REJECTED)


def _load(release: Release, seen: Observation, now: datetime, served: Served) -> Action | None:
    """The way to READY, or None when the version is READY or has failed after it was asked to load."""
    if served.version in seen.ready and (LOADED in release.marks or release.state is State.ROLLING_BACK):
        return None
    if served.version in seen.loading:
        return Wait(now + LOAD_POLL)
    if LOADED in release.marks and served.version in seen.failed:
        return None
    return Load(served)


def _shift(release: Release, seen: Observation, now: datetime) -> Action:
    version = release.plan.target.version
    if version not in seen.ready:
        return Enter(State.ROLLING_BACK, f"version {version} is no longer ready")
    if seen.traffic != {version: 100}:
        return Route({version: 100})
    return Prove(version, Enter(State.SOAKING, "unversioned requests are answered by it"), State.ROLLING_BACK)


def _soak(release: Release, seen: Observation, now: datetime) -> Action:
    plan, version = release.plan, release.plan.target.version
    if version not in seen.ready:
        return Enter(State.ROLLING_BACK, f"version {version} is no longer ready")
    if seen.traffic != {version: 100}:
        return Route({version: 100})
    aliases = _misaligned(seen, {PREVIOUS: plan.fallback.version if plan.fallback else None})
    if aliases:
        return Align(aliases)
    end = release.since + timedelta(seconds=float(plan.strategy["soak"]))
    if now < end:
        return Prove(version, None, State.ROLLING_BACK)
    keep = {version} | ({plan.fallback.version} if plan.fallback else set())
    retired = sorted((seen.ready | seen.loading | set(seen.failed)) - keep)
    return Unload(retired[0]) if retired else Enter(State.SUCCEEDED, "proven to serve")


def pause_after_look(release: Release, now: datetime) -> Wait:
    """When to look again while a version soaks."""
    end = release.since + timedelta(seconds=float(release.plan.strategy["soak"]))
    return Wait(min(end, now + LOOK_EVERY))


def _promote(release: Release, seen: Observation) -> Action:
    plan, version = release.plan, release.plan.target.version
    if seen.traffic != {version: 100}:
        return Enter(State.REJECTED, f"the endpoint's traffic is {dict(seen.traffic)}, not version {version}")
    if release.state is State.PENDING:
        return Enter(State.PROMOTING)
    wanted = {PREVIOUS: plan.fallback.version if plan.fallback else None, CHAMPION: version}
    aliases = _misaligned(seen, wanted)
    return Align(aliases) if aliases else Enter(State.SUCCEEDED, f"{CHAMPION} is version {version}")


def _roll_back(release: Release, seen: Observation, now: datetime) -> Action:
    restored = release.plan.restored
    if restored is not None:
        loading = _load(release, seen, now, restored)
        if loading is not None:
            return loading
        if restored.version in seen.failed:
            reason = f"version {restored.version} cannot be loaded again: {seen.failed[restored.version]}"
            return Enter(State.ROLLBACK_FAILED, reason)
    return _put_back(release, seen)


def _put_back(release: Release, seen: Observation) -> Action:
    plan = release.plan
    if seen.traffic != plan.traffic_back:
        return Route(plan.traffic_back)
    if plan.restored and plan.traffic_back == {plan.restored.version: 100} and PROVEN not in release.marks:
        proven = Enter(State.ROLLING_BACK, "unversioned requests are answered by it again", PROVEN)
        return Prove(plan.restored.version, proven, State.ROLLBACK_FAILED)
    aliases = _misaligned(seen, _aliases_back(plan, seen))
    if aliases:
        return Align(aliases)
    if plan.abandons in seen.ready | seen.loading:
        return Unload(plan.abandons)
    return Enter(State.ROLLED_BACK)


def _aliases_back(plan: Plan, seen: Observation) -> dict[str, int | None]:
    """After a rollback no alias names what was abandoned, and ``previous`` names the next way back (Law 7)."""
    standing = plan.before.rolled_back(plan.restored, plan.abandons)
    below = standing.below(plan.restored.version) if plan.restored else None
    wanted: dict[str, int | None] = {PREVIOUS: below.version if below else None}
    if seen.aliases.get(CHAMPION) == plan.abandons:
        wanted[CHAMPION] = plan.restored.version if plan.restored else None
    return wanted


def _misaligned(seen: Observation, wanted: Mapping[str, int | None]) -> dict[str, int | None]:
    return {alias: version for alias, version in wanted.items() if seen.aliases.get(alias) != version}
