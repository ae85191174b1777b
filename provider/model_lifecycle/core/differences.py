"""How two artifacts differ: files, signature, metrics, and the data that they were trained on. Pure values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model_lifecycle.core.drift import compare
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.profile import Profile


@dataclass(frozen=True)
class Difference:
    """One thing that differs: ``before`` or ``after`` is None where only the other side has it.

    :param part: files, signature, metrics, provenance or profile.
    """

    part: str
    name: str
    before: Any
    after: Any
    note: str = ""


def file_differences(one: Manifest, other: Manifest) -> Iterator[Difference]:
    """The files that were added, removed or changed; sizes in bytes."""
    before, after = ({file.path: file for file in side.files} for side in (one, other))
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is None or new is None:
            word = "added" if old is None else "removed"
            yield Difference("files", path, old.size if old else None, new.size if new else None, word)
        elif old.sha256 != new.sha256:
            yield Difference("files", path, old.size, new.size, "changed")


def signature_differences(one: Manifest, other: Manifest) -> Iterator[Difference]:
    """The inputs, outputs and parameters whose type changed, or that one side lacks."""
    yield from _pairs("signature", _fields(one.signature), _fields(other.signature))


def provenance_differences(one: Manifest, other: Manifest) -> Iterator[Difference]:
    """Where they come from: DAG, run, commit, digests of the training data."""
    yield from _pairs("provenance", one.provenance, other.provenance)


def metric_differences(one: Mapping[str, float], other: Mapping[str, float]) -> Iterator[Difference]:
    """The metrics that changed, with the change."""
    for found in _pairs("metrics", one, other):
        both = found.before is not None and found.after is not None
        note = f"{found.after - found.before:+.4g}" if both else ""
        yield Difference(found.part, found.name, found.before, found.after, note)


def profile_differences(one: Profile | None, other: Profile | None) -> Iterator[Difference]:
    """The columns whose data have drifted from one training to the other, with the Jensen-Shannon distance."""
    if one is None or other is None:
        if one is not other:
            yield Difference("profile", "profile.json", "there" if one else None, "there" if other else None)
        return
    try:
        drifts = compare(one, other)
    except Invalid as error:
        # Each training finds cells of its own, unless it counts into those of the version before.
        yield Difference("profile", "profile.json", one.rows, other.rows, f"cannot be compared: {error.message}")
        return
    for drift in drifts:
        if drift.finding.alarms:
            yield Difference("profile", drift.name, 0.0, drift.js, str(drift.finding))


def differences(parts: Iterable[Iterable[Difference]]) -> list[dict[str, Any]]:
    """Rows for people and programs, in the order given."""
    return [vars(found) for part in parts for found in part]


def _pairs(part: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            yield Difference(part, name, one.get(name), other.get(name))


def _fields(signature: Mapping[str, Any] | None) -> dict[str, str]:
    """``inputs.x: double (optional)`` by place and name; tensors have no names but places."""
    found: dict[str, str] = {}
    for side, columns in (signature or {}).items():
        for place, column in enumerate(columns if isinstance(columns, list) else [columns]):
            named = column if isinstance(column, Mapping) else {"type": column}
            kind = str(named.get("type")) + ("" if named.get("required", True) else " (optional)")
            shape = {key: value for key, value in named.items() if key not in ("name", "type", "required")}
            found[f"{side}.{named.get('name', place)}"] = kind + (f" {shape}" if shape else "")
    return found
