"""Deploy a version: move an endpoint's traffic to it, proven, with the way back ready."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import conf
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import Context

from model_lifecycle.core.actions import Wait
from model_lifecycle.core.admission import Request, admit, plan_deploy
from model_lifecycle.core.errors import Conflict, NotFound
from model_lifecycle.core.models import Endpoint, ModelUri, ModelVersion
from model_lifecycle.core.plan import Change, Served, Standing
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.strategy import AllAtOnce, Strategy
from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.operators.base import ModelLifecycleOperator, actor, task_key
from model_lifecycle.operators.rollout import Rollout, outcome

log = logging.getLogger(__name__)

WORTH_DEFERRING = 3.0
"""Seconds; a hand-over to the triggerer and back costs about as much, so a shorter wait is spent in the worker."""


class ReleaseOperator(ModelLifecycleOperator):
    """Base of the operators that change what an endpoint serves.

    :param timeout: an unfinished release is given up and put back after this time.
    :param inputs: rows to ask the endpoint with, ``{column: [values]}``; the artifact's own input example by default.
    :param deferrable: wait in the triggerer instead of in a worker.
    """

    def __init__(
        self,
        *,
        timeout: timedelta = timedelta(hours=2),
        inputs: Mapping[str, Sequence[Any]] | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.timeout = timeout
        self.inputs = inputs
        self.deferrable = deferrable

    @abstractmethod
    def endpoint_name(self) -> Endpoint:
        """The endpoint this task is about."""

    def rollout(self, context: Context, writer: str | None = None) -> Rollout:
        """The driver of this endpoint's releases, with everything it needs opened."""
        endpoint = self.endpoint_name()
        return Rollout(
            endpoint,
            store=self.model_store(),
            serving=serving_hook(endpoint.conn_id),
            registry=self.model_registry(),
            actor=actor(context),
            inputs=self.inputs,
            writer=writer,
        )

    def request(self, context: Context, change: Change, target: Served, strategy: Strategy) -> Request:
        """What this task asks of the endpoint."""
        deadline = datetime.now(UTC) + self.timeout
        return Request(task_key(context), change, str(self.endpoint_name()), target, strategy.to_dict(), deadline)

    def finish(self, rollout: Rollout, release: Release) -> Release:
        """Drive a release to its end, waiting as the task was told to."""
        release, wait = rollout.drive(release)
        while wait is not None:
            self._wait(wait, rollout.writer)
            release, wait = rollout.drive(release)
        return release

    def _wait(self, wait: Wait, writer: str) -> None:
        pause = (wait.until - datetime.now(UTC)).total_seconds()
        if self.deferrable and pause > WORTH_DEFERRING:
            trigger = DateTimeTrigger(moment=wait.until)
            self.defer(trigger=trigger, method_name="resume", kwargs={"writer": writer}, timeout=self.timeout)
        time.sleep(max(0.0, pause))

    def resume(self, context: Context, event: Any = None, writer: str | None = None) -> Any:
        """Go on after a wait: the ledger tells where."""
        return self.guarded(context, writer=writer)


class DeployModelOperator(ReleaseOperator):
    """Deploy a version on an endpoint: stage, load, ask it, move the traffic, prove it, watch it, retire the old one.

    Deployed means observed: the task succeeds only when unversioned requests were answered by this version. A version
    that cannot be loaded or fails its smoke prediction never gets traffic; one that fails later is rolled back. What
    already serves is left alone. A retry goes on where the ledger says the last try stopped.

    :param model_uri: ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.
    :param serving_conn_id: the serving connection.
    :param strategy: :class:`AllAtOnce` or :class:`BlueGreen`.
    :param allow_quarantined: deploy a version although it was rolled back on this endpoint before.
    :param reason: why, for the ledger.
    :returns: the release as JSON: its name, state, version and what serves now.
    """

    template_fields = (
        *ModelLifecycleOperator.template_fields,
        "model_uri",
        "serving_conn_id",
        "allow_quarantined",
        "inputs",
        "reason",
    )

    def __init__(
        self,
        *,
        model_uri: str,
        serving_conn_id: str,
        strategy: Strategy | None = None,
        allow_quarantined: bool | str = False,
        reason: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_uri = model_uri
        self.serving_conn_id = serving_conn_id
        self.strategy = strategy or AllAtOnce()
        self.allow_quarantined = allow_quarantined
        self.reason = reason

    def endpoint_name(self) -> Endpoint:
        """The endpoint of the model on the serving connection."""
        return Endpoint.parse(f"{self.serving_conn_id}/{ModelUri.parse(self.model_uri).name}")

    def perform(self, context: Context, writer: str | None = None, **resumed: Any) -> dict[str, object]:
        """Open a release, or resume or confirm the one this task opened before."""
        rollout = self.rollout(context, writer)
        served = self._served(rollout)
        request = self.request(context, Change.DEPLOY, served, self.strategy)
        done = self._done(rollout, request)
        if done is not None:
            self.log.info("Nothing to do: %s", done.to_dict())
            return done.to_dict()
        newest = rollout.ledger.newest()
        unfinished = admit(newest, request, datetime.now(UTC))
        if unfinished is not None:
            newest = self.finish(rollout, unfinished)
            if newest.plan.key == request.key:
                return outcome(newest)
        standing, generation = (newest.standing, newest.generation) if newest else (Standing(), 0)
        traffic = rollout.serving.traffic(rollout.model)
        force = str(self.allow_quarantined).lower() == "true"
        plan = plan_deploy(adopt(standing, traffic, rollout), request, traffic, force)
        return outcome(self.finish(rollout, rollout.open(plan, generation, self.reason)))

    def _served(self, rollout: Rollout) -> Served:
        version = rollout.registry.get(ModelUri.parse(self.model_uri))
        if version.digest is None:
            raise Conflict(
                f"{version.uri} was registered without a manifest digest, so what it holds cannot be proven",
                model=version.name,
                version=version.version,
                hint="upload and register it with UploadModelOperator and RegisterModelOperator",
            )
        return as_served(version)

    def _done(self, rollout: Rollout, request: Request) -> Release | None:
        """The release that makes this task a repetition: it serves already, or the task did its work long ago."""
        newest = rollout.ledger.newest()
        # A promotion under way moves no traffic: a run that was cleared as a whole passes by it and finishes it.
        if newest is None or not (newest.state.terminal or newest.plan.change is Change.PROMOTE):
            return None
        serving = newest.standing.serving
        live = rollout.serving.traffic(rollout.model)
        if serving and serving.version == request.target.version and live == {serving.version: 100}:
            return next((one for one in rollout.ledger.releases() if _brought(one, serving.version)), newest)
        ours = rollout.ledger.find(request.key)
        history = ours is not None and ours.state is State.SUCCEEDED and serving != ours.plan.target
        return ours if history and ours and ours.plan.target == request.target else None


def _brought(release: Release, version: int) -> bool:
    served = release.standing.serving
    return release.plan.change is not Change.PROMOTE and served is not None and served.version == version


def as_served(version: ModelVersion) -> Served:
    """What the ledger keeps of a registered version."""
    return Served(version.version, version.digest, version.artifact_uri)


def adopt(standing: Standing, traffic: Mapping[int, int], rollout: Rollout) -> Standing:
    """The standing of an endpoint that somebody changed, or served, without us: what really serves is the way back."""
    if len(traffic) != 1:
        return standing
    live = next(iter(traffic))
    if standing.serving and standing.serving.version == live:
        return standing
    try:
        return standing.succeeded(as_served(rollout.registry.get(ModelUri(rollout.model, version=live))))
    except NotFound:
        log.warning("Version %s serves but is not registered: once unloaded it cannot be brought back", live)
        return standing
