"""What a monitor asks about a live version, given what one window of labelled rows has shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model_lifecycle.core.checks import Limit, Measurement, Verdict
from model_lifecycle.core.drift import PREDICTION, ColumnDrift, compare, judge_drift
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.profile import Profile, profile
from model_lifecycle.core.quality import compare as compare_quality
from model_lifecycle.core.quality import measure

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
    """

    requests: int
    errors: Sequence[str]
    features: Columns
    labels: Sequence[Any]
    predictions: Sequence[float]
    fallback: Sequence[float] | None = None
    reference: Profile | None = None


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
        compared = compare_quality(
            self.metric,
            window.labels,
            window.predictions,
            window.fallback,
            margin=-self.tolerance,
            min_samples=self.min_samples,
            critical=self.critical,
            rival="version before",
        )
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
        seen = profile({**window.features, PREDICTION: window.predictions}, edges_from=window.reference)
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


Check = Health | Quality | Drift
DEFAULT_CHECKS: tuple[Check, ...] = (Health(), Quality(), Drift())
