"""Ask a metric system for one number and judge it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import Context

from model_lifecycle.core.checks import Limit, Measurement, Verdict, log_evidence, report
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.spans import bound, check_span, judge_span
from model_lifecycle.hooks.metrics import DEFAULT_CONNECTION, MetricSystemHook, metrics_connection, metrics_hook
from model_lifecycle.operators.base import ModelLifecycleOperator


class PrometheusMetricOperator(ModelLifecycleOperator):
    """Ask for one number, or for all numbers of a window, and hold them against limits.

    A sick number is a verdict, not an error: the task succeeds and returns FAIL, and the DAG decides. No number is
    NO_DATA. A Prometheus that is away is no verdict: the task fails and is retried.

    :param query: an expression that has one series at most.
    :param minimum: the least it may be. :param maximum: the most.
    :param window: judge every number of so long a time before the moment, not only that of the moment.
    :param step: between two numbers of the window.
    :param samples_query: how many requests or rows the number rests on; without it each number is one sample.
    :param min_samples: fewer samples are INCONCLUSIVE.
    :param at: the moment, an ISO 8601 text with a time zone, such as ``{{ data_interval_end }}``; now by default.
    :param name: what the check is called in the evidence; the task's id by default.
    :param fail_on: verdicts that fail the task, without a retry; none by default.
    :param metrics_conn_id: the connection of the metric system; ``[model_lifecycle] metrics_conn_id`` or
        ``prometheus_default`` by default.
    :returns: the verdict with its evidence, JSON.
    """

    template_fields: Sequence[str] = ("query", "samples_query", "minimum", "maximum", "at", "metrics_conn_id")

    def __init__(
        self,
        *,
        query: str,
        minimum: float | str | None = None,
        maximum: float | str | None = None,
        window: timedelta | None = None,
        step: timedelta = timedelta(seconds=15),
        samples_query: str | None = None,
        min_samples: int = 1,
        at: str | None = None,
        name: str | None = None,
        fail_on: Collection[str] = (),
        metrics_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.query = query
        self.minimum = minimum
        self.maximum = maximum
        self.window = window
        self.step = step
        self.samples_query = samples_query
        self.min_samples = min_samples
        self.at = at
        self.name = name
        self.fail_on = fail_on
        self.metrics_conn_id = metrics_conn_id

    def perform(self, context: Context, **resumed: Any) -> dict[str, Any]:
        """Ask, judge, and say why."""
        failing = verdicts(self.fail_on)
        system = metrics_hook(metrics_connection(self.metrics_conn_id) or DEFAULT_CONNECTION)
        moment = moment_of(self.at)
        found = self._measure(system, moment)
        asked = {"query": self.query, "window": self.window.total_seconds() if self.window else None}
        result = report([found], at=moment.isoformat(), **asked)
        log_evidence(self.log, self.query, [found])
        if found.verdict in failing:
            context["ti"].xcom_push(key="return_value", value=result)
            raise AirflowFailException(f"{found.verdict}: {found.reason}")
        return result

    def _measure(self, system: MetricSystemHook, moment: datetime) -> Measurement:
        least = 1 if self.samples_query else self.min_samples
        limit = Limit(self.name or self.task_id, bound(self.minimum, "minimum"), bound(self.maximum, "maximum"), least)
        if self.window is not None:
            check_span(self.window, self.step)
            start = moment - self.window
            points = system.query_range(self.query, start, moment, self.step)
            found = judge_span(limit, points, start, moment, self.step)
        else:
            found = limit.judge(system.query(self.query, at=moment), 1)
        return self._with_samples(found, system, moment) if self.samples_query else found

    def _with_samples(self, found: Measurement, system: MetricSystemHook, moment: datetime) -> Measurement:
        samples = round(system.query(str(self.samples_query), at=moment) or 0)
        if found.verdict is Verdict.NO_DATA or samples >= self.min_samples:
            return replace(found, samples=samples)
        reason = f"{found.check} rests on {samples} of at least {self.min_samples} samples"
        return replace(found, verdict=Verdict.INCONCLUSIVE, samples=samples, reason=reason)


def verdicts(names: Collection[str]) -> set[Verdict]:
    """The verdicts of these names.

    :raises Invalid: if one is none.
    """
    if isinstance(names, str) or any(name not in set(Verdict) for name in names):
        raise Invalid(f"fail_on is {names!r}", hint=f"a list of {', '.join(Verdict)}")
    return {Verdict(name) for name in names}


def moment_of(text: str | None) -> datetime:
    """The moment that a text names; now if there is none.

    :raises Invalid: if it is no moment, or has no time zone.
    """
    if text in (None, "", "None"):
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise Invalid(f"at is {str(text)[:100]!r} and no moment", hint="write it as ISO 8601") from error
    if moment.tzinfo is None:
        raise Invalid(f"at is {text!r}, without a time zone")
    return moment.astimezone(UTC)
