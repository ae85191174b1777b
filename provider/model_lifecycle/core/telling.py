"""What the Models page is told of an endpoint and of its releases: JSON values, bounded, nothing left to guess. Pure.

Texts are cut, lists are cut, and what is cut ends with an ellipsis: whoever wrote a ledger, a page stays small.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from model_lifecycle.core.checks import Verdict
from model_lifecycle.core.counts import Counts, quantile
from model_lifecycle.core.errors import Corrupt
from model_lifecycle.core.history import serving_since
from model_lifecycle.core.looks import Look
from model_lifecycle.core.plan import Change, Served
from model_lifecycle.core.release import Entry, Release, State
from model_lifecycle.core.traffic import traffic_of

LONGEST = 2000
"""Characters of one text."""
MOST = 100
"""Measurements or looks of one entry."""
MONITORED_TAG, EVALUATED_TAG = "model_lifecycle.monitored", "model_lifecycle.evaluated"
"""On a version: what a monitor, or an evaluation, last found of it; see :func:`noted`."""
DRIFT_TAG, REPORT_TAG = "drift", "drift_report"
"""On a version: what its newest drift report found, in words, and where the report is read."""
WELL, LOOK, SICK, UNKNOWN = "well", "look", "sick", "unknown"
"""How an endpoint is: nothing to do, somebody should look, callers are or may be harmed, nobody can tell."""
Json = dict[str, Any]


def text(value: object) -> str:
    """A text of at most :data:`LONGEST` characters."""
    told = str(value)
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 1]}\u2026"


def summary(release: Release) -> Json:
    """One line of a list of releases: who, what, from, to, why, and how it ended."""
    plan, first = release.plan, release.entries[0]
    before = plan.before.serving
    return {
        "opened": release.opened,
        "generation": release.generation,
        "endpoint": plan.endpoint,
        "change": str(plan.change),
        "state": str(release.state),
        "over": release.state.terminal,
        "superseded": release.superseded,
        "strategy": text(plan.strategy.get("name", "")),
        "from": before.version if before else None,
        "to": plan.target.version,
        "abandons": plan.abandons if plan.change is Change.ROLLBACK else None,
        "asked": text(first.reason),
        "reason": text(release.reason),
        "who": _who(first),
        "opened_at": first.at.isoformat(),
        "since": release.since.isoformat(),
        "closed_at": release.last.at.isoformat() if release.state.terminal else None,
        "deadline": plan.deadline.isoformat(),
        "traffic": _shares(traffic_of(release)),
    }


def timeline(release: Release) -> Json:
    """One release with every entry of it and the evidence of each."""
    before, steps = _shares(release.plan.traffic_before), release.plan.strategy.get("steps", ())
    entries = [_entry(entry, steps) for entry in release.entries]
    return {**summary(release), "traffic_before": before, "digest": release.plan.target.digest, "entries": entries}


def noted(value: str, version: int) -> Json | None:
    """What a monitor or an evaluation noted with a version; None for what is no such note, as anybody may write one."""
    try:
        told = json.loads(value)
        at = datetime.fromisoformat(told["at"])
        found = {name: text(told[name]) for name in ("verdict", "reason")}
        found |= {name: text(told.get(name) or "") for name in ("endpoint", "champion")}
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    return {"version": version, "at": at.isoformat(), **found} if at.tzinfo else None


def endpoint(
    releases: Sequence[Release],
    traffic: Mapping[int, int] | None,
    states: Mapping[int, str] | None,
    why: str = "",
    monitored: Json | None = None,
) -> Json:
    """What serves, since when, whether it is well, and the way back.

    :param releases: the newest ones, the newest first; at least one.
    :param traffic: per cent by version, as read from the server now; None if it could not be.
    :param states: the state of each version the server knows; None if it could not be read.
    :param why: why one of them could not.
    :param monitored: what a monitor found of the version that serves, from :func:`noted`.
    """
    newest = releases[0]
    serving = newest.standing.serving
    back = _way_back(newest, serving)
    loaded = back is not None and (states or {}).get(back.version) == "READY"
    under_way = None if newest.state.terminal else newest.plan.target.version
    since = serving_since(releases)
    check = _newer(_last_check(releases, under_way, serving), monitored)
    return {
        "endpoint": newest.plan.endpoint,
        "serving": _served(serving),
        "since": since.isoformat() if since else None,
        "traffic": None if traffic is None else _shares(traffic),
        "versions": None if states is None else {str(version): state for version, state in sorted(states.items())},
        "release": summary(newest),
        "health": health(newest, traffic, states, why, check),
        "check": check,
        "back": None if back is None else {**(_served(back) or {}), "loaded": loaded if states is not None else None},
        "quarantined": list(newest.standing.quarantined),
    }


def health(
    newest: Release,
    traffic: Mapping[int, int] | None,
    states: Mapping[int, str] | None,
    why: str = "",
    check: Json | None = None,
) -> Json:
    """One word and every sentence behind it, the worst first."""
    found = [*_by_release(newest), *_by_server(newest, traffic, states, why), *_by_check(check)]
    order = (SICK, UNKNOWN, LOOK)
    found.sort(key=lambda one: order.index(one[0]))
    return {"word": found[0][0] if found else WELL, "reasons": [text(reason) for _, reason in found]}


def _by_release(newest: Release) -> list[tuple[str, str]]:
    if newest.state is State.ROLLBACK_FAILED:
        return [(SICK, f"the last rollback failed: {newest.reason}")]
    if newest.state is State.PAUSED:
        return [(LOOK, f"the release of version {newest.plan.target.version} is paused: {newest.reason}")]
    if not newest.state.terminal:
        return [(LOOK, f"a {newest.plan.change} to version {newest.plan.target.version} is under way ({newest.state})")]
    return []


def _by_server(
    newest: Release, traffic: Mapping[int, int] | None, states: Mapping[int, str] | None, why: str
) -> list[tuple[str, str]]:
    serving, found = newest.standing.serving, []
    if traffic is None or states is None:
        found.append((UNKNOWN, why or "the serving system cannot be reached"))
    asked = [version for version, share in (traffic or {}).items() if share]
    for version in asked:
        state = "READY" if states is None else states.get(version, "not loaded")
        if state != "READY":
            found.append((SICK, f"version {version} has traffic and is {state}"))
    if traffic is not None and newest.state.terminal and serving and dict(traffic) != {serving.version: 100}:
        live = ", ".join(f"version {version}: {share} %" for version, share in sorted(traffic.items())) or "nobody"
        found.append((SICK, f"the ledger says that version {serving.version} serves; callers are sent to {live}"))
    return found


def _by_check(check: Json | None) -> list[tuple[str, str]]:
    if check is None or check["verdict"] == Verdict.PASS:
        return []
    return [(LOOK, f"the last check of version {check['version']} said {check['verdict']}: {check['reason']}")]


def _last_check(releases: Sequence[Release], under_way: int | None, serving: Served | None) -> Json | None:
    """The newest verdict about what serves, or about what is being released."""
    about = {under_way, serving.version if serving else None} - {None}
    for release in releases:
        version = release.plan.target.version
        for entry in reversed(release.entries if version in about else ()):
            if "verdict" in entry.evidence and entry.evidence.get("measurements"):
                why = text(entry.evidence.get("reason", ""))
                verdict = text(entry.evidence["verdict"])
                return {"version": version, "at": entry.at.isoformat(), "verdict": verdict, "reason": why}
    return None


def _newer(*checks: Json | None) -> Json | None:
    known = [one for one in checks if one is not None]
    return max(known, key=lambda one: datetime.fromisoformat(one["at"]), default=None)


def _way_back(newest: Release, serving: Served | None) -> Served | None:
    """What a rollback pressed now would bring back: of a release under way, what served before it."""
    if not newest.state.terminal and newest.plan.change is Change.DEPLOY:
        return newest.plan.fallback
    return newest.standing.below(serving.version) if serving else None


def _served(served: Served | None) -> Json | None:
    return None if served is None else {"version": served.version, "digest": served.digest}


def _who(entry: Entry) -> Json:
    return {text(name): text(value) for name, value in list(entry.actor.items())[:20]}


def _shares(traffic: Mapping[int, int]) -> dict[str, int]:
    return {str(version): share for version, share in sorted(traffic.items())}


def _entry(entry: Entry, steps: Sequence[int]) -> Json:
    step = entry.step
    return {
        "generation": entry.generation,
        "at": entry.at.isoformat(),
        "state": str(entry.state),
        "step": step,
        "percent": steps[step] if step is not None and 0 <= step < len(steps) else None,
        "mark": None if entry.mark is None else text(entry.mark),
        "reason": text(entry.reason),
        "who": _who(entry),
        **_evidence(entry.evidence),
    }


def _evidence(evidence: Mapping[str, Any]) -> Json:
    measured = [_measurement(one) for one in _rows(evidence.get("measurements"))]
    looks = [_look(one) for one in _rows(evidence.get("looks"))]
    return {
        "verdict": text(evidence["verdict"]) if evidence.get("verdict") else None,
        "measurements": measured,
        "looks": [one for one in looks if one is not None],
        "told": {text(name): text(evidence[name]) for name in ("answers", "traffic", "aliases") if name in evidence},
    }


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value[-MOST:] if isinstance(one, Mapping)] if isinstance(value, list) else []


def _measurement(value: Mapping[str, Any]) -> Json:
    told = {name: text(value.get(name, "")) for name in ("check", "verdict", "reason")}
    numbers = {name: _number(value.get(name)) for name in ("value", "samples")}
    return {**told, **numbers, "critical": value.get("critical") is not False}


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _look(value: Mapping[str, Any]) -> Json | None:
    """One window as the plots need it; what is no look is left out."""
    try:
        look = Look.from_dict(value)
    except (KeyError, TypeError, ValueError, AttributeError, Corrupt):
        return None
    baseline = None if look.baseline is None else _counted(look.baseline)
    answers = {
        text(name): [_number(answer.candidate), _number(answer.baseline)]
        for name, answer in list(look.answers.items())[:20]
    }
    return {"at": look.at.isoformat(), "candidate": _counted(look.candidate), "baseline": baseline, "answers": answers}


def _counted(counts: Counts) -> Json:
    ratio = counts.errors / counts.requests if counts.requests else None
    return {"requests": counts.requests, "errors": ratio, "p95": quantile(counts.latency, 0.95)}
