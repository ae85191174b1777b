"""What the operators that change what an endpoint serves have in common: one driver, one wait, one way out."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import conf
from airflow.sdk import Context

from model_lifecycle.core.actions import Wait
from model_lifecycle.core.admission import Request
from model_lifecycle.core.models import Endpoint, ModelVersion
from model_lifecycle.core.plan import Change, Served
from model_lifecycle.core.release import Release
from model_lifecycle.core.strategy import MARGIN, Strategy
from model_lifecycle.hooks.metrics import metrics_connection
from model_lifecycle.operators.base import ModelLifecycleOperator, actor, goes_on, task_key
from model_lifecycle.operators.telling import tell_releases
from model_lifecycle.releases.opening import open_rollout
from model_lifecycle.releases.rollout import Rollout
from model_lifecycle.stores.ledger import Ledger
from model_lifecycle.triggers.release import ReleaseTrigger

SHORTEST_TIMEOUT = timedelta(hours=2)
WORTH_DEFERRING = 3.0
"""Seconds; a hand-over to the triggerer and back costs about as much, so a shorter wait is spent in the worker."""


class ReleaseOperator(ModelLifecycleOperator):
    """Base of the operators that change what an endpoint serves.

    A task that is stopped, by a person or by its time-out, undoes what it had begun before it ends.

    :param timeout: an unfinished release is given up and put back after this time; by default two hours, or what the
        strategy lasts and one hour more.
    :param inputs: rows to ask the endpoint with, ``{column: [values]}``; the artifact's own input example by default.
    :param trust: what the version's files may be and may name, see :class:`~model_lifecycle.core.trust.TrustPolicy`;
        by default what the serving connection's extra ``trust`` says, or else ``[model_lifecycle] trust``.
    :param metrics_conn_id: the metric system that is told of the release at each state; it answers the queries among
        its checks, and counts requests where neither router nor endpoint does. By default ``[model_lifecycle]
        metrics_conn_id``; none is needed.
    :param deferrable: wait in the triggerer instead of in a worker.
    """

    template_fields = (*ModelLifecycleOperator.template_fields, "metrics_conn_id")
    dashboard = "model-lifecycle-release"
    tells = True

    def __init__(
        self,
        *,
        timeout: timedelta | None = None,
        inputs: Mapping[str, Sequence[Any]] | None = None,
        trust: Mapping[str, Any] | str | None = None,
        metrics_conn_id: str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.timeout = timeout
        self.inputs = inputs
        self.trust = trust
        self.metrics_conn_id = metrics_conn_id
        self.deferrable = deferrable
        self._context: Context | None = None

    @abstractmethod
    def endpoint_name(self) -> Endpoint:
        """The endpoint this task is about."""

    def guarded(self, context: Context, **resumed: Any) -> Any:
        """Release, then tell of it and of what nobody else could tell."""
        result = super().guarded(context, **resumed)
        tell_releases(context, lambda: Ledger(self.model_store(), self.endpoint_name()))
        return result

    def rollout(self, context: Context, writer: str | None = None, watched: Mapping[str, Any] | None = None) -> Rollout:
        """The driver of this endpoint's releases, with everything it needs opened."""
        self._context = context
        return open_rollout(**self._names(context), writer=writer, watched=watched)

    def _names(self, context: Context) -> dict[str, Any]:
        return {
            "endpoint": str(self.endpoint_name()),
            "store": self.store_uri(),
            "registry_conn_id": self.registry_connection(),
            "actor": actor(context),
            "inputs": self.inputs,
            "trust": self.trust,
        }

    def request(self, context: Context, change: Change, target: Served, strategy: Strategy, **more: Any) -> Request:
        """What this task asks of the endpoint.

        :param more: what the ledger keeps besides the strategy's own terms.
        """
        deadline = datetime.now(UTC) + (self.timeout or max(SHORTEST_TIMEOUT, strategy.lasts + MARGIN))
        terms = {**strategy.to_dict(), "metrics": metrics_connection(self.metrics_conn_id), **more}
        return Request(task_key(context), change, str(self.endpoint_name()), target, terms, deadline)

    def finish(self, rollout: Rollout, release: Release) -> Release:
        """Drive a release to its end, waiting as the task was told to."""
        release, wait = rollout.drive(release)
        while wait is not None:
            self._wait(wait, rollout, release)
            release, wait = rollout.drive(release)
        return release

    def _wait(self, wait: Wait, rollout: Rollout, release: Release) -> None:
        pause = (wait.until - datetime.now(UTC)).total_seconds()
        waited = (datetime.now(UTC) - release.since).total_seconds()
        if self.deferrable and self._context and max(pause, waited) > WORTH_DEFERRING:
            trigger = ReleaseTrigger(
                **self._names(self._context),
                generation=release.generation,
                writer=rollout.writer,
                watched=rollout.watched(),
            )
            left = release.plan.deadline - datetime.now(UTC) + MARGIN
            self.defer(trigger=trigger, method_name="resume", kwargs={"writer": rollout.writer}, timeout=left)
        time.sleep(max(0.0, pause))

    def resume(self, context: Context, event: Any = None, writer: str | None = None) -> Any:
        """Go on after a wait: the ledger tells where, the event what was seen meanwhile."""
        return self.guarded(context, writer=writer, watched=(event or {}).get("watched"))

    def on_kill(self) -> None:
        """Undo what this task had begun, if nobody else goes on with it (Law 5)."""
        if self._context is None:
            return
        if goes_on(self._context):
            self.log.warning("This machine stops; another try goes on with what this task had begun")
            return
        rollout, key = self.rollout(self._context), task_key(self._context)
        newest = rollout.ledger.newest()
        if newest is not None and not newest.state.terminal and newest.last.belongs_to(key):
            ended = rollout.abandon(newest, "its task was stopped")
            self.log.warning("This task was stopped; release %s ended %s", ended.id, ended.state)


def as_served(version: ModelVersion) -> Served:
    """What the ledger keeps of a registered version."""
    return Served(version.version, version.digest, version.artifact_uri)
