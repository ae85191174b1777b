"""What a row of releases tells at a glance: what serves since when, and what happened. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from model_lifecycle.core.release import Entry, Release


def serving_since(releases: Iterable[Release]) -> datetime | None:
    """Since when what should serve now is what should serve; a version tried in between and put back does not count.

    :param releases: of one endpoint, the newest first; no more are read than are needed.
    :returns: None if nothing should serve, or if it began before the oldest of these releases.
    """
    serving = None
    for release in releases:
        serving = serving or release.standing.serving
        if serving is None or (release.plan.before.serving != serving and release.standing.serving == serving):
            return release.since if serving else None
    return None


def who(actor: Mapping[str, str]) -> str:
    """An actor in a few words: the person, and the task or program that acted."""
    task = ".".join(actor[name] for name in ("dag", "task") if name in actor) or actor.get("by", "")
    return " by ".join(part for part in (actor.get("user", ""), task) if part) or "unknown"


def timeline(release: Release) -> Iterator[dict[str, Any]]:
    """One row for each entry, oldest first: JSON values."""
    plan = release.plan
    for entry in release.entries:
        yield {
            "at": entry.at.isoformat(timespec="seconds"),
            "generation": entry.generation,
            "change": str(plan.change),
            "version": plan.target.version,
            "state": str(entry.state),
            "step": entry.step,
            "mark": entry.mark,
            "verdict": entry.evidence.get("verdict"),
            "reason": entry.reason or (entry.evidence.get("approval") or {}).get("reason", ""),
            "who": _who(release, entry),
        }


def _who(release: Release, entry: Entry) -> str:
    return who(entry.actor or release.entries[0].actor)
