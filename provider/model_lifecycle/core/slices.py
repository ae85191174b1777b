"""Quality by slice: whether some carrier, shop or country fares worse than the whole shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.checks import Measurement, Verdict
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.joining import is_missing
from model_lifecycle.core.metrics import HIGHER_IS_BETTER, Metric, influence, known
from model_lifecycle.core.quality import error_of, measure, too_few
from model_lifecycle.core.statistics import adjust

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSING, OTHER = "(missing)", "(other)"
MAX_VALUE = 64


@dataclass(frozen=True)
class SliceRule:
    """How slices are judged.

    :param columns: each value of each of these is a slice of its own.
    :param metric: of :mod:`model_lifecycle.core.quality`.
    :param tolerance: how much worse a slice may be, in units of the metric.
    :param alpha: the share of false alarms among the slices that FAIL (Benjamini and Hochberg over all of them).
    :param min_samples: a slice of fewer rows is INCONCLUSIVE.
    :param most: slices of a column at most, the largest; all other rows are one more.
    """

    columns: Sequence[str]
    metric: str = "log_loss"
    tolerance: float = 0.0
    alpha: float = 0.05
    min_samples: int = 100
    most: int = 50
    critical: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.columns, str) or not self.columns:
            raise Invalid("slices are made by columns", hint='give a list such as ["carrier"]')
        if self.tolerance < 0 or self.most < 1:
            raise Invalid("slices need a tolerance of at least 0, and at least one slice")


@dataclass
class _Slice:
    name: str
    rows: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    worse: float | None = None
    error: float = 0.0
    few: str | None = None

    @property
    def p_value(self) -> float | None:
        """The chance to look so much worse without being so; None where nothing can be said."""
        if self.few or self.worse is None:
            return None
        if not self.error:
            return 0.0 if self.worse > 0 else 1.0
        return 1 - NormalDist().cdf(self.worse / self.error)


def judge_slices(
    rule: SliceRule, groups: Mapping[str, Sequence[Any]], labels: Any, ours: Any, theirs: Any = None
) -> list[Measurement]:
    """One measurement for each slice, named ``metric[column=value]``, with an estimate and an interval of its own.

    A slice FAILs if it is surely worse, by more than the tolerance, than what another version answers for the same
    rows; without another version, than all other rows. The latter asks whether slices are equal, which they often are
    not by nature: set a tolerance.

    :param groups: the columns, row by row as the labels.
    :param theirs: predictions of the other version for the same rows.
    :raises Invalid: as :func:`model_lifecycle.core.quality.measure`.
    """
    kind = known(rule.metric)
    truth = kind.labels(labels)
    answers = kind.predictions(ours, len(truth))
    others = None if theirs is None else kind.predictions(theirs, len(truth))
    fault = kind.fault(answers) or (kind.fault(others) if others is not None else None)
    found: list[_Slice] = []
    absent: list[Measurement] = []
    for column in rule.columns:
        name = f"{rule.metric}[{column}]"
        why = fault or (None if column in groups else f"the rows have no column {column}")
        if why or not len(truth):
            reason = why or "no rows to slice"
            absent.append(Measurement(name, Verdict.NO_DATA, reason=reason, critical=rule.critical))
            continue
        found += [
            _measured(rule, kind, f"{rule.metric}[{column}={value}]", rows, truth, answers, others)
            for value, rows in _parts(groups[column], rule.most)
        ]
    return absent + _judged(rule, found, "the version before" if theirs is not None else "all other rows")


def _parts(values: Sequence[Any], most: int) -> Iterator[tuple[str, NDArray[Any]]]:
    """The largest slices, and the rest as one."""
    import numpy as np

    names = np.array([_named(value) for value in values], dtype=object)
    frequent = sorted(Counter(names.tolist()).items(), key=lambda pair: (-pair[1], pair[0]))
    for name, _ in frequent[:most]:
        yield name, names == name
    if len(frequent) > most:
        yield OTHER, np.isin(names, [name for name, _ in frequent[most:]])


def _named(value: Any) -> str:
    if is_missing(value):
        return MISSING
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return text[:MAX_VALUE].encode("utf-8", "backslashreplace").decode()


def _measured(
    rule: SliceRule,
    kind: Metric,
    name: str,
    rows: NDArray[Any],
    truth: NDArray[Any],
    answers: NDArray[Any],
    others: NDArray[Any] | None,
) -> _Slice:
    found = _Slice(name, int(rows.sum()), few=too_few(kind, truth[rows], rule.min_samples))
    one = measure(kind.name, truth[rows], answers[rows], alpha=rule.alpha)
    found.value, found.low, found.high = one.value, one.low, one.high
    rest = ~rows if others is None else rows
    theirs = answers[rest] if others is None else others[rest]
    if one.value is None or not kind.defined(truth[rest]) or not kind.defined(truth[rest], theirs):
        return found
    value, moved = influence(kind, truth[rows], answers[rows])
    other, other_moved = influence(kind, truth[rest], theirs)
    sign = -1.0 if kind.name in HIGHER_IS_BETTER else 1.0
    found.worse = sign * (value - other) - rule.tolerance
    apart = math.hypot(error_of(moved), error_of(other_moved))
    found.error = apart if others is None else error_of(moved - other_moved)
    return found


def _judged(rule: SliceRule, found: Sequence[_Slice], rival: str) -> list[Measurement]:
    asked = [one for one in found if one.p_value is not None]
    adjusted = dict(zip(map(id, asked), adjust([one.p_value or 0.0 for one in asked]), strict=True))
    return [_answer(rule, one, adjusted.get(id(one)), rival) for one in found]


def _answer(rule: SliceRule, one: _Slice, adjusted: float | None, rival: str) -> Measurement:
    details = {"low": one.low, "high": one.high, "adjusted_p": adjusted, "rival": rival, "tolerance": rule.tolerance}
    if one.value is None:
        verdict, reason = Verdict.NO_DATA, f"{rule.metric} is not defined on its {one.rows} rows"
    elif adjusted is None or one.worse is None:
        verdict, reason = Verdict.INCONCLUSIVE, one.few or "there is nothing to compare it with"
    else:
        failed = adjusted <= rule.alpha
        verdict = Verdict.FAIL if failed else Verdict.PASS
        surely = "is surely worse than" if failed else "is not surely worse than"
        reason = f"{one.name} {one.value:.4f} {surely} that of {rival}"
    return Measurement(one.name, verdict, one.value, one.rows, reason, rule.critical, details)
