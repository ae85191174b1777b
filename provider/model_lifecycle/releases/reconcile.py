"""What becomes of a release whose task is dead: it is finished where that is safe, and rolled back elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from model_lifecycle.core.plan import Change
from model_lifecycle.core.release import Release, State
from model_lifecycle.releases.rollout import Rollout

log = logging.getLogger(__name__)

IsAlive = Callable[[Mapping[str, str]], bool]
"""Tells of an actor, as the ledger names it, whether its task is still running or will run again."""


def is_orphan(release: Release | None, alive: IsAlive, now: datetime, grace: timedelta) -> bool:
    """Whether a release is unfinished and nobody will go on with it.

    :param grace: how long its newest entry must be old, so that a task that is just ending is left alone.
    """
    if release is None or release.state.terminal or now - release.last.at < grace:
        return False
    return now >= release.plan.deadline or not alive(release.last.actor)


def reconcile(rollout: Rollout, release: Release) -> Release:
    """Bring an orphan to its end, as far as that needs no waiting.

    A rollback, a promotion and a version that has all traffic, proven, are finished; every other deploy is undone.

    :raises Conflict: if its task was alive after all and writes on.
    """
    finishes = release.plan.change is not Change.DEPLOY or release.state in (State.ROLLING_BACK, State.SOAKING)
    log.info("%s of %s was left %s; it is %s", release.id, rollout.endpoint, release.state, _word(finishes))
    if finishes:
        return rollout.drive(release)[0]
    return rollout.abandon(release, f"its task is dead and left it {release.state}")


def _word(finishes: bool) -> str:
    return "finished" if finishes else "undone"
