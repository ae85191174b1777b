"""Checks in a metric system's own language, asked of both versions at every look of a release. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from string import Template
from typing import Any

from model_lifecycle.core.checks import Measurement, Verdict
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.looks import KEPT, Answer, Look
from model_lifecycle.core.names import check_name

NO_DATA_MEANS = (Verdict.NO_DATA, Verdict.INCONCLUSIVE, Verdict.FAIL, Verdict.PASS)


@dataclass(frozen=True)
class Query:
    """A question about the candidate that a metric system answers with one number.

    A look at which the number is out of its limits is bad. FAIL needs ``failures`` bad looks of the last ``of``: one
    number out of line is no verdict. PASS needs the newest look to be good, and ``min_values`` looks with a number.

    :param name: what the check is called in the evidence.
    :param expression: the query, such as PromQL; ``$model``, ``$version`` and ``$endpoint`` stand for what is asked
        about.
    :param minimum: the least the number may be. :param maximum: the most.
    :param max_ratio: how many times the number of the version that serves it may be; for numbers that are not
        negative. Beside 0 anything above 0 is too much: give what is usually 0 a ``maximum`` instead.
    :param critical: only a critical check rolls back; FAIL of another one pauses the release.
    :param dry_run: measure and report, and never decide.
    :param on_no_data: what no number means: NO_DATA or INCONCLUSIVE (the release pauses), FAIL or PASS.
    """

    name: str
    expression: str
    minimum: float | None = None
    maximum: float | None = None
    max_ratio: float | None = None
    failures: int = 3
    of: int = 5
    min_values: int = 3
    critical: bool = True
    dry_run: bool = False
    on_no_data: Verdict = Verdict.NO_DATA

    def __post_init__(self) -> None:
        check_name(self.name, "name of a query")
        if not isinstance(self.expression, str) or not self.expression.strip():
            raise Invalid(f"the query {self.name} has no expression")
        limits = [limit for limit in (self.minimum, self.maximum, self.max_ratio) if limit is not None]
        if not limits or not all(map(math.isfinite, limits)):
            raise Invalid(f"the query {self.name} has no finite limit", hint="give minimum, maximum or max_ratio")
        if (self.max_ratio or 1) < 1:
            raise Invalid(f"the max_ratio of the query {self.name} is below 1")
        if not 1 <= self.failures <= self.of <= KEPT or not 1 <= self.min_values <= KEPT:
            raise Invalid(f"the query {self.name} cannot fail {self.failures} of {self.of} looks")
        if self.on_no_data not in NO_DATA_MEANS:
            raise Invalid(f"{self.on_no_data} cannot stand for no data")

    def to_dict(self) -> dict[str, Any]:
        """JSON values only; :meth:`from_dict` reads them back."""
        return {**asdict(self), "on_no_data": str(self.on_no_data)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Query:
        """Read what :meth:`to_dict` wrote, or what a person wrote in JSON.

        :raises Invalid: if a field is missing, unknown or of another kind.
        """
        try:
            return cls(**{**value, "on_no_data": Verdict(str(value.get("on_no_data", Verdict.NO_DATA)).upper())})
        except (TypeError, ValueError, AttributeError) as error:
            hint = "write its fields as JSON, such as name, expression and maximum"
            raise Invalid(f"not a query: {error}", hint=hint) from error

    def about(self, *, endpoint: str, model: str, version: int) -> str:
        """The expression about one version; a ``$`` before anything else stays, as in regular expressions."""
        return Template(self.expression).safe_substitute(endpoint=endpoint, model=model, version=version)

    def judge(self, looks: Sequence[Look]) -> Measurement:
        """Answer after these looks at one step."""
        answers = [look.answers.get(self.name, Answer()) for look in looks]
        beside = bool(looks) and looks[-1].baseline is not None
        newest = answers[-1] if answers else Answer()
        known = sum(answer.candidate is not None for answer in answers)
        recent = answers[-self.of :]
        bad = [fault for answer in recent if (fault := self._fault(answer, beside=beside))]
        verdict, reason = self._verdict(newest, known, bad, len(recent), beside=beside)
        details = {"expression": self.expression, "baseline": newest.baseline}
        return Measurement(self.name, verdict, newest.candidate, known, reason, details=details)

    def _verdict(self, newest: Answer, known: int, bad: Sequence[str], of: int, *, beside: bool) -> tuple[Verdict, str]:
        if len(bad) >= self.failures:
            return Verdict.FAIL, f"{bad[-1]}, in {len(bad)} of the last {of} looks"
        if newest.fault:
            return Verdict.ERROR, newest.fault
        if newest.candidate is None:
            return Verdict.NO_DATA, "the query has no value"
        if self.max_ratio is not None and beside and (newest.baseline is None or newest.baseline < 0):
            return Verdict.INCONCLUSIVE, "there is no value of the version that serves to compare with"
        if self._fault(newest, beside=beside):
            return Verdict.INCONCLUSIVE, f"{bad[-1]}, in {len(bad)} of the last {of} looks"
        if known < self.min_values:
            return Verdict.INCONCLUSIVE, f"{newest.candidate:.4g}, at {known} of at least {self.min_values} looks"
        against = "" if newest.baseline is None else f", {newest.baseline:.4g} of the version that serves"
        return Verdict.PASS, f"{newest.candidate:.4g}{against}"

    def _fault(self, answer: Answer, *, beside: bool) -> str:
        """What is wrong with the number of one look; empty if nothing is, or there is none."""
        value, baseline = answer.candidate, answer.baseline
        if value is None:
            return ""
        if self.minimum is not None and value < self.minimum:
            return f"{value:.4g} is less than {self.minimum:g}"
        if self.maximum is not None and value > self.maximum:
            return f"{value:.4g} is more than {self.maximum:g}"
        if self.max_ratio is None or not beside or baseline is None or not 0 <= baseline < value / self.max_ratio:
            return ""
        return f"{value:.4g} is more than {self.max_ratio:g} times {baseline:.4g} of the version that serves"
