"""Drift: whether two profiles describe the same data, answered by effect *and* significance.

A column has drifted when a difference is both large and not chance: the Jensen-Shannon distance or Kolmogorov-Smirnov
D, the share of missing values, or that of values which the reference hardly held, at least 0.1, with a p-value of at
most 0.05 after Benjamini and Hochberg over all these questions about all columns. Significance alone alarms on every
trivial shift of a large sample and on half of all healthy days; size alone alarms on small samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from model_lifecycle.core.checks import Measurement, Verdict
from model_lifecycle.core.distances import wasserstein
from model_lifecycle.core.profile import Column, Profile
from model_lifecycle.core.statistics import (
    adjust,
    chi2_p_value,
    homogeneity,
    homogeneity_p_value,
    jensen_shannon_beyond_chance,
    ks_distance,
    ks_p_value,
    population_stability,
)

PREDICTION = "prediction"
"""The column in which a profile holds the model's predictions; its drift is a check of its own."""

GROUPS = 20
RARE = 5
TOLD = 0.05
"""From which share on a sentence names what is missing or unseen."""


class Finding(StrEnum):
    """What was found about one column."""

    STABLE = "STABLE"
    DRIFTED = "DRIFTED"
    VANISHED = "VANISHED"
    TYPE_CHANGED = "TYPE_CHANGED"
    ALL_NULL = "ALL_NULL"
    TOO_FEW = "TOO_FEW"

    @property
    def alarms(self) -> bool:
        """Whether it counts as drift."""
        return self not in {Finding.STABLE, Finding.TOO_FEW}


@dataclass(frozen=True)
class ColumnDrift:
    """The comparison of one column; shares and distances are 0 to 1, and None where they say nothing.

    :param samples: current rows.
    :param js: Jensen-Shannon distance, base 2, less what chance alone explains. Missing values are a cell.
    :param ks: Kolmogorov-Smirnov D of numbers, missing values ordered before all others.
    :param p_value: of D for numbers, of Pearson's chi-squared for values.
    :param adjusted_p: the same after Benjamini and Hochberg over all columns compared.
    :param psi: population stability index, for people; it decides nothing.
    :param missing: share of current rows without a value, less that of the reference.
    :param unseen: share of current rows with values that the reference has no cell for, or beyond its range.
    :param wasserstein: of numbers, in standard deviations of the reference; beyond its range its ends count.
    :param chi2: Pearson's chi-squared over the values, or over 20 groups of numbers; it grows with the rows.
    :param missing_p: the adjusted p-value of the difference in missing values.
    :param new: share of current rows with values that the reference held fewer than five times, less that of the
        reference; of numbers those beyond its range.
    :param new_p: its adjusted p-value.
    """

    name: str
    finding: Finding
    samples: int
    js: float | None = None
    ks: float | None = None
    p_value: float | None = None
    adjusted_p: float | None = None
    psi: float | None = None
    missing: float | None = None
    unseen: float | None = None
    wasserstein: float | None = None
    chi2: float | None = None
    missing_p: float | None = None
    new: float | None = None
    new_p: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values only."""
        rounded = {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(self).items()}
        return {**rounded, "finding": str(self.finding)}


def compare(
    reference: Profile, current: Profile, *, effect: float = 0.1, alpha: float = 0.05, min_samples: int = 500
) -> list[ColumnDrift]:
    """Compare each column of the reference with the same of the current profile, made with ``edges_from=reference``.

    :param effect: the smallest distance (JS or D) that matters.
    :param alpha: the chance of an alarm over all columns together when nothing has changed.
    :param min_samples: fewer rows on either side are TOO_FEW, unless the column is plainly broken.
    :raises Invalid: if the current profile has other cells.
    """
    drifts = []
    for name, column in sorted(reference.columns.items()):
        other = current.columns.get(name) or Column(column.type, column.labels, (0,) * len(column.counts))
        column.plus(other)  # refuses other cells
        drifts.append(_compare(name, column, other, min_samples))
    asked = [p_value for drift in drifts for p_value in _p_values(drift)]
    adjusted = iter(adjust(asked))
    return [_decide(drift, [next(adjusted) for _ in _p_values(drift)], effect, alpha) for drift in drifts]


def _p_values(drift: ColumnDrift) -> list[float]:
    return [one for one in (drift.p_value, drift.missing_p, drift.new_p) if one is not None]


def _compare(name: str, reference: Column, current: Column, min_samples: int) -> ColumnDrift:
    rows = current.rows
    if rows and current.absent == rows:
        return ColumnDrift(name, Finding.VANISHED, rows)
    if current.mismatched > rows / 2:
        return ColumnDrift(name, Finding.TYPE_CHANGED, rows)
    if min(rows, reference.rows) < max(1, min_samples):
        return ColumnDrift(name, Finding.TOO_FEW, rows)
    if not current.values and reference.values:
        return ColumnDrift(name, Finding.ALL_NULL, rows)
    return _measure(name, reference, current)


def _measure(name: str, reference: Column, current: Column) -> ColumnDrift:
    cells, others = _cells(reference), _cells(current)
    numeric = reference.type == "number"
    ks = ks_distance(cells, others) if numeric else None
    few, others_few = (_join_neighbours if numeric else _join_rare)(cells, others)
    chi2, degrees = homogeneity(few, others_few)
    p_value = chi2_p_value(chi2, degrees) if ks is None else ks_p_value(ks, reference.rows, current.rows)
    moved = wasserstein(reference, current)
    # Of values the last cell is what the reference hardly held; of numbers all that lies beyond its range.
    new = (_beyond(reference), _beyond(current)) if numeric else (few[-1], others_few[-1])
    return ColumnDrift(
        name,
        Finding.STABLE,
        current.rows,
        js=jensen_shannon_beyond_chance(few, others_few),
        ks=ks,
        p_value=p_value,
        psi=population_stability(few, others_few),
        missing=current.missing / current.rows - reference.missing / reference.rows,
        unseen=(current.outside + current.below + current.above) / current.rows,
        wasserstein=moved.normalised if moved else None,
        chi2=chi2,
        missing_p=_share_p_value(reference.missing, current.missing, reference.rows, current.rows),
        new=new[1] / current.rows - new[0] / reference.rows,
        new_p=_share_p_value(*new, reference.rows, current.rows),
    )


def _beyond(column: Column) -> int:
    return column.below + column.above if column.labels else 0


def _share_p_value(one: int, other: int, n: int, m: int) -> float:
    return homogeneity_p_value([one, n - one], [other, m - other])


def _cells(column: Column) -> list[int]:
    return [column.missing, *column.counts, *([] if column.type == "number" else [column.outside])]


def _join_rare(cells: Sequence[int], others: Sequence[int]) -> tuple[list[int], list[int]]:
    """Join the values the reference saw fewer than five times with those it never saw.

    A small reference cannot have seen every rare value: that new data holds others is no drift (Good 1953, Biometrika
    40:237).
    """
    pairs = list(zip(cells[:-1], others[:-1], strict=True))
    common = [pair for number, pair in enumerate(pairs) if number == 0 or pair[0] >= RARE]
    rest = sum(cells) - sum(one for one, _ in common), sum(others) - sum(other for _, other in common)
    joined = [*common, rest]
    return [one for one, _ in joined], [other for _, other in joined]


def _join_neighbours(cells: Sequence[int], others: Sequence[int]) -> tuple[list[int], list[int]]:
    """Join neighbouring cells until each holds a 20th of the reference; missing, below and above stay by themselves."""
    if len(cells) < 4:  # the reference held no finite number: there are no cells to join
        return list(cells), list(others)
    least = sum(cells[2:-1]) / GROUPS
    few, others_few = list(cells[:2]), list(others[:2])
    group, other_group = 0, 0
    for one, other in zip(cells[2:-1], others[2:-1], strict=True):
        group, other_group = group + one, other_group + other
        if group >= least:
            few.append(group)
            others_few.append(other_group)
            group, other_group = 0, 0
    return [*few, group, cells[-1]], [*others_few, other_group, others[-1]]


def _decide(drift: ColumnDrift, adjusted: Sequence[float], effect: float, alpha: float) -> ColumnDrift:
    if not adjusted:
        return drift
    sizes = (max(drift.js or 0.0, drift.ks or 0.0), abs(drift.missing or 0.0), drift.new or 0.0)
    found = any(size >= effect and p_value <= alpha for size, p_value in zip(sizes, adjusted, strict=True))
    finding = Finding.DRIFTED if found else Finding.STABLE
    p_value, missing_p, new_p = adjusted
    return replace(drift, finding=finding, adjusted_p=p_value, missing_p=missing_p, new_p=new_p)


def judge_drift(
    columns: Iterable[ColumnDrift],
    *,
    share: float = 0.3,
    features_critical: bool = True,
    prediction_critical: bool = True,
) -> list[Measurement]:
    """Turn comparisons into two measurements: ``feature_drift`` and ``prediction_drift``.

    :param share: feature drift FAILs when at least this share of the features has drifted.
    """
    drifts = list(columns)
    features = [drift for drift in drifts if drift.name != PREDICTION]
    predictions = [drift for drift in drifts if drift.name == PREDICTION]
    return [
        _judge_features(features, share, critical=features_critical),
        _judge_prediction(predictions, critical=prediction_critical),
    ]


def _judge_features(drifts: Sequence[ColumnDrift], share: float, *, critical: bool) -> Measurement:
    samples = max((drift.samples for drift in drifts), default=0)
    found = sorted((drift for drift in drifts if drift.finding.alarms), key=_severity, reverse=True)
    value = len(found) / len(drifts) if samples else None
    details = {"share": share, "columns": [drift.to_dict() for drift in drifts]}
    names = ", ".join(f"{drift.name} ({_describe(drift)})" for drift in found[:5])
    verdict, reason = Verdict.PASS, f"{len(found)} of {len(drifts)} features drifted" + (f": {names}" if names else "")
    if value is None:
        verdict, reason = Verdict.NO_DATA, "no rows of any feature to compare"
    elif value >= share:
        verdict = Verdict.FAIL
    elif any(drift.finding is Finding.TOO_FEW for drift in drifts):
        verdict, reason = Verdict.INCONCLUSIVE, f"{samples} rows are too few to compare with the reference"
    return Measurement("feature_drift", verdict, value, samples, reason, critical, details)


def _judge_prediction(drifts: Sequence[ColumnDrift], *, critical: bool) -> Measurement:
    if not drifts or not drifts[0].samples:
        reason = "no predictions to compare with the reference"
        return Measurement("prediction_drift", Verdict.NO_DATA, reason=reason, critical=critical)
    drift = drifts[0]
    verdict = Verdict.FAIL if drift.finding.alarms else Verdict.PASS
    if drift.finding is Finding.TOO_FEW:
        verdict = Verdict.INCONCLUSIVE
    value = None if drift.js is None else _severity(drift)
    reason = f"predictions: {_describe(drift)}"
    return Measurement("prediction_drift", verdict, value, drift.samples, reason, critical, drift.to_dict())


def _severity(drift: ColumnDrift) -> float:
    return 1.0 if drift.js is None else max(drift.js, drift.ks or 0.0)


def _describe(drift: ColumnDrift) -> str:
    if drift.js is None:
        return str(drift.finding)
    distance = f"JS {drift.js:.2f}" + ("" if drift.ks is None else f", D {drift.ks:.2f}")
    if abs(drift.missing or 0.0) >= TOLD:
        distance += f", missing {drift.missing:+.0%}"
    if (drift.unseen or 0.0) >= TOLD:
        distance += f", unseen {drift.unseen:.0%}"
    return f"{drift.finding}, {distance}"
