"""Deploy a version: move an endpoint's traffic to it, proven, with the way back ready."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from model_lifecycle.core.admission import Request, admit, plan_deploy
from model_lifecycle.core.errors import Conflict, Invalid, NotFound
from model_lifecycle.core.gate import DEFAULT_CHECKS, Check, check_from
from model_lifecycle.core.models import Endpoint, ModelUri
from model_lifecycle.core.plan import Change, Served, Standing
from model_lifecycle.core.query import Query
from model_lifecycle.core.release import SUPERSEDED, Release, State
from model_lifecycle.core.strategy import AllAtOnce, Strategy, Terms, strategy_from
from model_lifecycle.hooks.metrics import metrics_connection, metrics_hook
from model_lifecycle.hooks.serving import ServingHook
from model_lifecycle.operators.release import ReleaseOperator, as_served
from model_lifecycle.releases.outcome import outcome
from model_lifecycle.releases.proofs import TOLERANCE
from model_lifecycle.releases.rollout import Rollout

log = logging.getLogger(__name__)


class DeployModelOperator(ReleaseOperator):
    """Deploy a version on an endpoint: stage, load, ask it, move the traffic, prove it, watch it, retire the old one.

    Deployed means observed: the task succeeds only when unversioned requests were answered by this version. A version
    that cannot be loaded or fails its smoke prediction never gets traffic; one that fails later is rolled back. What
    already serves is left alone. A retry goes on where the ledger says the last try stopped.

    :param model_uri: ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.
    :param serving_conn_id: the serving connection.
    :param strategy: :class:`AllAtOnce`, :class:`BlueGreen`, :class:`Canary` or :class:`Shadow` of
        :mod:`model_lifecycle.core.strategy`, or its JSON: ``{"name": "Canary", "steps": [5, 25], "bake": 600}``.
    :param checks: what is asked of the new version at every look, :class:`~model_lifecycle.core.gate.Check` or its
        JSON; :data:`~model_lifecycle.core.gate.DEFAULT_CHECKS` by default, where requests are counted.
    :param tolerance: how far the smoke answer may be from the output recorded with the artifact.
    :param supersede: if another task's deploy is under way, roll that back first instead of giving up.
    :param allow_quarantined: deploy a version although it was rolled back on this endpoint before.
    :param reason: why, for the ledger.
    :returns: the release as JSON: its name, state, version and what serves now.
    """

    template_fields = (
        *ReleaseOperator.template_fields,
        "model_uri",
        "serving_conn_id",
        "strategy",
        "checks",
        "supersede",
        "allow_quarantined",
        "inputs",
        "reason",
    )

    def __init__(
        self,
        *,
        model_uri: str,
        serving_conn_id: str,
        strategy: Strategy | Mapping[str, Any] | str | None = None,
        checks: Sequence[Check | Query | Mapping[str, Any]] | str | None = None,
        tolerance: float = TOLERANCE,
        supersede: bool | str = False,
        allow_quarantined: bool | str = False,
        reason: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_uri = model_uri
        self.serving_conn_id = serving_conn_id
        self.strategy = strategy or AllAtOnce()
        self.checks = checks
        self.tolerance = tolerance
        self.supersede = supersede
        self.allow_quarantined = allow_quarantined
        self.reason = reason

    def endpoint_name(self) -> Endpoint:
        """The endpoint of the model on the serving connection."""
        return Endpoint.parse(f"{self.serving_conn_id}/{ModelUri.parse(self.model_uri).name}")

    def perform(
        self,
        context: Context,
        writer: str | None = None,
        watched: Mapping[str, Any] | None = None,
        **resumed: Any,
    ) -> dict[str, object]:
        """Open a release, or resume or confirm the one this task opened before."""
        rollout = self.rollout(context, writer, watched)
        request = self._request(context, rollout)
        newest = rollout.ledger.newest()  # read once: what is decided here holds for this generation only
        done = self._done(rollout, request, newest)
        if done is not None:
            self.log.info("Nothing to do: %s", done.to_dict())
            return done.to_dict()
        ended = self._ended_by_others(rollout, request, resumed=writer is not None)
        if ended is not None:
            return outcome(ended)
        if newest is None or newest.state.terminal or newest.plan.key != request.key:
            require_answers(request, rollout.serving)  # what has begun goes on without: it must find its way back
        unfinished = admit(newest, request, datetime.now(UTC))
        if unfinished is not None:
            newest = self.finish(rollout, self._displace(rollout, unfinished, request))
            if newest.plan.key == request.key:
                return outcome(newest)
        standing, generation = (newest.standing, newest.generation) if newest else (Standing(), 0)
        traffic = rollout.serving.traffic(rollout.model)
        plan = plan_deploy(adopt(standing, traffic, rollout), request, traffic, is_true(self.allow_quarantined))
        return outcome(self.finish(rollout, rollout.open(plan, generation, self.reason)))

    def _request(self, context: Context, rollout: Rollout) -> Request:
        strategy = strategy_from(self.strategy)
        counted = rollout.serving.counts_requests or metrics_connection(self.metrics_conn_id) is not None
        checks = checks_for(strategy, self.checks, counted=counted)
        require_able(strategy, checks, rollout.serving, self.serving_conn_id, counted=counted)
        told = [check.to_dict() for check in checks]
        request = self.request(
            context, Change.DEPLOY, self._served(rollout), strategy, checks=told, tolerance=self.tolerance
        )
        return replace(request, supersede=is_true(self.supersede))

    def _displace(self, rollout: Rollout, release: Release, request: Request) -> Release:
        if not request.supersede or release.plan.key == request.key or release.state is State.ROLLING_BACK:
            return release
        reason = f"superseded by version {request.target.version}"
        return rollout.interrupt(release, request.key, reason, SUPERSEDED)

    def _ended_by_others(self, rollout: Rollout, request: Request, *, resumed: bool) -> Release | None:
        """Our release, if others ended it while this task waited, or superseded it: another one is not begun."""
        ours = rollout.ledger.find(request.key)
        if ours is None or ours.plan.key != request.key or not ours.state.terminal:
            return None
        return ours if resumed or ours.superseded else None

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

    def _done(self, rollout: Rollout, request: Request, newest: Release | None) -> Release | None:
        """The release that makes this task a repetition: it serves already, or the task did its work long ago."""
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


def checks_for(strategy: Strategy, checks: Any, *, counted: bool) -> tuple[Check | Query, ...]:
    """The checks of a release: those given, or the default ones where there are counts to ask.

    :raises Invalid: if they are given in a form that holds no checks, or two have one name.
    """
    if checks is None or checks in ("", "None"):
        terms = Terms.of(strategy.to_dict())
        return DEFAULT_CHECKS if counted and (terms.gated or terms.soak) else ()
    found = tuple(check_from(check) for check in (json.loads(checks) if isinstance(checks, str) else checks))
    names = [check.name for check in found if isinstance(check, Query)]
    if len(set(names)) < len(names):
        raise Invalid(f"two queries have one name: {', '.join(names)}", hint="the evidence tells them apart by name")
    return found


def require_able(
    strategy: Strategy, checks: Sequence[Check | Query], serving: ServingHook, conn_id: str, *, counted: bool
) -> None:
    """Refuse, before anything changes, what the endpoint cannot do.

    :param counted: whether anybody counts its requests by version.
    :raises Invalid: if it cannot split, mirror or count as the strategy needs.
    """
    terms = Terms.of(strategy.to_dict())
    counting = any(isinstance(check, Check) for check in checks)
    cannot = {
        "share its requests out": bool(terms.steps) and not serving.can_split,
        "copy its requests": terms.shadow > 0 and not serving.can_mirror,
        "count its requests by version": counting and terms.gated and not counted,
    }
    for what, missing in cannot.items():
        if missing:
            router = "envoy" if what.startswith("copy") else "haproxy or envoy"
            hint = f"name a router of type {router} in the extra router_conn_id of the connection"
            if what.startswith("count"):
                hint += ", or a metric system in metrics_conn_id"
            name = type(strategy).__name__
            raise Invalid(f"{serving.hook_name} cannot {what}, which {name} needs", target=conn_id, hint=hint)


def require_answers(request: Request, serving: ServingHook) -> None:
    """Ask the metric system once before anything changes: a query that cannot be read never will be.

    :raises Invalid: if a query has nobody to ask, or is refused.
    :raises Unavailable: if the metric system does not answer and the checks need it.
    """
    terms, model = Terms.of(request.strategy), Endpoint.parse(request.endpoint).model
    if not terms.queries and (serving.counts_requests or not terms.checks):
        return
    if terms.metrics is None:
        if terms.queries:
            hint = "name its connection in metrics_conn_id"
            raise Invalid(f"the query {terms.queries[0].name} has nobody to ask", target=request.endpoint, hint=hint)
        return
    system = metrics_hook(terms.metrics)
    system.is_online()
    for query in terms.queries:
        system.query(query.about(endpoint=request.endpoint, model=model, version=request.target.version))


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


def is_true(value: bool | str) -> bool:
    """What a parameter says that a template may have turned into text."""
    return str(value).strip().lower() == "true"
