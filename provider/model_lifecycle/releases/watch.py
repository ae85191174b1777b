"""The watch over a release: what was counted since it came into its state, window by window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from model_lifecycle.core.checks import Measurement, Verdict, report
from model_lifecycle.core.counts import Counts
from model_lifecycle.core.gate import judge
from model_lifecycle.core.looks import Answer, Look, added_up, remembered
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.rollout import terms_of, verdict_of
from model_lifecycle.core.strategy import Terms

ALMOST = 0.9
"""The part of the interval after which a look is due: clocks and wake-ups are not exact."""


class Watch:
    """The looks of one state at one step; a new state begins a new watch.

    The counts at its beginning stand in the ledger, so a watch that died with its process is begun again from there
    and loses the borders of its windows, never a request.
    """

    def __init__(self, release: Release, counts: Mapping[int, Counts], looks: Sequence[Look] = ()) -> None:
        self.began = _began(release)
        self.counts, self.looks = dict(counts), list(looks)
        self.fault = ""

    @classmethod
    def of(cls, release: Release) -> Watch:
        """The watch that begins with what the ledger holds."""
        return cls(release, counts_at_start(release))

    def is_of(self, release: Release) -> bool:
        """Whether the release is still where this watch began."""
        return self.began == _began(release)

    def is_due(self, release: Release, now: datetime) -> bool:
        """Whether it is time for the next look; there is always one at the end of the state."""
        terms, since = terms_of(release), self.looks[-1].at if self.looks else release.since
        due = now >= since + timedelta(seconds=terms.interval * ALMOST)
        return due or (since < release.since + _lasts(release, terms) <= now)

    def look(
        self,
        release: Release,
        now: datetime,
        counts: Mapping[int, Counts],
        answers: Mapping[str, Answer] | None = None,
    ) -> None:
        """Add one window."""
        plan = release.plan
        target = plan.target.version
        beside = plan.fallback.version if plan.fallback and release.state is not State.SOAKING else None
        window = {v: found.since(self.counts.get(v, Counts())) for v, found in counts.items()}
        baseline = window.get(beside, Counts()) if beside is not None else None
        self.looks = remembered([*self.looks, Look(now, window.get(target, Counts()), baseline, answers or {})])
        self.counts, self.fault = dict(counts), ""

    def measure(self, release: Release, now: datetime) -> list[Measurement]:
        """What the checks say after the looks so far; an ERROR besides while the counts cannot be had (Law 6)."""
        terms = terms_of(release)
        if not terms.checks:
            return []
        end = release.state is State.PAUSED or now >= release.since + _lasts(release, terms)
        found = judge(terms.checks, self.looks, _earlier(release), alpha=terms.alpha, end=end)
        if self.fault:
            found.append(Measurement("counts", Verdict.ERROR, reason=self.fault))
        return found

    def evidence(self, release: Release, measured: Sequence[Measurement]) -> dict[str, Any]:
        """JSON values for the ledger: the verdict, what it rests on, and every window."""
        total = {"total": added_up(self.looks).to_dict()} if self.looks else {}
        looks = [look.to_dict() for look in self.looks]
        return {**report(measured), "verdict": str(verdict_of(release, measured)), "looks": looks, **total}

    def to_dict(self) -> dict[str, Any]:
        """JSON values only; :meth:`from_dict` reads them back."""
        counts = {str(version): found.to_dict() for version, found in self.counts.items()}
        return {"began": self.began, "counts": counts, "looks": [look.to_dict() for look in self.looks]}

    @classmethod
    def from_dict(cls, release: Release, value: Mapping[str, Any] | None) -> Watch:
        """Go on with what another process saw, or begin again if that was about another state."""
        if value is None or list(value["began"]) != _began(release):
            return cls.of(release)
        counts = {int(version): Counts.from_dict(found) for version, found in value["counts"].items()}
        return cls(release, counts, [Look.from_dict(look) for look in value["looks"]])


def counts_at_start(release: Release) -> dict[int, Counts]:
    """The counts when the present step began, as the ledger holds them; a pause goes on from its step's beginning."""
    for entry in reversed(release.entries):
        if "counts" in entry.evidence:
            return {int(version): Counts.from_dict(found) for version, found in entry.evidence["counts"].items()}
    return {}


def _began(release: Release) -> list[Any]:
    return [release.id, str(release.state), release.step, release.since.isoformat()]


def _lasts(release: Release, terms: Terms) -> timedelta:
    seconds = {State.SHADOW: terms.shadow, State.BAKING: terms.bake, State.SOAKING: terms.soak}
    return timedelta(seconds=seconds.get(release.state, terms.pause))


def _earlier(release: Release) -> list[Look]:
    """What each earlier step of the canary showed, added up."""
    totals = {
        entry.step: Look.from_dict(entry.evidence["total"])
        for entry in release.entries
        if entry.state is State.JUDGING and entry.step not in (None, release.step) and "total" in entry.evidence
    }
    return list(totals.values()) if release.step is not None else []
