"""Quality before the labels are there: estimated from calibrated probabilities, and never more than an estimate.

Labelled rows of the past tell how often class 1 came true at each score: an isotonic calibration, found by pooling
adjacent violators (Ayer et al. 1955, Ann. Math. Stat. 26:641; Zadrozny and Elkan 2002, KDD). Today's scores, each with
its calibrated probability, then say what any metric is to be expected (confidence-based performance estimation, as
NannyML describes it). The interval comes from drawing again and again the past rows, and then today's labels.

**What it assumes:** that a score means today what it meant then. It holds when only the mix of inputs has moved
(covariate shift). When the world answers otherwise to the same inputs (concept drift) it sees nothing and goes on
saying that all is well, with a narrow interval. So it asks for attention and decides nothing by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.metrics import Metric, influence, known
from model_lifecycle.core.quality import Estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ASSUMPTION = "estimated: assumes covariate shift only and calibration"
CELLS, CELL_ROWS = 200, 40
"""Groups of neighbouring scores that a calibration is found from, at most; and rows in each, about, at least: groups
of a few rows make it believe in chance."""
DRAWS = 200
MAX_ROWS = 20_000
"""Today's rows beyond this are thinned out evenly: the interval then is that of so many rows."""


@dataclass(frozen=True)
class Past:
    """Labelled scores in groups: the mean score of each, its rows and how many of them are of class 1."""

    scores: NDArray[np.float64]
    rows: NDArray[np.int64]
    ones: NDArray[np.int64]

    @classmethod
    def of(cls, labels: Any, scores: Any) -> Past:
        """Group labelled scores.

        :raises Invalid: if labels are not 0 and 1, or scores are no probabilities.
        """
        import numpy as np

        truth, answers = _read(known("log_loss"), labels, scores)
        order = np.argsort(answers, kind="stable")
        ordered = answers[order]
        cells = min(CELLS, max(1, len(ordered) // CELL_ROWS))
        cuts = np.unique(np.searchsorted(ordered, ordered[np.arange(cells) * len(ordered) // cells], "left"))
        rows = np.diff(np.append(cuts, len(ordered)))
        means = np.add.reduceat(ordered, cuts) / rows
        return cls(means, rows, np.add.reduceat(truth[order], cuts).astype(np.int64))

    def calibrated(self) -> NDArray[np.float64]:
        """The probability of class 1 in each group, rising with the score."""
        return pool_violators(self.ones / self.rows, self.rows.astype(float))


def pool_violators(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rising values that lie closest to these, in weighted squares: pool adjacent violators."""
    import numpy as np

    means: list[float] = []
    masses: list[float] = []
    sizes: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        mean, mass, size = value, weight, 1
        while means and means[-1] >= mean:
            left, mass_left = means.pop(), masses.pop()
            mean = (mean * mass + left * mass_left) / (mass + mass_left)
            mass, size = mass + mass_left, size + sizes.pop()
        means.append(mean)
        masses.append(mass)
        sizes.append(size)
    return np.repeat(means, sizes)


@dataclass(frozen=True)
class Expected:
    """What a metric is expected to be on unlabelled rows, beside what it was on the labelled rows of the past.

    :param today: the estimate with the interval in which the metric will lie once the labels are there.
    :param past: the metric as measured on the past rows.
    :param outside: share of today's scores beyond all that the past has seen: their calibration is a guess.
    """

    today: Estimate
    past: Estimate
    outside: float


def estimate(metric: str, past: tuple[Any, Any], scores: Any, *, alpha: float = 0.05, seed: int = 0) -> Expected:
    """Estimate a metric of probabilities on rows without labels.

    :param past: labels and scores of the past, of the same version.
    :param scores: the probabilities of class 1 that the model answered today.
    :param alpha: the chance that the interval misses the metric, if the assumption holds.
    :param seed: of the draws: the same rows give the same answer.
    :raises Invalid: for a metric that takes no probabilities, or scores that are none.
    """
    import numpy as np

    from model_lifecycle.core.quality import measure

    kind = known(metric)
    if kind.takes == "number":
        raise Invalid(f"{metric} cannot be estimated", hint="only metrics of a classifier's probabilities can")
    _, today = _read(known("log_loss"), np.zeros(len(scores)), scores)
    measured, groups = measure(metric, *past, alpha=alpha), Past.of(*past)
    if not len(today) or not len(groups.rows):
        return Expected(Estimate(None, None, None, len(today)), measured, 0.0)
    outside = float(((today < groups.scores.min()) | (today > groups.scores.max())).mean())
    thin = today[:: max(1, -(-len(today) // MAX_ROWS))]
    chance = np.random.default_rng(seed)
    plain, again = (_draws(kind, groups, thin, chance, recalibrate=again) for again in (False, True))
    if min(len(plain), len(again)) < DRAWS // 2:
        return Expected(Estimate(None, None, None, len(today)), measured, outside)
    # A calibration believes in some of the chance of its rows, and one of its own draws in as much again: the second
    # step shows the size of the first, and both are taken back (Efron and Tibshirani 1993, An Introduction to the
    # Bootstrap, 10.2).
    corrected = np.clip(again - 2 * (again.mean() - plain.mean()), kind.floor, kind.ceiling)
    low, high = np.quantile(corrected, [alpha / 2, 1 - alpha / 2]).tolist()
    return Expected(Estimate(float(corrected.mean()), low, high, len(today)), measured, outside)


def _draws(
    kind: Metric, groups: Past, today: NDArray[np.float64], chance: np.random.Generator, *, recalibrate: bool
) -> NDArray[np.float64]:
    """The metric on today's rows, each time with other labels drawn, and with the past drawn again where asked."""
    import numpy as np

    found, share, total = [], groups.rows / groups.rows.sum(), int(groups.rows.sum())
    rate = groups.calibrated()
    seen, risen = np.ones(len(rate), dtype=bool), rate
    for _ in range(DRAWS):
        if recalibrate:
            rows = chance.multinomial(total, share)
            seen = rows > 0
            drawn = chance.binomial(rows[seen], rate[seen])
            risen = pool_violators(drawn / rows[seen], rows[seen].astype(float))
        truth = (chance.random(len(today)) < np.interp(today, groups.scores[seen], risen)).astype(float)
        if kind.defined(truth) and kind.defined(truth, today):
            found.append(influence(kind, truth, today)[0])
    return np.array(found)


def _read(kind: Metric, labels: Any, scores: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    truth = kind.labels(labels)
    answers = kind.predictions(scores, len(truth))
    fault = kind.fault(answers)
    if fault:
        raise Invalid(f"the model {fault}", hint="estimates need probabilities of class 1")
    return truth, answers
