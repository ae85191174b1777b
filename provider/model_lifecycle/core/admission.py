"""What may be opened on an endpoint, given what its ledger says, and with which way back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model_lifecycle.core.errors import Conflict
from model_lifecycle.core.plan import Change, Plan, Served, Standing
from model_lifecycle.core.release import Release


@dataclass(frozen=True)
class Request:
    """What a caller asks of an endpoint, before it is known whether it may.

    :param key: identifies the task that asks, equal in all its tries.
    :param target: the version to deploy, to promote or to go back to.
    :param supersede: take the place of another task's deploy that is under way, which is rolled back first.
    """

    key: str
    change: Change
    endpoint: str
    target: Served
    strategy: Mapping[str, Any]
    deadline: datetime
    supersede: bool = False


def admit(newest: Release | None, request: Request, now: datetime) -> Release | None:
    """Decide about the newest release before a new one opens; a rollback may interrupt any (Law 5).

    :returns: the release that must be resumed and driven to its end first, or None if nothing is open.
    :raises Conflict: if another task's release is under way on this endpoint.
    """
    if newest is None or newest.state.terminal:
        return None
    ours = newest.plan.key == request.key
    dead = now >= newest.plan.deadline
    yields = request.supersede and newest.plan.change is Change.DEPLOY
    if ours or dead or yields or request.change is Change.ROLLBACK:
        return newest
    raise Conflict(
        f"release {newest.id} of version {newest.plan.target.version} is under way ({newest.state})",
        target=request.endpoint,
        version=request.target.version,
        hint="wait for it, or roll the endpoint back, or deploy with supersede=True; "
        f"it is given up at {newest.plan.deadline.isoformat()}",
    )


def plan_deploy(standing: Standing, request: Request, traffic: Mapping[int, int], force: bool = False) -> Plan:
    """The plan of a deploy: the way back is fixed before anything moves (Law 5).

    :param traffic: what the endpoint serves now.
    :param force: deploy although the version is quarantined.
    :raises Conflict: if the version was rolled back on this endpoint before.
    """
    version = request.target.version
    if version in standing.quarantined and not force:
        raise Conflict(
            f"version {version} was rolled back on {request.endpoint} and is quarantined",
            target=request.endpoint,
            version=version,
            hint="train a new version, or deploy it with allow_quarantined=True",
        )
    # Not what lies below it in the history: a version that served long ago may be deployed again.
    return _plan(request, standing.succeeded(request.target).below(version), version, traffic, standing)


def plan_rollback(standing: Standing, request: Request, abandons: int, traffic: Mapping[int, int]) -> Plan:
    """The plan of a rollback from ``abandons`` to the request's target."""
    return _plan(request, None, abandons, traffic, standing)


def plan_promote(standing: Standing, request: Request, traffic: Mapping[int, int]) -> Plan:
    """The plan of a promotion: ``previous`` will name what a rollback from the target restores."""
    version = request.target.version
    return _plan(request, standing.below(version), version, traffic, standing)


def _plan(
    request: Request, fallback: Served | None, abandons: int, traffic: Mapping[int, int], before: Standing
) -> Plan:
    return Plan(
        key=request.key,
        change=request.change,
        endpoint=request.endpoint,
        target=request.target,
        fallback=fallback,
        abandons=abandons,
        traffic_before=traffic,
        strategy=request.strategy,
        deadline=request.deadline,
        before=before,
    )
