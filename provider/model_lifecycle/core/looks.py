"""Looks: what was seen of two versions in one window of time. Pure values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any

from model_lifecycle.core.counts import Counts

KEPT = 60
"""Windows that are kept apart; older ones are added up."""


@dataclass(frozen=True)
class Answer:
    """What a metric system said about both versions at one look.

    :param candidate: the number, or None where there was none.
    :param baseline: the same of the version that serves beside it.
    :param fault: why nothing could be asked; empty if it could.
    """

    candidate: float | None = None
    baseline: float | None = None
    fault: str = ""


@dataclass(frozen=True)
class Look:
    """One window: what was counted since the look before.

    :param baseline: of the version that serves at the same time, or None where none does.
    :param answers: what the queries of the release were answered, by name.
    """

    at: datetime
    candidate: Counts
    baseline: Counts | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON values only; :meth:`from_dict` reads them back."""
        baseline = self.baseline.to_dict() if self.baseline is not None else None
        answers = {"answers": {name: asdict(answer) for name, answer in self.answers.items()}} if self.answers else {}
        return {"at": self.at.isoformat(), "candidate": self.candidate.to_dict(), "baseline": baseline, **answers}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Look:
        """Read what :meth:`to_dict` wrote."""
        baseline = Counts.from_dict(value["baseline"]) if value["baseline"] is not None else None
        answers = {name: Answer(**answer) for name, answer in value.get("answers", {}).items()}
        return cls(datetime.fromisoformat(value["at"]), Counts.from_dict(value["candidate"]), baseline, answers)


def remembered(looks: Sequence[Look]) -> list[Look]:
    """The looks, the oldest of them added up so that no more than :data:`KEPT` remain."""
    extra = len(looks) - KEPT
    if extra <= 0:
        return list(looks)
    return [added_up(looks[: extra + 1]), *looks[extra + 1 :]]


def added_up(looks: Sequence[Look]) -> Look:
    """The counts of all of these looks as one; there must be at least one. What queries said cannot be added."""
    *_, candidate = accumulate((look.candidate for look in looks), initial=Counts())
    baselines = [look.baseline for look in looks if look.baseline is not None]
    *_, baseline = accumulate(baselines, initial=Counts())
    return Look(looks[-1].at, candidate, baseline if baselines else None)
