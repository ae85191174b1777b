"""Checks, measurements and verdicts: how an answer about a metric becomes a decision (Law 6)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from model_lifecycle.core.errors import Invalid


class Verdict(StrEnum):
    """The answer of a check. Only PASS lets anything go forward."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DATA = "NO_DATA"
    ERROR = "ERROR"


@dataclass(frozen=True)
class Measurement:
    """One answer to one check, with its evidence.

    :param check: the check's name.
    :param verdict: what it means.
    :param value: the number measured, or None where there is none (never NaN).
    :param samples: how many rows, requests or points the number rests on.
    :param reason: one sentence for the person on call.
    :param critical: whether it decides the overall verdict.
    :param details: JSON values that support the reason.
    """

    check: str
    verdict: Verdict
    value: float | None = None
    samples: int = 0
    reason: str = ""
    critical: bool = True
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            object.__setattr__(self, "value", None)

    def to_dict(self) -> dict[str, Any]:
        """JSON values only."""
        return {**asdict(self), "verdict": str(self.verdict)}


@dataclass(frozen=True)
class Limit:
    """A check against absolute limits: ``minimum <= value <= maximum``.

    :param name: the metric's name.
    :param min_samples: fewer samples than this are INCONCLUSIVE.
    :param critical: a non-critical check is reported and never decides.
    """

    name: str
    minimum: float | None = None
    maximum: float | None = None
    min_samples: int = 1
    critical: bool = True

    def __post_init__(self) -> None:
        if self.minimum is None and self.maximum is None:
            raise Invalid(f"limit {self.name} has neither a minimum nor a maximum", hint="give at least one")

    def judge(self, value: float | None, samples: int, **details: Any) -> Measurement:
        """Judge one number; None, NaN and infinity are NO_DATA, too few samples are INCONCLUSIVE."""
        if value is None or samples <= 0 or not math.isfinite(value):
            return self._answer(Verdict.NO_DATA, None, samples, f"{self.name} has no value", details)
        if samples < self.min_samples:
            reason = f"{self.name} rests on {samples} of at least {self.min_samples} samples"
            return self._answer(Verdict.INCONCLUSIVE, value, samples, reason, details)
        low = self.minimum is not None and value < self.minimum
        high = self.maximum is not None and value > self.maximum
        bound = f"at least {self.minimum:g}" if low else f"at most {self.maximum:g}" if high else "within its limits"
        reason = f"{self.name} is {value:.4g}, {'should be ' if low or high else ''}{bound}"
        return self._answer(Verdict.FAIL if low or high else Verdict.PASS, value, samples, reason, details)

    def _answer(
        self, verdict: Verdict, value: float | None, samples: int, reason: str, details: Mapping[str, Any]
    ) -> Measurement:
        return Measurement(self.name, verdict, value, samples, reason, self.critical, dict(details))


def overall(measurements: Iterable[Measurement]) -> Verdict:
    """The verdict of many: any critical FAIL, else any critical answer that is not PASS, else PASS.

    Nothing measured is NO_DATA: an empty list of critical checks never promotes.
    """
    verdicts = [m.verdict for m in measurements if m.critical]
    for worst in (Verdict.FAIL, Verdict.ERROR, Verdict.NO_DATA, Verdict.INCONCLUSIVE):
        if worst in verdicts:
            return worst
    return Verdict.PASS if verdicts else Verdict.NO_DATA


def table(measurements: Iterable[Measurement]) -> list[str]:
    """The measurements as lines of a log, one each under a heading; what does not decide is marked so."""
    answers = list(measurements)
    width = max([len(m.check) for m in answers], default=0)
    lines = [f"{'verdict':12}  {'check':{width}}  {'value':>10}  {'samples':>8}  why"]
    for m in answers:
        value = "-" if m.value is None else f"{m.value:.4g}"
        why = m.reason if m.critical else f"(does not decide) {m.reason}"
        lines.append(f"{m.verdict:12}  {m.check:{width}}  {value:>10}  {m.samples:>8}  {why}")
    return lines


def log_evidence(log: Any, what: str, found: Sequence[Measurement]) -> None:
    """The verdict about something and what it rests on, one line each."""
    log.info("%s: %s", what, overall(found))
    for line in table(found):
        log.info("  %s", line)


def report(measurements: Iterable[Measurement], **context: Any) -> dict[str, Any]:
    """The JSON that an operator returns: the overall verdict, why, and every measurement."""
    answers = list(measurements)
    verdict = overall(answers)
    decisive = [m.reason for m in answers if m.critical and m.verdict == verdict]
    return {
        **context,
        "verdict": str(verdict),
        "reason": "; ".join(decisive) or "nothing was measured",
        "measurements": [m.to_dict() for m in answers],
    }
