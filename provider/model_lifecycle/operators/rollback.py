"""Roll an endpoint back to what served before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from model_lifecycle.core.admission import admit, plan_rollback
from model_lifecycle.core.errors import Conflict, NotFound, Rejected
from model_lifecycle.core.models import Endpoint, ModelUri
from model_lifecycle.core.plan import Change, Served
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.strategy import AllAtOnce
from model_lifecycle.operators.base import task_key
from model_lifecycle.operators.release import ReleaseOperator, as_served
from model_lifecycle.releases.outcome import outcome
from model_lifecycle.releases.rollout import Rollout


class RollbackModelOperator(ReleaseOperator):
    """Bring back the last good version: traffic first, aliases after, ledger last.

    It works in every phase of somebody's release, needs no download as long as the old version is loaded, and
    quarantines the version it leaves, so that the next schedule does not deploy it again. A retry, or the same task
    cleared and run again, does not go back one more step.

    :param endpoint: ``<serving_conn_id>/<model>``.
    :param to: a version number, ``models:/<name>/<version>`` or ``models:/<name>@<alias>``; the last good one before
        what serves by default.
    :param leaving: roll back only if this version (number or model URI) serves or is being released; the task does
        nothing if another one does.
    :param reason: why, for the ledger.
    :returns: the release as JSON.
    """

    template_fields = (*ReleaseOperator.template_fields, "endpoint", "to", "leaving", "inputs", "reason")

    def __init__(
        self,
        *,
        endpoint: str,
        to: str | int | None = None,
        leaving: str | int | None = None,
        reason: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint = endpoint
        self.to = to
        self.leaving = leaving
        self.reason = reason

    def endpoint_name(self) -> Endpoint:
        """The endpoint to roll back."""
        return Endpoint.parse(self.endpoint)

    def perform(self, context: Context, writer: str | None = None, **resumed: Any) -> dict[str, object]:
        """Roll back what is under way, or else what serves."""
        rollout, key = self.rollout(context, writer), task_key(context)
        newest = rollout.ledger.newest()
        if newest is None:
            raise NotFound("nothing was ever released on this endpoint", target=self.endpoint, model=rollout.model)
        ours = rollout.ledger.find(key)
        if ours is not None and ours.state is State.ROLLED_BACK and self._done(ours, key, rollout):
            self.log.info("Nothing to do: this task has rolled back already")
            return ours.to_dict()
        if not self._concerns(newest, rollout):
            self.log.info("Nothing to do: %s is not what serves on %s", self.leaving, self.endpoint)
            return newest.to_dict()
        if not newest.state.terminal and newest.plan.key == key:
            return rolled_back(self.finish(rollout, newest))
        # Read once: an alias such as previous moves while somebody's release is rolled back.
        to = self._version(self.to, rollout) if self.to else None
        if not newest.state.terminal:
            newest = self._interrupt(context, rollout, newest, key)
            if newest.plan.change is not Change.PROMOTE and _restores(newest, to):
                return rolled_back(newest)
        return self._roll_back(context, rollout, newest, to)

    def _done(self, ours: Release, key: str, rollout: Rollout) -> bool:
        return ours.plan.key == key or _restores(ours, self._version(self.to, rollout) if self.to else None)

    def _concerns(self, newest: Release, rollout: Rollout) -> bool:
        if not self.leaving:
            return True
        serving = newest.standing.serving
        at_stake = serving.version if serving else None
        if not newest.state.terminal:
            at_stake = newest.plan.abandons
        return at_stake == self._version(self.leaving, rollout).version

    def _interrupt(self, context: Context, rollout: Rollout, newest: Release, key: str) -> Release:
        target = newest.plan.fallback or newest.plan.target
        admit(newest, self.request(context, Change.ROLLBACK, target, AllAtOnce()), datetime.now(UTC))
        return self.finish(rollout, rollout.interrupt(newest, key, self.reason or "asked for"))

    def _roll_back(self, context: Context, rollout: Rollout, newest: Release, to: Served | None) -> dict[str, object]:
        standing = newest.standing
        if standing.serving is None:
            raise NotFound("nothing serves on this endpoint", target=self.endpoint, model=rollout.model)
        abandons = standing.serving.version
        target = to or standing.below(abandons)
        if target is None:
            raise NotFound(
                f"there is no version before {abandons} to go back to", target=self.endpoint, hint="name one with to="
            )
        if target.version == abandons:
            raise Conflict(f"version {abandons} serves already", target=self.endpoint, version=abandons)
        request = self.request(context, Change.ROLLBACK, target, AllAtOnce())
        plan = plan_rollback(standing, request, abandons, rollout.serving.traffic(rollout.model))
        return outcome(self.finish(rollout, rollout.open(plan, newest.generation, self.reason)))

    def _version(self, name: str | int, rollout: Rollout) -> Served:
        text = str(name)
        uri = ModelUri.parse(f"models:/{rollout.model}/{text}" if text.isdigit() else text)
        if uri.name != rollout.model:
            raise Conflict(f"{text} is not a version of {rollout.model}", target=self.endpoint)
        return as_served(rollout.registry.get(uri))


def _restores(release: Release, to: Served | None) -> bool:
    serving = release.standing.serving
    return to is None or (serving is not None and serving.version == to.version)


def rolled_back(release: Release) -> dict[str, object]:
    """The result of a release that was interrupted.

    :raises Rejected: if it could not be put back, or ended in another way before it was interrupted.
    """
    if release.state in (State.ROLLED_BACK, State.REJECTED):
        return release.to_dict()
    raise Rejected(f"release {release.id} ended {release.state}: {release.reason}", target=release.plan.endpoint)
