"""The question that people are asked before a version takes over, and their decision. Pure; all text is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model_lifecycle.core.differences import file_differences, metric_differences, signature_differences
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.models import ModelVersion
from model_lifecycle.core.telling import DRIFT_TAG, EVALUATED_TAG, MONITORED_TAG, noted

APPROVED, REJECTED = "approved", "rejected by a person"
"""The marks of ledger entries that hold a decision."""
EVIDENCE = "approval"
"""Under this name a ledger entry's evidence holds the decision."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$:@.-])")
_LONGEST = 300


@dataclass(frozen=True)
class Side:
    """What is known of one version."""

    version: ModelVersion
    manifest: Manifest
    metrics: Mapping[str, float]

    def fact(self, name: str) -> str:
        """A fact of the provenance, or nothing."""
        return self.manifest.provenance.get(name, "")


@dataclass(frozen=True)
class Decision:
    """What was answered.

    :param by: the person, or None if nobody answered before the deadline.
    :param reason: in that person's words, or ours where the answer did not count.
    """

    approved: bool
    version: int
    by: str | None
    at: datetime
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {**vars(self), "at": self.at.isoformat(timespec="seconds")}

    def sentence(self) -> str:
        """For a tag."""
        who = f"by {self.by}" if self.by else "by nobody before the deadline"
        word = "approved" if self.approved else "rejected"
        return f"{word} {who} at {self.at.isoformat(timespec='seconds')}" + (f": {self.reason}" if self.reason else "")


def question(candidate: Side, champion: Side | None, notes: Iterable[str] = ()) -> str:
    """The evidence as a table in markdown, the candidate beside the champion."""
    beside = f"{champion.version.uri}, the champion" if champion else "no champion yet"
    head = ["", f"{candidate.version.uri}, the candidate", beside, "difference"]
    table = [_row(head), "|---|---|---|---|", *(_row(cells) for cells in _rows(candidate, champion))]
    return "\n".join([*table, "", *(f"- {_escaped(note)}" for note in notes)]).rstrip() + "\n"


def _rows(new: Side, old: Side | None) -> Iterable[list[Any]]:
    for name, tag in (("evaluated", EVALUATED_TAG), ("monitored", MONITORED_TAG)):
        yield [name, _noted(new, tag) or "never", _noted(old, tag) if old else "", ""]
    grown = f"{(new.manifest.size / old.manifest.size - 1):+.1%}" if old and old.manifest.size else ""
    yield ["size", _bytes(new), _bytes(old) if old else "", grown]
    if old is not None:
        changed = [f"{one.name} {one.note}" for one in file_differences(old.manifest, new.manifest)]
        yield ["files", len(new.manifest.files), len(old.manifest.files), ", ".join(changed) or "the same"]
        moved = [
            f"{one.name}: {one.before or 'nothing'} to {one.after or 'nothing'}"
            for one in signature_differences(old.manifest, new.manifest)
        ]
        yield ["signature", "", "", "; ".join(moved) or "the same"]
    yield from _metrics(new, old)
    for name, key in (("trained by", "dag_id"), ("in run", "run_id"), ("commit", "git_commit")):
        yield [name, new.fact(key) or "unknown", old.fact(key) if old else "", ""]
    yield ["data of", new.fact("data_interval") or "unknown", old.fact("data_interval") if old else "", ""]
    digests = [" ".join(one[:12] for one in side.fact("training_data").split()) if side else "" for side in (new, old)]
    yield ["training data (SHA-256)", digests[0] or "unknown", digests[1], ""]
    drift = [side.version.tags.get(DRIFT_TAG, none) if side else "" for side, none in ((new, "no report"), (old, ""))]
    yield ["drift", *drift, ""]


def _metrics(new: Side, old: Side | None) -> Iterable[list[Any]]:
    before = old.metrics if old else {}
    notes = {one.name: one.note for one in metric_differences(before, new.metrics)}
    for name in sorted(new.metrics.keys() | before.keys()):
        sides = [f"{side[name]:.6g}" if name in side else "" for side in (new.metrics, before)]
        yield [name, *sides, notes.get(name, "")]


def _noted(side: Side, tag: str) -> str:
    found = noted(side.version.tags.get(tag, ""), side.version.version)
    if found is None:
        return ""
    against = f" against {found['champion']}" if found["champion"] else ""
    return f"{found['verdict']}{against}: {found['reason']}"


def _bytes(side: Side) -> str:
    return f"{side.manifest.size:,} bytes"


def _row(cells: Iterable[Any]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(value: Any) -> str:
    """Text of strangers as itself: no markup, no link, no new cell or line."""
    text = "".join(one if one.isprintable() else " " for one in str(value))
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", text)
