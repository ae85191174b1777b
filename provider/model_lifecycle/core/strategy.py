"""How traffic moves to a new version: all at once, watched, step by step, or copied first. Pure values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.gate import ALPHA, Check, check_from
from model_lifecycle.core.query import Query

MARGIN = timedelta(hours=1)
"""What loading, proving and retries may take besides the strategy's own waits."""
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(minutes=1)
"""The bounds of the time between two looks where none is given."""


@dataclass(frozen=True)
class Terms:
    """What the state machine reads of a strategy; the ledger keeps it as JSON values, in seconds.

    :param steps: per cent of the traffic at each step before all of it.
    :param bake: seconds at each step. :param soak: seconds of watching after all traffic has moved.
    :param shadow: seconds of copied requests before any traffic moves, ``share`` per cent of them.
    :param interval: seconds between two looks.
    :param pause: seconds that an inconclusive step may go on before the release is rolled back.
    :param shadow_interval: the same two for the shadow.
    :param checks: what is asked at each look.
    :param metrics: the connection of the metric system that is asked, if any.
    """

    steps: tuple[int, ...] = ()
    bake: float = 0.0
    soak: float = 0.0
    shadow: float = 0.0
    share: int = 100
    interval: float = 15.0
    pause: float = 0.0
    shadow_interval: float = 15.0
    shadow_pause: float = 0.0
    checks: tuple[Check | Query, ...] = ()
    metrics: str | None = None

    @classmethod
    def of(cls, strategy: Mapping[str, Any]) -> Terms:
        """The terms of a plan's strategy."""
        known = {name: strategy[name] for name in cls.__dataclass_fields__ if name in strategy}
        checks = tuple(check_from(check) for check in known.pop("checks", ()))
        return cls(**{**known, "steps": tuple(known.get("steps", ())), "checks": checks})

    def in_shadow(self) -> Terms:
        """The terms while requests are only copied."""
        return replace(self, interval=self.shadow_interval, pause=self.shadow_pause)

    @property
    def alpha(self) -> float:
        """The share of healthy releases that the comparisons of a shadow, or those of all steps, may roll back."""
        return ALPHA / 2 if self.steps and self.shadow else ALPHA

    @property
    def queries(self) -> tuple[Query, ...]:
        """The checks that the metric system answers."""
        return tuple(check for check in self.checks if isinstance(check, Query))

    @property
    def gated(self) -> bool:
        """Whether checks decide whether it goes on."""
        return bool(self.steps) or self.shadow > 0


@dataclass(frozen=True)
class AllAtOnce:
    """All traffic moves in one atomic step, and the release is over when that is proven."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values for the ledger."""
        return {"name": "AllAtOnce", "steps": [], "soak": 0.0}

    @property
    def lasts(self) -> timedelta:
        """How long its own waits take at most."""
        return timedelta(0)


@dataclass(frozen=True)
class BlueGreen:
    """All traffic moves in one atomic step; then the new version is watched, with the old one kept loaded.

    :param soak: how long it is watched before the release succeeds; any failed look rolls back.
    :param interval: how often it is looked at.
    """

    soak: timedelta = timedelta(minutes=60)
    interval: timedelta = timedelta(seconds=15)

    def __post_init__(self) -> None:
        _not_negative(soak=self.soak)
        _positive(interval=self.interval)

    def to_dict(self) -> dict[str, Any]:
        """JSON values for the ledger."""
        soak, interval = self.soak.total_seconds(), self.interval.total_seconds()
        return {"name": "BlueGreen", "steps": [], "soak": soak, "interval": interval}

    @property
    def lasts(self) -> timedelta:
        """How long its own waits take at most."""
        return self.soak


@dataclass(frozen=True)
class Canary:
    """Traffic moves step by step; at each step the new version is judged against the one that serves the rest.

    :param steps: per cent of the traffic, rising, each below 100.
    :param bake: how long each step lasts at least.
    :param soak: how long the version is watched after it has all traffic, with the old one kept loaded.
    :param interval: how often it is looked at; a tenth of the bake by default, between a second and a minute.
    :param pause: how long a step without a clear verdict may go on before the release is rolled back.
    """

    steps: Sequence[int] = (5, 25, 50)
    bake: timedelta = timedelta(minutes=10)
    soak: timedelta = timedelta(minutes=60)
    interval: timedelta | None = None
    pause: timedelta = timedelta(hours=24)

    def __post_init__(self) -> None:
        steps = tuple(self.steps)
        if not steps or any(type(step) is not int or not 0 < step < 100 for step in steps):
            raise Invalid(f"canary steps {list(steps)} are not whole per cent above 0 and below 100")
        if list(steps) != sorted(set(steps)):
            raise Invalid(f"canary steps {list(steps)} do not rise")
        _positive(bake=self.bake, pause=self.pause, **({"interval": self.interval} if self.interval else {}))
        _not_negative(soak=self.soak)
        object.__setattr__(self, "steps", steps)

    def to_dict(self) -> dict[str, Any]:
        """JSON values for the ledger."""
        return {
            "name": "Canary",
            "steps": list(self.steps),
            "bake": self.bake.total_seconds(),
            "soak": self.soak.total_seconds(),
            "interval": (self.interval or _every(self.bake)).total_seconds(),
            "pause": self.pause.total_seconds(),
        }

    @property
    def lasts(self) -> timedelta:
        """How long its own waits take at most, with one pause."""
        return self.bake * len(self.steps) + self.soak + self.pause


@dataclass(frozen=True)
class Shadow:
    """The new version first gets copies of requests, and nobody gets its answers; then another strategy goes on.

    Copied requests must be safe to repeat. A fault or a delay of the copy never reaches a caller.

    :param duration: how long at least.
    :param share: per cent of the requests that are copied.
    :param then: how the traffic moves after it.
    :param interval: how often it is looked at; a tenth of the duration by default, between a second and a minute.
    :param pause: how long it may go on without a clear verdict before the release is rolled back.
    """

    duration: timedelta = timedelta(hours=1)
    share: int = 100
    then: AllAtOnce | BlueGreen | Canary = field(default_factory=AllAtOnce)
    interval: timedelta | None = None
    pause: timedelta = timedelta(hours=24)

    def __post_init__(self) -> None:
        _positive(duration=self.duration, pause=self.pause, **({"interval": self.interval} if self.interval else {}))
        if type(self.share) is not int or not 0 < self.share <= 100:
            raise Invalid(f"a shadow's share of {self.share} is not a whole per cent above 0")

    def to_dict(self) -> dict[str, Any]:
        """JSON values for the ledger."""
        then = self.then.to_dict()
        return {
            **then,
            "name": f"Shadow, then {then['name']}",
            "shadow": self.duration.total_seconds(),
            "share": self.share,
            "shadow_interval": (self.interval or _every(self.duration)).total_seconds(),
            "shadow_pause": self.pause.total_seconds(),
        }

    @property
    def lasts(self) -> timedelta:
        """How long its own waits take at most."""
        return self.duration + self.pause + self.then.lasts


Strategy = AllAtOnce | BlueGreen | Canary | Shadow
_KINDS: dict[str, Any] = {"allatonce": AllAtOnce, "bluegreen": BlueGreen, "canary": Canary, "shadow": Shadow}


def strategy_from(value: Any) -> Strategy:
    """A strategy from JSON values, as templates and forms give them: ``{"name": "Canary", "steps": [5, 25], ...}``.

    Times are seconds; numbers and lists may be written as text.

    :raises Invalid: if the name or a field is unknown, or a value is of another kind.
    """
    if isinstance(value, AllAtOnce | BlueGreen | Canary | Shadow):
        return value
    try:
        fields = dict(json.loads(value) if isinstance(value, str) else value)
        kind = _KINDS[str(fields.pop("name")).replace("_", "").replace("-", "").lower()]
        found: Strategy = kind(
            **{name: _field(name, one) for name, one in fields.items() if one not in (None, "", "None")}
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        hint = f'write {{"name": ...}} with one of {", ".join(k.__name__ for k in _KINDS.values())} and its fields'
        raise Invalid(f"{ascii(value)[:300]} is not a strategy: {error!r}", hint=hint) from error
    return found


def _field(name: str, value: Any) -> Any:
    if name == "then":
        return strategy_from(value)
    parsed = json.loads(value) if isinstance(value, str) else value
    if name == "steps":
        return [parsed] if isinstance(parsed, int) else parsed
    return parsed if name == "share" or isinstance(parsed, timedelta) else timedelta(seconds=float(parsed))


def _every(duration: timedelta) -> timedelta:
    return min(LONGEST, max(SHORTEST, duration / 10))


def _positive(**times: timedelta) -> None:
    for name, time in times.items():
        if time <= timedelta(0):
            raise Invalid(f"a {name} of {time} is not positive")


def _not_negative(**times: timedelta) -> None:
    for name, time in times.items():
        if time < timedelta(0):
            raise Invalid(f"a {name} of {time} is negative")
