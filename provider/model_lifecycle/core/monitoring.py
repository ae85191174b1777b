"""What a monitor asks about a live version, given what one window of labelled rows has shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.checks import Limit, Measurement, Verdict
from model_lifecycle.core.drift import PREDICTION, ColumnDrift, compare, judge_drift
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.joining import Joined
from model_lifecycle.core.metrics import HIGHER_IS_BETTER
from model_lifecycle.core.profile import Profile, profile
from model_lifecycle.core.quality import compare as compare_quality
from model_lifecycle.core.quality import compare_apart, measure
from model_lifecycle.core.slices import SliceRule, judge_slices

if TYPE_CHECKING:
    from model_lifecycle.core.estimated import Expected

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Window:
    """What one look at an endpoint has gathered.

    :param requests: how many requests were sent.
    :param errors: what was wrong with each that failed.
    :param features: the columns of the rows that were answered.
    :param labels: their labels, in the same order.
    :param predictions: what the live version answered, in the same order.
    :param fallback: what the version a rollback would restore answers for the same rows, or None if it cannot be asked.
    :param reference: the profile that the live version was registered with, or None.
    :param others: labels and predictions of the version before for other rows of the same time, from the log.
    :param groups: further columns of the labelled rows, to slice by.
    :param joined: what became of the labels of logged predictions that should have one by now; None if the endpoint
        was asked about labelled rows.
    :param unlabelled: logged predictions that have no label, whether or not they should.
    :param past: labels and predictions of this version from before, to calibrate with; the labelled rows by default.
    :param seen: all answered rows with their predictions, labelled or not; those above by default.
    """

    requests: int
    errors: Sequence[str]
    features: Columns
    labels: Sequence[Any]
    predictions: Sequence[float]
    fallback: Sequence[float] | None = None
    reference: Profile | None = None
    others: tuple[Sequence[Any], Sequence[Any]] | None = None
    groups: Columns = field(default_factory=dict)
    joined: Joined | None = None
    unlabelled: Sequence[Any] = ()
    past: tuple[Sequence[Any], Sequence[Any]] | None = None
    seen: Columns | None = None

    def answered(self) -> Columns:
        """All answered rows with their predictions, to compare with the reference."""
        return {**self.features, PREDICTION: self.predictions} if self.seen is None else self.seen


@dataclass(frozen=True)
class Health:
    """Whether the endpoint answers: FAIL if more than this share of the requests failed."""

    max_error_share: float = 0.0
    critical: bool = True

    def judge(self, window: Window) -> list[Measurement]:
        """One measurement, ``health``: the share of failed requests."""
        share = len(window.errors) / window.requests if window.requests else None
        limit = Limit("health", maximum=self.max_error_share, critical=self.critical)
        found = limit.judge(share, window.requests, errors=list(window.errors[:5]), unit="share of failed requests")
        reason = f"{len(window.errors)} of {window.requests} requests failed"
        return [replace(found, reason=reason)]


@dataclass(frozen=True)
class Quality:
    """Whether the live version is worse, on the newest labels, than the version a rollback would restore.

    Without such a version it is compared with the constant prediction, as :func:`model_lifecycle.core.quality.compare`
    describes; the verdict rests on the confidence interval of the difference, not on the difference.

    :param metric: a metric of :mod:`model_lifecycle.core.quality`.
    :param tolerance: how much worse it may be, in units of the metric.
    :param limits: absolute limits besides.
    """

    metric: str = "log_loss"
    tolerance: float = 0.0
    limits: Sequence[Limit] = ()
    min_samples: int = 500
    critical: bool = True

    def __post_init__(self) -> None:
        if self.tolerance < 0:
            raise Invalid(f"a tolerance of {self.tolerance} is negative")

    def judge(self, window: Window) -> list[Measurement]:
        """The comparison, named after the metric, and one measurement for each limit."""
        rule: dict[str, Any] = {
            "margin": -self.tolerance,
            "min_samples": self.min_samples,
            "critical": self.critical,
            "rival": "version before",
        }
        if window.fallback is None and window.others is not None:
            compared = compare_apart(self.metric, (window.labels, window.predictions), window.others, **rule)
        else:
            compared = compare_quality(self.metric, window.labels, window.predictions, window.fallback, **rule)
        return [compared, *(self._limit(limit, window) for limit in self.limits)]

    def _limit(self, limit: Limit, window: Window) -> Measurement:
        if not len(window.labels):
            return limit.judge(None, 0)
        found = measure(limit.name, window.labels, window.predictions)
        return limit.judge(found.value, found.samples, low=found.low, high=found.high)


@dataclass(frozen=True)
class Drift:
    """Whether features and predictions still look as they did when the version was registered.

    Drift alone says that the world has changed, not that the version is wrong: by default it is reported, to ask for
    a new training, and never decides.

    :param share: feature drift FAILs when at least this share of the features has drifted.
    """

    share: float = 0.3
    effect: float = 0.1
    alpha: float = 0.05
    min_samples: int = 500
    critical: bool = False

    def judge(self, window: Window) -> list[Measurement]:
        """Two measurements, ``feature_drift`` and ``prediction_drift``."""
        if window.reference is None:
            reason = "the version was registered without a profile"
            return [
                Measurement(name, Verdict.NO_DATA, reason=reason, critical=self.critical)
                for name in ("feature_drift", "prediction_drift")
            ]
        seen = profile(window.answered(), edges_from=window.reference)
        return self.judge_columns(self.compare(window.reference, seen))

    def compare(self, reference: Profile, seen: Profile) -> list[ColumnDrift]:
        """Compare column by column, as this check is set."""
        return compare(reference, seen, effect=self.effect, alpha=self.alpha, min_samples=self.min_samples)

    def judge_columns(self, columns: Sequence[ColumnDrift], *, predictions: bool = True) -> list[Measurement]:
        """The two measurements.

        :param predictions: whether there should be predictions: if not, ``prediction_drift`` never decides.
        """
        critical = self.critical and predictions
        return judge_drift(columns, share=self.share, features_critical=self.critical, prediction_critical=critical)


@dataclass(frozen=True)
class Coverage:
    """Whether enough of the logged predictions that should have a label have one, and the labels can be trusted.

    :param min_coverage: fewer are INCONCLUSIVE: those that came first may be others than those to come. None at all is
        NO_DATA.
    :param max_faulty: more labels than this share that contradict each other, cannot be read or cannot be told apart
        are an ERROR: the table of labels, or the key, is wrong.
    """

    min_coverage: float = 0.8
    max_faulty: float = 0.01
    critical: bool = True

    def judge(self, window: Window) -> list[Measurement]:
        """Two measurements, ``coverage`` and ``labels``."""
        joined = window.joined
        if joined is None:
            reason = "the endpoint was asked about labelled rows; no prediction waits for a label"
            return [Measurement("coverage", Verdict.NO_DATA, reason=reason, critical=self.critical)]
        expected, came = len(joined.labels), sum(1 for label in joined.labels if label is not None)
        return [self._coverage(expected, came, joined), self._labels(expected, joined)]

    def _coverage(self, expected: int, came: int, joined: Joined) -> Measurement:
        verdict = Verdict.PASS if came >= self.min_coverage * expected else Verdict.INCONCLUSIVE
        reason = f"{came} of {expected} predictions that should have a label have one"
        if not expected:
            verdict, reason = Verdict.NO_DATA, "no logged prediction is old enough to have a label"
        elif not came:
            verdict = Verdict.NO_DATA
            if joined.without_prediction:
                reason += f"; {joined.without_prediction} labels are of no logged prediction: look at on="
        value, details = came / expected if came else None, {"min_coverage": self.min_coverage}
        return Measurement("coverage", verdict, value, expected, reason, self.critical, details)

    def _labels(self, expected: int, joined: Joined) -> Measurement:
        tally = joined.tally()
        named = [f"{count} {name.replace('_', ' ')}" for name, count in tally.items() if count]
        reason = ", ".join(named) or "every label is of one prediction"
        share = joined.faulty / expected if expected else None
        verdict = Verdict.ERROR if share is not None and share > self.max_faulty else Verdict.PASS
        if share is None:
            verdict, reason = Verdict.NO_DATA, "no logged prediction is old enough to have a label"
        return Measurement("labels", verdict, share, expected, reason, self.critical, tally)


@dataclass(frozen=True)
class Slices(SliceRule):
    """Whether some part of the rows fares worse; see :class:`model_lifecycle.core.slices.SliceRule`."""

    def judge(self, window: Window) -> list[Measurement]:
        """One measurement for each slice; reported, and never decides unless it is critical."""
        groups = {**window.features, **window.groups}
        return judge_slices(self, groups, window.labels, window.predictions, window.fallback)


@dataclass(frozen=True)
class Estimated:
    """What quality is to be expected of the predictions whose labels are not there.

    :mod:`model_lifecycle.core.estimated` says how, and what it assumes.
    FAIL if the estimate is surely worse, by more than ``tolerance``, than the metric was on the labelled rows.

    :param max_outside: a larger share of scores that no labelled row had is INCONCLUSIVE.
    """

    metric: str = "log_loss"
    tolerance: float = 0.0
    min_samples: int = 500
    max_outside: float = 0.1
    critical: bool = False

    def judge(self, window: Window) -> list[Measurement]:
        """One measurement, ``estimated_<metric>``."""
        from model_lifecycle.core.estimated import ASSUMPTION, estimate

        name, past = f"estimated_{self.metric}", window.past or (window.labels, window.predictions)
        rows = len(window.unlabelled)

        def answer(verdict: Verdict, why: str, value: float | None = None, **details: Any) -> list[Measurement]:
            details |= {"assumption": ASSUMPTION}
            return [Measurement(name, verdict, value, rows, f"{why} ({ASSUMPTION})", self.critical, details)]

        if not rows:
            return answer(Verdict.NO_DATA, "no prediction waits for its label")
        if min(len(past[0]), rows) < self.min_samples:
            return answer(
                Verdict.INCONCLUSIVE,
                f"{rows} rows without and {len(past[0])} with a label, of at least {self.min_samples} each",
            )
        found = estimate(self.metric, past, window.unlabelled)
        if found.today.value is None or found.past.value is None:
            return answer(Verdict.NO_DATA, f"{self.metric} is not defined on these rows")
        return answer(self._verdict(found), self._reason(found), found.today.value, **_shown(found))

    def _verdict(self, found: Expected) -> Verdict:
        if found.outside > self.max_outside:
            return Verdict.INCONCLUSIVE
        low, high, past = found.today.low or 0.0, found.today.high or 0.0, found.past.value or 0.0
        higher = self.metric in HIGHER_IS_BETTER
        worse = high < past - self.tolerance if higher else low > past + self.tolerance
        return Verdict.FAIL if worse else Verdict.PASS

    def _reason(self, found: Expected) -> str:
        today = f"{self.metric} about {found.today.value:.4f}, between {found.today.low:.4f} and {found.today.high:.4f}"
        far = f"; {found.outside:.0%} of the scores lie beyond those with a label" if found.outside else ""
        return f"{today}; {found.past.value:.4f} on the labelled rows{far}"


def _shown(found: Expected) -> dict[str, Any]:
    return {"low": found.today.low, "high": found.today.high, "past": found.past.value, "outside": found.outside}


Check = Health | Quality | Drift | Coverage | Slices | Estimated
DEFAULT_CHECKS: tuple[Check, ...] = (Health(), Quality(), Drift())
LOG_CHECKS: tuple[Check, ...] = (Coverage(), Quality(), Drift(), Estimated())
"""What is asked of logged predictions: nobody is asked anything, so there is no health of requests."""


def judge_window(checks: Sequence[Check], window: Window) -> list[Measurement]:
    """What all checks say about a window.

    What rests on labels neither passes nor fails while they do not stand: labels that come first are not like the
    others, and a wrong table of labels proves nothing. It is INCONCLUSIVE instead, with what it would have been.
    """
    judged = [(check, check.judge(window)) for check in checks]
    labels = [one for check, found in judged if isinstance(check, Coverage) for one in found]
    wrong = [one for one in labels if one.verdict is not Verdict.PASS] if window.joined is not None else []
    return [_on(wrong, one) if isinstance(check, Quality | Slices) else one for check, found in judged for one in found]


def _on(wrong: Sequence[Measurement], found: Measurement) -> Measurement:
    if not wrong or found.verdict not in (Verdict.PASS, Verdict.FAIL):
        return found
    why = "; ".join(f"{one.check} is {one.verdict}: {one.reason}" for one in wrong)
    reason = f"its labels do not stand ({why}); on them alone it would be {found.verdict}: {found.reason}"
    return replace(found, verdict=Verdict.INCONCLUSIVE, reason=reason)
