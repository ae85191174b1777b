"""What a release sets out to do, and what is known of the endpoint when it opens. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

REMEMBERED = 20
"""How many good and how many quarantined versions a standing remembers."""


class Change(StrEnum):
    """What a release is for."""

    DEPLOY = "deploy"
    PROMOTE = "promote"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Served:
    """A version that serves or served: enough to bring it back without asking anybody."""

    version: int
    digest: str | None
    artifact_uri: str


@dataclass(frozen=True)
class Standing:
    """What is known of an endpoint between two releases.

    :param good: the versions that came through a release and were not rolled back, the newest last.
    :param quarantined: the versions that were rolled back; a schedule must not deploy them again.
    """

    good: tuple[Served, ...] = ()
    quarantined: tuple[int, ...] = ()

    @property
    def serving(self) -> Served | None:
        """What should serve now."""
        return self.good[-1] if self.good else None

    def below(self, version: int) -> Served | None:
        """The version a rollback from ``version`` would restore: the good one before it."""
        place = next((i for i, served in enumerate(self.good) if served.version == version), len(self.good))
        return self.good[place - 1] if place else None

    def succeeded(self, served: Served) -> Standing:
        """The standing after this version came through its release."""
        others = tuple(one for one in self.good if one.version != served.version)
        quarantined = tuple(one for one in self.quarantined if one != served.version)
        return Standing((*others, served)[-REMEMBERED:], quarantined)

    def rolled_back(self, restored: Served | None, abandoned: int, *, quarantine: bool = True) -> Standing:
        """The standing after traffic went back to ``restored`` and ``abandoned`` was left."""
        good = [one for one in self.good if one.version != abandoned]
        if restored is not None:
            place = [one.version for one in good].index(restored.version) if restored in good else len(good)
            good = [*good[:place], restored]
        others = tuple(one for one in self.quarantined if one != abandoned)
        quarantined = (*others, abandoned) if quarantine else self.quarantined
        return Standing(tuple(good[-REMEMBERED:]), quarantined[-REMEMBERED:])


@dataclass(frozen=True)
class Plan:
    """What a release sets out to do, fixed when it opens.

    :param key: tells who runs it; a retry of the same task has the same key and resumes its own release.
    :param target: the version that shall serve when the release has done what it set out to do.
    :param fallback: what serves again if a deploy is rolled back, or None if nothing served before.
    :param abandons: the version that a rollback leaves: of a deploy its target, of a rollback what served.
    :param traffic_before: per cent by version as observed before the first mutation.
    :param strategy: name and numbers of the strategy, as JSON values.
    :param deadline: when an unfinished release is to be given up and put back.
    :param before: the endpoint's standing when the release opened.
    """

    key: str
    change: Change
    endpoint: str
    target: Served
    fallback: Served | None
    abandons: int
    traffic_before: Mapping[int, int]
    strategy: Mapping[str, Any]
    deadline: datetime
    before: Standing

    @property
    def restored(self) -> Served | None:
        """What serves after a rollback."""
        return self.target if self.change is Change.ROLLBACK else self.fallback

    @property
    def traffic_back(self) -> Mapping[int, int]:
        """The traffic that a rollback sets: what was observed before, without what is abandoned."""
        if self.change is Change.DEPLOY and self.traffic_before and self.abandons not in self.traffic_before:
            return self.traffic_before
        return {self.restored.version: 100} if self.restored else {}

    def to_dict(self) -> dict[str, Any]:
        """JSON values only; :meth:`from_dict` reads them back."""
        return {
            "key": self.key,
            "change": str(self.change),
            "endpoint": self.endpoint,
            "target": vars(self.target),
            "fallback": vars(self.fallback) if self.fallback else None,
            "abandons": self.abandons,
            "traffic_before": {str(version): share for version, share in self.traffic_before.items()},
            "strategy": dict(self.strategy),
            "deadline": self.deadline.isoformat(),
            "before": {
                "good": [vars(served) for served in self.before.good],
                "quarantined": list(self.before.quarantined),
            },
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Plan:
        """Read what :meth:`to_dict` wrote.

        :raises KeyError: if a field is missing; TypeError or ValueError if one is of another kind.
        """
        before = value["before"]
        standing = Standing(tuple(Served(**one) for one in before["good"]), tuple(before["quarantined"]))
        return cls(
            key=value["key"],
            change=Change(value["change"]),
            endpoint=value["endpoint"],
            target=Served(**value["target"]),
            fallback=Served(**value["fallback"]) if value["fallback"] else None,
            abandons=value["abandons"],
            traffic_before={int(version): share for version, share in value["traffic_before"].items()},
            strategy=value["strategy"],
            deadline=datetime.fromisoformat(value["deadline"]),
            before=standing,
        )
