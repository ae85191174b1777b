"""The gate of a rollout: two versions' counts in, verdicts out. Pure.

Rates are compared by a mixture of sequential probability ratio tests (Robbins 1970; Johari, Koomen, Pekelis and Walsh
2022, "Always Valid Inference"): of all failures of both versions, the share that fell on the candidate is what its
share of the requests would give it, unless it is worse. The test may be looked at as often as one likes and errs with
probability ``alpha`` at most over all looks together; a fixed-time test looked at 30 times errs in one of four healthy
releases. Latencies are compared by the same test, with "slow" for "failed".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from model_lifecycle.core.checks import Measurement, Verdict
from model_lifecycle.core.counts import Counts, quantile, slower
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.looks import Look, added_up
from model_lifecycle.core.query import NO_DATA_MEANS, Query

ALPHA = 0.05
"""The share of healthy releases that all comparisons of a release together may roll back."""
RATIOS = (1.5, 2.5, 5.0, 12.0)
"""How many times worse a candidate is, in the alternatives of the mixture; each has the same weight."""
EARLY = 50
"""Requests in one window, or of each side in a comparison, below which nothing FAILs."""

_METRIC = re.compile(r"error_rate|refusal_rate|latency_p([1-9][0-9]?(?:\.[0-9])?)")


@dataclass(frozen=True)
class Check:
    """A question about the candidate's requests, asked at every look of a rollout.

    :param metric: ``error_rate`` (answers of 500 and above, and none at all), ``refusal_rate`` (400 to 499), or
        ``latency_p50``, ``latency_p95``, ``latency_p99`` and the like, in seconds.
    :param maximum: FAIL when this is exceeded in ``failures`` of the last ``of`` windows, or over the whole step.
    :param hard_maximum: FAIL at once when it is exceeded in one window.
    :param compare: compare with the version that serves at the same time.
    :param max_ratio: how many times the baseline's the candidate's quantile may be; for latencies only.
    :param min_samples: requests of each side below which the answer is INCONCLUSIVE.
    :param critical: only a critical check rolls back; FAIL of another one pauses the release.
    :param dry_run: measure and report, and never decide.
    :param on_no_data: what no request at all means: INCONCLUSIVE (the release pauses), FAIL or PASS.
    """

    metric: str = "error_rate"
    maximum: float | None = None
    hard_maximum: float | None = None
    compare: bool = True
    max_ratio: float = 1.2
    failures: int = 3
    of: int = 5
    min_samples: int = 500
    critical: bool = True
    dry_run: bool = False
    on_no_data: Verdict = Verdict.NO_DATA

    def __post_init__(self) -> None:
        if not _METRIC.fullmatch(self.metric):
            hint = "known are error_rate, refusal_rate and latency_p50, latency_p95, latency_p99 or another quantile"
            raise Invalid(f"{ascii(self.metric)[:100]} is no metric of a gate", hint=hint)
        if not self.compare and self.maximum is None and self.hard_maximum is None:
            raise Invalid(f"the check of {self.metric} has no limit and compares nothing", hint="give it one of them")
        limits = [limit for limit in (self.maximum, self.hard_maximum) if limit is not None]
        if not all(math.isfinite(limit) and limit >= 0 for limit in limits) or self.max_ratio < 1:
            raise Invalid(f"a limit of the check of {self.metric} is out of range")
        if not 1 <= self.failures <= self.of or self.min_samples < 1:
            raise Invalid(f"the check of {self.metric} cannot fail {self.failures} of {self.of} windows")
        if self.on_no_data not in NO_DATA_MEANS:
            raise Invalid(f"{self.on_no_data} cannot stand for no data")

    def to_dict(self) -> dict[str, Any]:
        """JSON values only; :meth:`from_dict` reads them back."""
        return {**asdict(self), "on_no_data": str(self.on_no_data)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Check:
        """Read what :meth:`to_dict` wrote, or what a person wrote in JSON.

        :raises Invalid: if a field is unknown or of another kind.
        """
        try:
            verdict = Verdict(str(value.get("on_no_data", Verdict.NO_DATA)).upper())
            return cls(**{**value, "on_no_data": verdict})
        except (TypeError, ValueError, AttributeError) as error:
            raise Invalid(
                f"not a check: {error}", hint="write its fields as JSON, such as metric and maximum"
            ) from error

    @property
    def quantile(self) -> float | None:
        """The quantile of a latency, or None for a rate."""
        match = _METRIC.fullmatch(self.metric)
        return float(match[1]) / 100 if match and match[1] else None


DEFAULT_CHECKS = (
    Check("error_rate", hard_maximum=0.2),
    Check("refusal_rate"),
    Check("latency_p95", max_ratio=1.5),
)


def check_from(value: Any) -> Check | Query:
    """A check, or its JSON: a :class:`Query` has an expression.

    :raises Invalid: if it is neither.
    """
    if isinstance(value, Check | Query):
        return value
    return Query.from_dict(value) if isinstance(value, Mapping) and "expression" in value else Check.from_dict(value)


def judge(
    checks: Iterable[Check | Query],
    looks: Sequence[Look],
    earlier: Sequence[Look] = (),
    *,
    alpha: float = ALPHA,
    end: bool = False,
) -> list[Measurement]:
    """Answer every check after these looks at one step.

    :param earlier: each earlier step of the same release added up; what they showed against the candidate is not
        forgotten, and all steps together are one sequential test.
    :param alpha: the error that all comparisons may make together.
    :param end: whether the step is over, so that the limits are held against all of it.
    """
    asked = list(checks)
    share = alpha / max(1, sum(isinstance(check, Check) and check.compare for check in asked))
    step = _Step(looks, added_up(looks) if looks else Look(datetime.min, Counts()), tuple(earlier), share, end)
    return [_decided(check, _answer(check, step)) for check in asked]


@dataclass(frozen=True)
class _Step:
    looks: Sequence[Look]
    total: Look
    earlier: Sequence[Look]
    alpha: float
    end: bool


def _decided(check: Check | Query, found: Measurement) -> Measurement:
    """What an answer counts for, by the options of its check."""
    if found.verdict is Verdict.NO_DATA and check.on_no_data is not Verdict.NO_DATA:
        found = replace(found, verdict=check.on_no_data)
    if check.dry_run:
        return replace(found, critical=False, reason=f"(dry run) {found.reason}")
    if check.critical:
        return found
    worse = found.verdict is Verdict.FAIL
    return replace(found, verdict=Verdict.INCONCLUSIVE, critical=True) if worse else replace(found, critical=False)


def _answer(check: Check | Query, step: _Step) -> Measurement:
    if isinstance(check, Query):
        return check.judge(step.looks)
    candidate, baseline = step.total.candidate, step.total.baseline if check.compare else None
    value = measured(check, candidate)
    if value is None:
        return Measurement(check.metric, Verdict.NO_DATA, None, 0, "the candidate was asked nothing")
    details = _details(check, baseline)
    worse = _over_limit(check, step) or (_worse(check, step) if check.compare else None)
    few = _too_few(check, candidate, baseline)
    against = f", {details['baseline']:.4g} of the version that serves" if details.get("baseline") is not None else ""
    verdict = Verdict.FAIL if worse else Verdict.INCONCLUSIVE if few else Verdict.PASS
    reason = worse or few or f"{value:.4g}{against}"
    return Measurement(check.metric, verdict, value, candidate.requests, reason, details=details)


def _details(check: Check, baseline: Counts | None) -> dict[str, Any]:
    if baseline is None:
        return {}
    return {"baseline": measured(check, baseline), "baseline_samples": baseline.requests}


def measured(check: Check, counts: Counts) -> float | None:
    """The check's number, or None where nothing was counted."""
    if counts.requests <= 0:
        return None
    if check.quantile is not None:
        return quantile(counts.latency, check.quantile)
    return _failed(check, counts) / counts.requests


def _failed(check: Check, counts: Counts) -> int:
    return counts.errors if check.metric == "error_rate" else counts.refused


def _over_limit(check: Check, step: _Step) -> str | None:
    if check.hard_maximum is not None:
        value = _in_window(check, step.looks[-1].candidate)
        if value is not None and value > check.hard_maximum:
            return f"{value:.4g} in one window, above the hard limit {check.hard_maximum:g}"
    if check.maximum is None:
        return None
    found = [_in_window(check, look.candidate) for look in step.looks[-check.of :]]
    over = sum(value is not None and value > check.maximum for value in found)
    if over >= check.failures:
        return f"above {check.maximum:g} in {over} of the last {len(found)} windows"
    total = step.total.candidate
    value = measured(check, total) if step.end and total.requests >= check.min_samples else None
    return f"{value:.4g} over the whole step, above {check.maximum:g}" if value and value > check.maximum else None


def _in_window(check: Check, counts: Counts) -> float | None:
    return measured(check, counts) if counts.requests >= EARLY else None


def _worse(check: Check, step: _Step) -> str | None:
    """Why the candidate is worse than the baseline, if that is certain."""
    parts = []
    for look in (*step.earlier, step.total):
        candidate, baseline = look.candidate, look.baseline
        if baseline is not None and min(candidate.requests, baseline.requests) >= min(EARLY, check.min_samples):
            mine, theirs, what = _failures(check, candidate, baseline)
            parts.append((mine, mine + theirs, candidate.requests / (candidate.requests + baseline.requests)))
            asked = f"of {candidate.requests}", f"of {baseline.requests}"
    evidence = mixture(parts)
    if evidence < 1 / step.alpha:
        return None
    compared = f"{mine} {asked[0]} {what}, {theirs} {asked[1]} of the version that serves"
    return f"{compared}: chance alone does that once in {min(evidence, 1e9):.3g} releases"


def _failures(check: Check, candidate: Counts, baseline: Counts) -> tuple[int, int, str]:
    if check.quantile is None:
        word = "failed" if check.metric == "error_rate" else "were refused"
        return _failed(check, candidate), _failed(check, baseline), word
    usual = quantile(baseline.latency, check.quantile) or 0.0
    slow = check.max_ratio * usual
    mine, theirs = slower(candidate.latency, slow), slower(baseline.latency, usual)
    return mine, theirs, f"took longer than {slow * 1000:.3g} ms"


def _too_few(check: Check, candidate: Counts, baseline: Counts | None) -> str | None:
    sides = [("the candidate", candidate)]
    if check.compare and baseline is not None:
        sides.append(("the version that serves", baseline))
    for name, counts in sides:
        if counts.requests < check.min_samples:
            return f"{name} was asked {counts.requests} of at least {check.min_samples} times"
    return None


def mixture(parts: Iterable[tuple[int, int, float]]) -> float:
    """The evidence that more failures fell on the candidate than its share of the requests explains.

    If both fail equally often, every failure falls on the candidate with the probability of its share, and the value
    exceeds ``1 / alpha`` at any time with probability ``alpha`` at most (Ville's inequality). It is 1 before anything
    failed.

    :param parts: for each step the failures of the candidate, the failures of both, the candidate's share.
    """
    known = [part for part in parts if 0 < part[2] < 1 and part[1] > 0]
    logs = [math.fsum(_log_ratio(ratio, *part) for part in known) for ratio in RATIOS]
    top = max(logs)
    return math.exp(min(700.0, top)) * math.fsum(math.exp(value - top) for value in logs) / len(logs)


def _log_ratio(ratio: float, hits: int, total: int, share: float) -> float:
    odds = ratio * share / (1 - share + ratio * share)
    return hits * math.log(odds / share) + (total - hits) * math.log((1 - odds) / (1 - share))
