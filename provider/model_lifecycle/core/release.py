"""Releases and the ledger: what is written down about every attempt to change what an endpoint serves.

A ledger is a row of :class:`Entry` values numbered from 1 without gaps; each is written before the side effect it
announces, and the entry after it confirms that effect. The entry that opens a release carries its :class:`Plan`,
and the plan carries the :class:`Standing` before it, so the newest release alone tells the whole story.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from model_lifecycle.core.checks import Verdict
from model_lifecycle.core.errors import Corrupt
from model_lifecycle.core.models import CHAMPION, PREVIOUS
from model_lifecycle.core.plan import Change, Plan, Standing

SCHEMA = 1
SUPERSEDED = "superseded"
"""The mark of a release that was rolled back only because another one took its place: nothing was wrong with it."""


class State(StrEnum):
    """Where a release is; DESIGN section 5 draws the arrows."""

    PENDING = "PENDING"
    VALIDATING = "VALIDATING"
    SHADOW = "SHADOW"
    SHIFTING = "SHIFTING"
    BAKING = "BAKING"
    JUDGING = "JUDGING"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    PAUSED = "PAUSED"
    PROMOTING = "PROMOTING"
    SOAKING = "SOAKING"
    SUCCEEDED = "SUCCEEDED"
    ROLLING_BACK = "ROLLING_BACK"
    ROLLED_BACK = "ROLLED_BACK"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"
    REJECTED = "REJECTED"

    @property
    def terminal(self) -> bool:
        """Whether a release in this state is over."""
        return self in (State.SUCCEEDED, State.ROLLED_BACK, State.ROLLBACK_FAILED, State.REJECTED)


@dataclass(frozen=True)
class Entry:
    """One line of the ledger.

    :param release: ``<opening generation>-<key>``; equal in all entries of one release.
    :param opened: the generation of the entry that opened the release and holds its plan.
    :param step: the index of the traffic step, in states that have steps.
    :param mark: a side effect that has been confirmed within the state, such as ``"loaded"``.
    :param writer: the execution that wrote it; another execution that appends takes the release over.
    :param asked_by: the keys of the tasks that asked for a rollback of somebody else's release, joined by commas.
    :param actor: DAG, run, task, try and user, as far as known.
    :param evidence: JSON values: measurements, answers, traffic read back.
    """

    generation: int
    opened: int
    release: str
    state: State
    at: datetime
    writer: str
    reason: str = ""
    step: int | None = None
    mark: str | None = None
    asked_by: str = ""
    actor: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    plan: Plan | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values only; :meth:`from_json` reads them back."""
        return {
            "schema": SCHEMA,
            "generation": self.generation,
            "opened": self.opened,
            "release": self.release,
            "state": str(self.state),
            "at": self.at.isoformat(),
            "writer": self.writer,
            "reason": self.reason,
            "step": self.step,
            "mark": self.mark,
            "asked_by": self.asked_by,
            "actor": dict(self.actor),
            "evidence": dict(self.evidence),
            "plan": self.plan.to_dict() if self.plan else None,
        }

    def to_json(self) -> bytes:
        """The bytes that go into the ledger."""
        return json.dumps(self.to_dict(), indent=1, sort_keys=True, allow_nan=False).encode()

    def belongs_to(self, key: str) -> bool:
        """Whether the task with this key opened the release or asked for its rollback."""
        return key in (self.release.partition("-")[2], *self.asked_by.split(","))

    @classmethod
    def from_json(cls, data: bytes) -> Entry:
        """Read one entry.

        :raises Corrupt: if the bytes are not an entry of this schema.
        """
        try:
            value = json.loads(data)
            if value.pop("schema") != SCHEMA:
                raise ValueError(f"expected a ledger entry of schema {SCHEMA}")
            value["state"] = State(value["state"])
            value["at"] = datetime.fromisoformat(value["at"])
            value["plan"] = Plan.from_dict(value["plan"]) if value["plan"] else None
            return cls(**value)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Corrupt(f"not a ledger entry: {error}") from error


@dataclass(frozen=True)
class Release:
    """One release as its entries tell it, in order; the first holds the plan."""

    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        if not self.entries or self.entries[0].plan is None:
            raise Corrupt("a release must begin with the entry that holds its plan")
        if [entry.generation for entry in self.entries] != list(range(self.opened, self.generation + 1)):
            raise Corrupt(f"the entries of release {self.id} have a gap")

    @property
    def plan(self) -> Plan:
        """What it set out to do."""
        plan = self.entries[0].plan
        assert plan is not None  # noqa: S101 - proven in __post_init__
        return plan

    @property
    def last(self) -> Entry:
        """The newest entry."""
        return self.entries[-1]

    @property
    def id(self) -> str:
        """The release's name in the ledger."""
        return self.entries[0].release

    @property
    def opened(self) -> int:
        """The generation of its first entry."""
        return self.entries[0].generation

    @property
    def generation(self) -> int:
        """The generation of its newest entry."""
        return self.last.generation

    @property
    def state(self) -> State:
        """Where it is now."""
        return self.last.state

    @property
    def reason(self) -> str:
        """Why it is where it is: for what was rolled back, why that was begun; else the newest reason given."""
        begun = [entry.reason for entry in self.entries if entry.state is State.ROLLING_BACK and entry.reason]
        if self.plan.change is Change.ROLLBACK:
            begun = [self.entries[0].reason]
        if self.state in (State.ROLLING_BACK, State.ROLLED_BACK) and begun:
            return begun[0]
        return next((entry.reason for entry in reversed(self.entries) if entry.reason), "")

    @property
    def since(self) -> datetime:
        """When it came into its state."""
        return self._of_state()[0].at

    @property
    def step(self) -> int | None:
        """The index of the traffic step it is at, or None in a state without steps."""
        return self.last.step

    @property
    def verdict(self) -> Verdict | None:
        """What was decided when it came into its state, or None in a state that decides nothing."""
        decided = self._of_state()[0].evidence.get("verdict")
        return Verdict(decided) if decided else None

    @property
    def marks(self) -> frozenset[str]:
        """The side effects confirmed since it came into its state."""
        return frozenset(entry.mark for entry in self._of_state() if entry.mark)

    def _of_state(self) -> Sequence[Entry]:
        count = 0
        for entry in reversed(self.entries):
            if entry.state is not self.state:
                break
            count += 1
        return self.entries[-count:]

    @property
    def superseded(self) -> bool:
        """Whether it was rolled back only to make place for another one."""
        return any(entry.mark == SUPERSEDED for entry in self.entries)

    @property
    def standing(self) -> Standing:
        """The endpoint's standing as this release leaves it, or before it as long as it is not over."""
        plan = self.plan
        if plan.change is Change.PROMOTE:
            return plan.before
        if self.state is State.SUCCEEDED:
            return plan.before.succeeded(plan.target)
        if self.state is State.ROLLED_BACK:
            return plan.before.rolled_back(plan.restored, plan.abandons, quarantine=not self.superseded)
        return plan.before

    @property
    def traffic(self) -> Mapping[int, int] | None:
        """Per cent by version as this release left it, or None if it does not know."""
        plan = self.plan
        if self.state is State.SUCCEEDED and plan.change is Change.DEPLOY:
            return {plan.target.version: 100}
        if self.state is State.ROLLED_BACK:
            return plan.traffic_back
        return None if self.state is State.ROLLBACK_FAILED or not self.state.terminal else plan.traffic_before

    def to_dict(self) -> dict[str, Any]:
        """What an operator returns: JSON values for XCom and for people."""
        plan = self.plan
        return {
            "release": self.id,
            "endpoint": plan.endpoint,
            "change": str(plan.change),
            "state": str(self.state),
            "reason": self.reason,
            "version": plan.target.version,
            "digest": plan.target.digest,
            "abandons": plan.abandons if self.state is State.ROLLED_BACK else None,
            "fallback_version": plan.fallback.version if plan.fallback else None,
            "serving_version": self.standing.serving.version if self.standing.serving else None,
            "opened_at": self.entries[0].at.isoformat(),
            "closed_at": self.since.isoformat() if self.state.terminal else None,
            "generation": self.generation,
        }


def aliases_after(releases: Iterable[Release]) -> dict[str, int | None]:
    """What the aliases name, or None, after these releases of one endpoint, the newest first."""
    standing, abandoned, champion = None, [], None
    for release in releases:
        standing = standing or release.standing
        if release.state is State.ROLLED_BACK:
            abandoned.append(release.plan)
        if release.state is State.SUCCEEDED and release.plan.change is Change.PROMOTE:
            champion = release.plan.target.version
            break
    for plan in reversed(abandoned):
        if champion == plan.abandons:
            champion = plan.restored.version if plan.restored else None
    below = standing.below(standing.serving.version) if standing and standing.serving else None
    return {CHAMPION: champion, PREVIOUS: below.version if below else None}


def opening(plan: Plan, generation: int, at: datetime, writer: str, actor: Mapping[str, str], reason: str) -> Entry:
    """The entry that opens a release."""
    release = f"{generation:08d}-{plan.key}"
    return Entry(generation, generation, release, State.PENDING, at, writer, reason, actor=actor, plan=plan)


def following(
    last: Entry, state: State, at: datetime, writer: str, *, reason: str = "", mark: str | None = None, **more: Any
) -> Entry:
    """The entry after ``last`` in the same release."""
    return replace(
        last,
        generation=last.generation + 1,
        state=state,
        at=at,
        writer=writer,
        reason=reason,
        mark=mark,
        plan=None,
        evidence=more.get("evidence", {}),
        step=more.get("step", last.step if state is last.state else None),
        actor=more.get("actor", last.actor),
        asked_by=more.get("asked_by", last.asked_by),
    )
