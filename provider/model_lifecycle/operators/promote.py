"""Promote a version that serves: make it the champion."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from model_lifecycle.core.admission import admit, plan_promote
from model_lifecycle.core.errors import Conflict
from model_lifecycle.core.models import CHAMPION, PREVIOUS, Endpoint, ModelUri
from model_lifecycle.core.plan import Change, Standing
from model_lifecycle.core.release import Release
from model_lifecycle.core.strategy import AllAtOnce
from model_lifecycle.operators.release import ReleaseOperator, as_served
from model_lifecycle.releases.outcome import outcome
from model_lifecycle.releases.rollout import Rollout


class PromoteModelOperator(ReleaseOperator):
    """Point ``champion`` at a version, after it was read back that all of the endpoint's traffic goes to it.

    ``previous`` is set first, to the version a rollback would restore. Both are read back and written in the ledger.

    :param model_uri: the version that serves, ``models:/<name>/<version>``.
    :param serving_conn_id: the serving connection of the endpoint.
    :param reason: why, for the ledger.
    :returns: the model URI with its version.
    """

    template_fields = (*ReleaseOperator.template_fields, "model_uri", "serving_conn_id", "reason")

    def __init__(self, *, model_uri: str, serving_conn_id: str, reason: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_uri = model_uri
        self.serving_conn_id = serving_conn_id
        self.reason = reason

    def endpoint_name(self) -> Endpoint:
        """The endpoint of the model on the serving connection."""
        return Endpoint.parse(f"{self.serving_conn_id}/{ModelUri.parse(self.model_uri).name}")

    def perform(self, context: Context, writer: str | None = None, **resumed: Any) -> str:
        """Move the aliases through the ledger, or find that nothing has to move."""
        rollout = self.rollout(context, writer)
        version = rollout.registry.get(ModelUri.parse(self.model_uri))
        request = self.request(context, Change.PROMOTE, as_served(version), AllAtOnce())
        newest = rollout.ledger.newest()
        unfinished = admit(newest, request, datetime.now(UTC))
        if unfinished is not None:
            newest = self.finish(rollout, unfinished)
            if newest.plan.key == request.key:
                outcome(newest)
                return version.uri
        standing, generation = (newest.standing, newest.generation) if newest else (Standing(), 0)
        plan = plan_promote(standing, request, rollout.serving.traffic(rollout.model))
        if self._done(rollout, standing, version.version, newest, request.key):
            self.log.info("Nothing to do: %s is %s already, or was", version.uri, CHAMPION)
            return version.uri
        outcome(self.finish(rollout, rollout.open(plan, generation, self.reason)))
        return version.uri

    def _done(self, rollout: Rollout, standing: Standing, version: int, newest: Release | None, key: str) -> bool:
        """Whether the aliases stand as asked, or this task promoted the version before and others came after it."""
        if newest is None or standing.serving is None:
            raise Conflict(
                f"the ledger knows of no version that serves on {self.endpoint_name()}",
                model=rollout.model,
                version=version,
                hint="deploy it first: a champion is a version that serves",
            )
        if standing.serving.version != version:
            ours = rollout.ledger.find(key)
            return ours is not None and ours.state.terminal and ours.plan.target.version == version
        below = standing.below(version)
        aliases = rollout.aliases()
        return aliases.get(CHAMPION) == version and aliases.get(PREVIOUS) == (below.version if below else None)
