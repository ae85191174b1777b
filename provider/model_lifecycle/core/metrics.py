"""The metrics: what each takes for labels and predictions, its value, and how much each row moves it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import Invalid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HIGHER_IS_BETTER = frozenset({"accuracy", "roc_auc"})
LARGEST = 1e60
"""Numbers beyond this are no answers: their squares' squares could not be added."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    :param takes: ``probability``, ``score``, ``number``, or ``answer`` (labels, or the probability of class 1).
    :param ceiling: the largest value there is.
    """

    name: str
    takes: str
    ceiling: float = math.inf

    @property
    def binary(self) -> bool:
        """Whether the labels are 0 and 1."""
        return self.takes in {"probability", "score"}

    def labels(self, labels: Any) -> NDArray[Any]:
        """The labels as a vector.

        :raises Invalid: if one is missing or of the wrong kind.
        """
        import numpy as np

        truth = _vector(labels, "labels", numeric=self.takes != "answer")
        missing = _missing(truth)
        if missing:
            raise Invalid(f"{missing} of {len(truth)} labels are missing", hint="leave out rows without a label")
        if self.binary and not np.isin(truth, (0.0, 1.0)).all():
            raise Invalid(f"{self.name} takes labels 0 and 1")
        return truth

    def predictions(self, predictions: Any, rows: int) -> NDArray[Any]:
        """The predictions as a vector.

        :raises Invalid: if there is not one number (or label) for each row.
        """
        answers = _vector(predictions, "predictions", numeric=self.takes != "answer")
        if len(answers) != rows:
            raise Invalid(f"{len(answers)} predictions for {rows} labels")
        return answers

    def fault(self, answers: NDArray[Any]) -> str | None:
        """What is wrong with a model's predictions, or None."""
        missing = _missing(answers)
        if missing:
            return f"answered nothing, NaN or beyond {LARGEST:g} for {missing} of {len(answers)} rows"
        outside = int(((answers < 0) | (answers > 1)).sum()) if self.takes == "probability" else 0
        return f"answered outside of 0 to 1 for {outside} of {len(answers)} rows" if outside else None

    def rarer(self, truth: NDArray[Any]) -> int | None:
        """Rows of the rarer class, where there are two."""
        ones = int(truth.sum()) if self.binary else 0
        return min(ones, len(truth) - ones) if self.binary else None

    def defined(self, truth: NDArray[Any]) -> bool:
        """Whether these labels give the metric a value."""
        return len(truth) > 0 and (self.name != "roc_auc" or bool(self.rarer(truth)))

    def constant(self, truth: NDArray[Any]) -> NDArray[Any]:
        """The one answer for all rows that the metric likes best for these labels."""
        import numpy as np

        if self.takes == "answer":
            values, counts = np.unique(truth, return_counts=True)
            return np.full(len(truth), values[counts.argmax()])
        return np.full(len(truth), np.median(truth) if self.name == "mae" else truth.mean())


METRICS = {
    metric.name: metric
    for metric in (
        Metric("log_loss", "probability"),
        Metric("brier", "probability", ceiling=1.0),
        Metric("accuracy", "answer", ceiling=1.0),
        Metric("roc_auc", "score", ceiling=1.0),
        Metric("mae", "number"),
        Metric("rmse", "number"),
    )
}


def known(name: str) -> Metric:
    """The metric of that name.

    :raises Invalid: if there is none.
    """
    if name not in METRICS:
        raise Invalid(f"{ascii(name)[:100]} is not a metric", hint=f"use one of {', '.join(METRICS)}")
    return METRICS[name]


def influence(metric: Metric, truth: NDArray[Any], answers: NDArray[Any]) -> tuple[float, NDArray[np.float64]]:
    """The metric's value, and for each row its influence on it: centred, so that their mean is the value's error.

    The error of a difference is then the mean of the differences, whatever the metric.
    """
    import numpy as np

    if metric.name == "roc_auc":
        return _area(truth, answers)
    losses = _LOSSES[metric.name](truth, answers)
    mean = float(losses.mean())
    if metric.name != "rmse":
        return mean, losses - mean
    root = math.sqrt(mean)
    return root, (losses - mean) / (2 * root) if root else np.zeros(len(losses))


def _area(truth: NDArray[np.float64], scores: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """The area under the ROC curve and the placements of DeLong, scaled so that their variances add up to his."""
    import numpy as np

    positive = truth == 1
    ones, noughts = int(positive.sum()), int((~positive).sum())
    own = np.empty(len(scores))
    own[positive], own[~positive] = _ranks(scores[positive]), _ranks(scores[~positive])
    placed = _ranks(scores) - own  # how many of the other class score lower, ties as a half
    area = float(placed[positive].sum() / (ones * noughts))
    rows = np.where(positive, placed / noughts - area, 1 - placed / ones - area)
    sizes = np.where(positive, ones * max(1, ones - 1), noughts * max(1, noughts - 1))
    return area, rows * np.sqrt(len(scores) * (len(scores) - 1) / sizes)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, ties sharing their mean."""
    import numpy as np

    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[place]
    return ranks


def _log_loss(truth: NDArray[np.float64], answers: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    tiny = np.finfo(np.float64).eps  # as scikit-learn: a sure and wrong answer costs 36, not infinity
    right = np.clip(np.where(truth == 1, answers, 1 - answers), tiny, 1 - tiny)
    losses: NDArray[np.float64] = -np.log(right)
    return losses


def _squared(truth: NDArray[np.float64], answers: NDArray[np.float64]) -> NDArray[np.float64]:
    return (answers - truth) ** 2


def _absolute(truth: NDArray[np.float64], answers: NDArray[np.float64]) -> NDArray[np.float64]:
    return abs(answers - truth)


def _correct(truth: NDArray[Any], answers: NDArray[Any]) -> NDArray[np.float64]:
    import numpy as np

    numeric = truth.dtype != object and answers.dtype != object
    if numeric and np.isin(truth, (0.0, 1.0)).all():
        answers = np.where((answers >= 0) & (answers <= 1), answers >= 0.5, answers)
    return np.asarray(truth == answers, dtype=np.float64)


_LOSSES = {
    "log_loss": _log_loss,
    "brier": _squared,
    "accuracy": _correct,
    "mae": _absolute,
    "rmse": _squared,
}


def _vector(values: Any, what: str, *, numeric: bool) -> NDArray[Any]:
    """One dimension: floats, or objects where the values are text and the metric takes text."""
    import numpy as np

    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] in {1, 2}:
        array = array[:, -1]
    if array.ndim != 1:
        raise Invalid(f"{what} have the shape {array.shape}", hint="give one value, or two probabilities, for each row")
    if not numeric and array.dtype.kind not in "biuf":
        return array.astype(object)
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise Invalid(f"{what} are not numbers: {error}") from error


def _missing(vector: NDArray[Any]) -> int:
    """Values that are None, NaN, infinite or absurdly large."""
    if vector.dtype != object:
        return int((~(abs(vector) <= LARGEST)).sum())
    return sum(
        1 for value in vector.tolist() if value is None or (isinstance(value, float) and not math.isfinite(value))
    )
