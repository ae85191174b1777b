"""The metrics: what each takes for labels and predictions, its value, and how much each row moves it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import Invalid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HIGHER_IS_BETTER = frozenset({"accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "r2"})
LARGEST = 1e60
"""Numbers beyond this are no answers: their squares' squares could not be added."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    :param takes: ``probability``, ``score``, ``number``, ``class`` (the probability of class 1, or 0 and 1 themselves;
        0.5 and above is class 1), or ``answer`` (the same, or classes of any names).
    :param ceiling: the largest value there is.
    :param floor: the smallest.
    """

    name: str
    takes: str
    ceiling: float = math.inf
    floor: float = 0.0

    @property
    def binary(self) -> bool:
        """Whether the labels are 0 and 1."""
        return self.takes in {"probability", "score", "class"}

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
        outside = int(((answers < 0) | (answers > 1)).sum()) if self.takes in {"probability", "class"} else 0
        return f"answered outside of 0 to 1 for {outside} of {len(answers)} rows" if outside else None

    def rarer(self, truth: NDArray[Any]) -> int | None:
        """Rows of the rarer class, where there are two."""
        ones = int(truth.sum()) if self.binary else 0
        return min(ones, len(truth) - ones) if self.binary else None

    def defined(self, truth: NDArray[Any], answers: NDArray[Any] | None = None) -> bool:
        """Whether these labels, and these answers where given, have a value of the metric."""
        if len(truth) == 0:
            return False
        if self.name == "roc_auc":
            return bool(self.rarer(truth))
        if self.name == "r2":
            return bool(truth.min() < truth.max())
        if self.takes != "class" or answers is None:
            return self.name != "recall" or bool(truth.any())
        said = answers >= 0.5
        return bool({"precision": said, "recall": truth == 1, "f1": said | (truth == 1)}[self.name].any())

    def constant(self, truth: NDArray[Any]) -> NDArray[Any]:
        """The one answer for all rows that the metric likes best for these labels."""
        import numpy as np

        if self.takes == "class":
            return np.ones(len(truth))
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
        Metric("balanced_accuracy", "answer", ceiling=1.0),
        Metric("precision", "class", ceiling=1.0),
        Metric("recall", "class", ceiling=1.0),
        Metric("f1", "class", ceiling=1.0),
        Metric("roc_auc", "score", ceiling=1.0),
        Metric("mae", "number"),
        Metric("rmse", "number"),
        Metric("r2", "number", ceiling=1.0, floor=-math.inf),
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

    if metric.name in _RATIOS:
        return _RATIOS[metric.name](truth, answers)
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


def _balanced(truth: NDArray[Any], answers: NDArray[Any]) -> tuple[float, NDArray[np.float64]]:
    """The mean over classes of the share of their rows that was right; each class weighs the same."""
    import numpy as np

    right = _correct(truth, answers)
    _, place, counts = np.unique(truth.astype(str) if truth.dtype == object else truth, return_inverse=True,
                                 return_counts=True)  # fmt: skip
    recalls = np.bincount(place, weights=right) / counts
    moved = (right - recalls[place]) * len(truth) / (len(counts) * counts[place])
    return float(recalls.mean()), moved


def _precision(truth: NDArray[np.float64], answers: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    said = answers >= 0.5
    return _ratio(said & (truth == 1), said)


def _recall(truth: NDArray[np.float64], answers: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    return _ratio((answers >= 0.5) & (truth == 1), truth == 1)


def _f1(truth: NDArray[np.float64], answers: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """The ratio 2 TP / (2 TP + FP + FN), whose error the delta method gives (Takagi et al. 2022, Appl. Intell. 52)."""
    said, is_one = answers >= 0.5, truth == 1
    return _ratio(2.0 * (said & is_one), said.astype(float) + is_one)


def _r2(truth: NDArray[np.float64], answers: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """One less the ratio of squared errors to the squared distances from the labels' mean."""
    ratio, moved = _ratio((answers - truth) ** 2, (truth - truth.mean()) ** 2)
    return 1 - ratio, -moved


def _ratio(above: NDArray[Any], below: NDArray[Any]) -> tuple[float, NDArray[np.float64]]:
    """A ratio of two means and how each row moves it, by the delta method (Cochran 1977, Sampling Techniques, 2.11)."""
    mean = float(below.mean())
    ratio = float(above.mean()) / mean
    return ratio, (above - ratio * below) / mean


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


_RATIOS = {
    "roc_auc": _area,
    "balanced_accuracy": _balanced,
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "r2": _r2,
}


def trials(metric: Metric, truth: NDArray[Any], answers: NDArray[Any]) -> int | None:
    """Of how many rows the value is the share that was right, or None where it is no such share."""
    if metric.name == "accuracy":
        return len(truth)
    if metric.name == "precision":
        return int((answers >= 0.5).sum())
    return int((truth == 1).sum()) if metric.name == "recall" else None


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
