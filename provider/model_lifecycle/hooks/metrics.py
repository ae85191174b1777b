"""The contracts of whatever counts the requests of an endpoint, and of a metric system that answers expressions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import conf

from model_lifecycle.core.counts import Counts
from model_lifecycle.core.samples import Sample
from model_lifecycle.hooks.finding import find_hook, wrong_kind

DEFAULT_CONNECTION = "prometheus_default"
"""Whom those ask who cannot go on without a metric system."""


class MetricsHook(ABC):
    """A source of numbers about versions: a router, a model server that counts by version, a metric system.

    A gate compares two versions that serve at the same time, so what it needs of a source is the counts of both at
    one instant, not one number.
    """

    @abstractmethod
    def counts(self, model: str) -> dict[int, Counts]:
        """What each version was asked since its counter began; a version that was never asked may be missing.

        Counters only rise, and begin again at zero when their system is restarted.

        :raises Unavailable: if the system does not answer; no data is not the same (Law 6).
        """


class MetricSystemHook(MetricsHook):
    """A metric system behind one connection, such as Prometheus: it answers expressions and takes what we publish.

    No data is an answer, never an error and never health (Law 6): an expression without a series, NaN and infinities
    are None. A system that is away is :class:`~model_lifecycle.core.errors.Unavailable`, so that nobody takes silence
    for an answer.
    """

    @abstractmethod
    def query(self, expression: str, at: datetime | None = None) -> float | None:
        """The one number that an expression has at a moment, now by default; None where there is none.

        :raises Invalid: if the expression is wrong, or has several series; the labels in which they differ are named.
        :raises Unavailable: if the system does not answer, or not in time.
        """

    @abstractmethod
    def query_range(
        self, expression: str, start: datetime, end: datetime, step: timedelta
    ) -> list[tuple[datetime, float]]:
        """The numbers of one series, oldest first, at start, start + step and so on until end; gaps are left out.

        NaN and infinities are gaps. Errors are those of :meth:`query`.
        """

    @abstractmethod
    def is_online(self) -> None:
        """Return if the system answers expressions for us now.

        :raises Unavailable: if it is away or not ready yet.
        :raises Denied: if it does not let us in.
        :raises Invalid: if something else answers there.
        """

    def board_url(self, board: str, **variables: str) -> str | None:
        """The address of one of the dashboards of this package that shows these numbers, or None; nobody is asked.

        :param variables: what the dashboard is to show, by the names of its variables.
        """
        return None

    @abstractmethod
    def publish(self, job: str, grouping: Mapping[str, str], samples: Iterable[Sample]) -> None:
        """Make samples visible to the system; they replace all that was published under this job and grouping.

        :raises Invalid: if the connection names no place for them, or a name or label is not allowed.
        :raises Unavailable: if that place does not answer.
        """


def metrics_hook(conn_id: str) -> MetricSystemHook:
    """The hook for a metric system's connection, found by the connection's type.

    :raises Invalid: if there is no such connection, or it is of another kind.
    """
    hook = find_hook(conn_id, "prometheus")
    if not isinstance(hook, MetricSystemHook):
        raise wrong_kind(conn_id, "is no metric system", "prometheus")
    return hook


def metrics_connection(given: str | None) -> str | None:
    """The metric system that a task tells and asks: the connection given, or that of the configuration, or None."""
    named = given if given not in (None, "", "None") else conf.get("model_lifecycle", "metrics_conn_id", fallback=None)
    return str(named) if named else None
