"""Quality on labelled rows: one model by itself, and a candidate against a champion on the same rows.

A verdict rests on the confidence interval of the difference, never on two numbers side by side: both models saw the
same rows, so the difference of their losses, row by row, is far more certain than either loss.

================= ====== ================================== ==========================================================
metric            better predictions                        confidence interval (normal)
================= ====== ================================== ==========================================================
log_loss          lower  probability of class 1             of the mean over rows
brier             lower  probability of class 1             of the mean over rows
accuracy          higher probability of class 1, or classes of a share (Wilson); compared: of the mean over rows
balanced_accuracy higher probability of class 1, or classes delta method on the mean of the classes' shares
precision, recall higher probability of class 1, or 0 and 1 of a share (Wilson); compared: delta method on the ratio
f1                higher probability of class 1, or 0 and 1 delta method on the ratio, Takagi et al. 2022, Applied
                                                            Intelligence 52:4961
roc_auc           higher any score that rises with class 1  DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837;
                                                            by ranks after Sun and Xu 2014, IEEE Signal Processing
                                                            Letters 21:1389
mae               lower  numbers                            of the mean over rows
rmse              lower  numbers                            delta method on the mean of the squared errors
r2                higher numbers                            delta method on the ratio of the squares
================= ====== ================================== ==========================================================

There is no MAPE: it has no value where a label is 0, and prefers models that predict too little.

``predict_proba`` of two classes may be passed as it is: of two columns the second counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.checks import Measurement, Verdict
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.metrics import HIGHER_IS_BETTER, Metric, influence, known, trials
from model_lifecycle.core.statistics import normal_quantile, wilson_interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BASELINE = "constant prediction"
MIN_CLASS = 10
"""Fewer rows than this of the rarer class are INCONCLUSIVE: the intervals do not hold for them."""


@dataclass(frozen=True)
class Estimate:
    """A metric's value with its confidence interval and the rows it rests on; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None
    samples: int


def measure(metric: str, labels: Any, predictions: Any, *, alpha: float = 0.05) -> Estimate:
    """Measure one model.

    :param alpha: the chance that the interval misses the true value.
    :raises Invalid: if lengths differ, a label is missing, or a prediction is not finite or not of the metric's kind.
    """
    kind = known(metric)
    truth = kind.labels(labels)
    answers = kind.predictions(predictions, len(truth))
    fault = kind.fault(answers)
    _check_kinds(truth, answers)
    if fault:
        raise Invalid(f"the model {fault}", hint="its inputs may be outside of what it was trained on")
    if not kind.defined(truth, answers):
        return Estimate(None, None, None, len(truth))
    value, rows = influence(kind, truth, answers)
    counted = trials(kind, truth, answers)
    low, high = _interval(value, rows, alpha) if counted is None else wilson_interval(value * counted, counted, alpha)
    return Estimate(value, max(low, kind.floor), min(high, kind.ceiling), len(truth))


def compare(
    metric: str,
    labels: Any,
    candidate: Any,
    champion: Any = None,
    *,
    margin: float = 0.0,
    min_samples: int = 500,
    alpha: float = 0.05,
    critical: bool = True,
    rival: str = "champion",
) -> Measurement:
    """Judge the candidate's improvement over the champion on the same rows, in units of the metric.

    PASS if the improvement is surely at least ``margin`` (the lower end of its interval is), FAIL if it is surely less
    (the upper end is), INCONCLUSIVE if the rows cannot tell, are fewer than ``min_samples``, or hold too few of one
    class. A candidate that answers NaN FAILs and a champion that does is an ERROR, both named. Labels of one class are
    NO_DATA for a metric that is not defined on them.

    :param champion: its predictions; None compares with the constant that fits these labels best, such as the base
        rate, which no model without skill can beat.
    :param margin: the smallest improvement required; negative is the largest loss tolerated. Two equal models PASS at
        margin 0 only if they answer exactly the same.
    :param alpha: half of it is the chance to PASS a candidate that improves by just less than the margin.
    :param rival: what to call the champion in the reason.
    :raises Invalid: if lengths differ, a label is missing, or the metric is unknown.
    """
    kind = known(metric)
    truth = kind.labels(labels)
    rival = BASELINE if champion is None else rival
    details: dict[str, Any] = {"baseline": rival, "margin": margin, "alpha": alpha, "min_samples": min_samples}

    def answer(verdict: Verdict, reason: str, value: float | None = None) -> Measurement:
        return Measurement(metric, verdict, value, len(truth), reason, critical, details)

    ours = kind.predictions(candidate, len(truth))
    if not kind.defined(truth):
        return answer(
            Verdict.NO_DATA, f"{metric} is not defined on {len(truth)} rows" + " of one class" * bool(len(truth))
        )
    theirs = kind.constant(truth) if champion is None else kind.predictions(champion, len(truth))
    for name, answers, verdict in (("candidate", ours, Verdict.FAIL), ("champion", theirs, Verdict.ERROR)):
        fault = kind.fault(answers)
        if fault:
            return answer(verdict, f"the {name} {fault}")
        if not kind.defined(truth, answers):
            return answer(Verdict.NO_DATA, f"{metric} is not defined: the {name} never answers class 1")
        _check_kinds(truth, answers)
    gain = _gain(kind, truth, ours, theirs, alpha)
    details.update(gain)
    few = too_few(kind, truth, min_samples)
    verdict = Verdict.INCONCLUSIVE if few else _verdict(gain["low"], gain["high"], margin)
    return answer(verdict, few or _reason(metric, details), gain["candidate"]["value"])


def compare_apart(
    metric: str,
    ours: tuple[Any, Any],
    theirs: tuple[Any, Any],
    *,
    margin: float = 0.0,
    min_samples: int = 500,
    alpha: float = 0.05,
    critical: bool = True,
    rival: str = "version before",
) -> Measurement:
    """As :func:`compare`, of two models that answered different rows: labels and predictions of each.

    The errors of both add up, so far more rows are needed than for the same rows; and the rows must be alike, as those
    of a canary are. Rows of different weeks are not: then a difference may be that of the weeks.

    :raises Invalid: as :func:`measure`.
    """
    kind, found = known(metric), []
    details: dict[str, Any] = {"baseline": rival, "margin": margin, "alpha": alpha, "min_samples": min_samples}

    def answer(verdict: Verdict, reason: str, value: float | None = None) -> Measurement:
        return Measurement(metric, verdict, value, len(ours[0]), reason, critical, details)

    for name, (labels, predictions) in (("candidate", ours), ("champion", theirs)):
        truth = kind.labels(labels)
        answers = kind.predictions(predictions, len(truth))
        fault = kind.fault(answers)
        if fault:
            return answer(Verdict.FAIL if name == "candidate" else Verdict.ERROR, f"the {name} {fault}")
        if not kind.defined(truth) or not kind.defined(truth, answers):
            return answer(Verdict.NO_DATA, f"{metric} is not defined on the {len(truth)} rows of the {name}")
        _check_kinds(truth, answers)
        found.append((*influence(kind, truth, answers), too_few(kind, truth, min_samples)))
    (value, rows, few), (other, other_rows, other_few) = found
    sign = 1.0 if kind.name in HIGHER_IS_BETTER else -1.0
    reach = normal_quantile(1 - alpha) * (error_of(rows) ** 2 + error_of(other_rows) ** 2) ** 0.5
    gain = sign * (value - other)
    details |= {"candidate": _evidence(value, rows, alpha), "champion": _evidence(other, other_rows, alpha)}
    details |= {"improvement": gain, "low": gain - reach, "high": gain + reach}
    few = few or other_few
    return answer(
        Verdict.INCONCLUSIVE if few else _verdict(gain - reach, gain + reach, margin),
        few or _reason(metric, details),
        value,
    )


def _check_kinds(truth: NDArray[Any], answers: NDArray[Any]) -> None:
    """Refuse to compare numbers with texts: nothing would ever be right.

    :raises Invalid: if one holds numbers and the other something else.
    """
    if (truth.dtype == object) != (answers.dtype == object):
        kinds = ["numbers" if one.dtype != object else "texts" for one in (truth, answers)]
        raise Invalid(f"labels are {kinds[0]} and predictions are {kinds[1]}", hint="write both in the same way")


def _gain(kind: Metric, truth: Any, ours: Any, theirs: Any, alpha: float) -> dict[str, Any]:
    (value, rows), (other, other_rows) = influence(kind, truth, ours), influence(kind, truth, theirs)
    sign = 1.0 if kind.name in HIGHER_IS_BETTER else -1.0
    low, high = _interval(sign * (value - other), rows - other_rows, alpha)
    return {
        "candidate": _evidence(value, rows, alpha),
        "champion": _evidence(other, other_rows, alpha),
        "improvement": sign * (value - other),
        "low": low,
        "high": high,
    }


def _evidence(value: float, rows: NDArray[np.float64], alpha: float) -> dict[str, float]:
    low, high = _interval(value, rows, alpha)
    return {"value": value, "low": low, "high": high}


def _interval(value: float, rows: NDArray[np.float64], alpha: float) -> tuple[float, float]:
    """The normal interval of a value whose error is the mean of these rows."""
    reach = normal_quantile(1 - alpha) * error_of(rows)
    return value - reach, value + reach


def error_of(rows: NDArray[np.float64]) -> float:
    """The standard error of a value that each row moves by so much."""
    return float((rows @ rows / (len(rows) * max(1, len(rows) - 1))) ** 0.5)


def _verdict(low: float, high: float, margin: float) -> Verdict:
    if low >= margin:
        return Verdict.PASS
    return Verdict.FAIL if high < margin else Verdict.INCONCLUSIVE


def too_few(kind: Metric, truth: Any, min_samples: int) -> str | None:
    """Why these rows are too few for an interval to hold, or None."""
    if len(truth) < min_samples:
        return f"{kind.name} rests on {len(truth)} of at least {min_samples} rows"
    rarer = kind.rarer(truth)
    if rarer is not None and rarer < MIN_CLASS:
        return f"{kind.name} rests on {rarer} rows of the rarer class, of at least {MIN_CLASS}"
    return None


def _reason(metric: str, details: dict[str, Any]) -> str:
    ours, theirs = details["candidate"]["value"], details["champion"]["value"]
    return (
        f"{metric} {ours:.4f} against {theirs:.4f} of the {details['baseline']}: improvement "
        f"{details['improvement']:+.4f}, surely between {details['low']:+.4f} and {details['high']:+.4f}; "
        f"at least {details['margin']:+g} is required"
    )
