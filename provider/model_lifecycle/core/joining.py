"""Labels that arrive later find their predictions: each label one, or a named reason why not."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Joined:
    """What became of the labels.

    :param labels: one for each prediction, or None.
    :param twice: predictions whose label came more than once and was the same each time; it counts once.
    :param contradicted: predictions whose labels differ; they count as unlabelled.
    :param without_prediction: labels that no prediction has the key of, as most have where a share is logged.
    :param unparsable: labels that are no label of the metric, such as text where numbers are asked for.
    :param ambiguous: predictions that share their key with another one of the same version; no label can tell them
        apart, so they count as unlabelled.
    """

    labels: list[Any] = field(default_factory=list)
    twice: int = 0
    contradicted: int = 0
    without_prediction: int = 0
    unparsable: int = 0
    ambiguous: int = 0

    @property
    def faulty(self) -> int:
        """Predictions and labels that cannot be used."""
        return self.contradicted + self.unparsable + self.ambiguous

    def tally(self) -> dict[str, int]:
        """The counts, JSON."""
        return {name: value for name, value in asdict(self).items() if name != "labels"}


def join_labels(
    keys: Sequence[Hashable],
    versions: Sequence[int],
    label_keys: Sequence[Hashable],
    label_values: Sequence[Any],
    *,
    binary: bool = False,
    numeric: bool = False,
) -> Joined:
    """Find the label of each prediction.

    A label that is missing (None, NaN) has not come yet. A key that holds a missing part joins nothing.

    :param keys: of each prediction; the same key in two versions (a canary's shadow) is no ambiguity.
    :param binary: labels must be 0 and 1. :param numeric: labels must be finite numbers.
    """
    known, unparsable = _by_key(label_keys, label_values, binary=binary, numeric=numeric)
    seen: dict[tuple[Hashable, int], int] = {}
    for pair in zip(keys, versions, strict=True):
        seen[pair] = seen.get(pair, 0) + 1
    found, counts = [], dict.fromkeys(("twice", "contradicted", "ambiguous"), 0)
    for key, version in zip(keys, versions, strict=True):
        values = known.get(key, [])
        fault = _fault(values, seen[key, version])
        if fault:
            counts[fault] += 1
        found.append(values[0] if values and fault in (None, "twice") else None)
    missing = len(known.keys() - set(keys))
    return Joined(found, without_prediction=missing, unparsable=unparsable, **counts)


def _fault(values: Sequence[Any], sharing: int) -> str | None:
    if sharing > 1:
        return "ambiguous"
    if len(values) < 2:
        return None
    return "twice" if all(value == values[0] for value in values) else "contradicted"


def _by_key(
    keys: Sequence[Hashable], values: Sequence[Any], *, binary: bool, numeric: bool
) -> tuple[dict[Hashable, list[Any]], int]:
    known: dict[Hashable, list[Any]] = {}
    unparsable = 0
    for key, raw in zip(keys, values, strict=True):
        if is_missing(raw) or (isinstance(key, tuple) and any(map(is_missing, key))):
            continue
        value = _read(raw, binary=binary, numeric=numeric)
        if value is None:
            unparsable += 1
        else:
            known.setdefault(key, []).append(value)
    return known, unparsable


def _read(value: Any, *, binary: bool, numeric: bool) -> Any:
    """The label as a number, or as it is where any class will do; None if it is no label."""
    if not numeric and not binary:
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    good = math.isfinite(number) and (not binary or number in (0.0, 1.0))
    return number if good else None


def is_missing(value: Any) -> bool:
    """Whether there is no value: None, NaN, or a null of pandas (which is not equal to itself, or cannot say)."""
    return (
        value is None or type(value).__name__ in {"NAType", "NaTType"} or (isinstance(value, float) and value != value)
    )
