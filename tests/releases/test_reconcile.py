"""Orphans: releases whose task is dead, in a world in memory and on real servers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from model_lifecycle.core.errors import Conflict
from model_lifecycle.core.plan import Change
from model_lifecycle.core.release import Release, State
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.releases.reconcile import is_orphan, reconcile
from tests.core.test_plan import NOW, plan
from tests.core.test_release import opened, then
from tests.operators.life import context
from tests.releases.test_histories import History, deploying, inhabited, rolling_back

MINUTE = timedelta(minutes=1)


def alive(_: Any) -> bool:
    return True


def dead(_: Any) -> bool:
    return False


@pytest.mark.parametrize(
    ("release", "who", "now", "orphan"),
    [
        (None, dead, NOW, False),
        (opened(plan()), dead, NOW + 3 * MINUTE, True),
        (opened(plan()), alive, NOW + 3 * MINUTE, False),
        (opened(plan()), dead, NOW + MINUTE, False),
        (opened(plan()), alive, NOW + 61 * MINUTE, True),
        (then(opened(plan()), State.SUCCEEDED), dead, NOW + 3 * MINUTE, False),
        (then(opened(plan()), State.REJECTED), dead, NOW + 61 * MINUTE, False),
    ],
)
def test_an_orphan_is_unfinished_still_and_nobodys(release, who, now, orphan):
    assert is_orphan(release, who, now, 2 * MINUTE) is orphan


def killed_in(state: State, strategy: str = "canary") -> History:
    """A world in which the task that deploys version 2 was killed right after its release came into this state."""
    history = History()
    with inhabited(history):
        history.begin(deploying(1, "at once", "run-1", False))
        history.finish()
        history.begin(deploying(2, strategy, "run-2", False))
        while newest(history).state is not state or newest(history).plan.target.version == 1:
            history.step(0)
        history.step(0, kill=True)
    assert not history.running
    return history


def newest(history: History) -> Release:
    release = history.ledger.newest()
    assert release is not None
    return release


@pytest.mark.parametrize(
    ("state", "ends"),
    [
        (State.PENDING, State.REJECTED),
        (State.VALIDATING, State.REJECTED),
        (State.SHIFTING, State.ROLLED_BACK),
        (State.BAKING, State.ROLLED_BACK),
        (State.JUDGING, State.ROLLED_BACK),
        (State.PROMOTING, State.ROLLED_BACK),
    ],
)
def test_an_orphan_that_is_not_proven_is_undone(state, ends):
    history = killed_in(state)
    with inhabited(history):
        release = reconcile(history.rollout(), newest(history))
    assert release.state is ends
    assert f"left it {state}" in release.reason
    assert (history.world.shares, history.world.copies) == ({1: 100}, {})


def test_an_orphan_in_the_shadow_loses_its_copies():
    history = killed_in(State.SHADOW, "shadow")
    with inhabited(history):
        assert reconcile(history.rollout(), newest(history)).state is State.ROLLED_BACK
    assert history.world.copies == {}


def test_an_orphan_that_was_proven_is_watched_to_its_end():
    history = killed_in(State.SOAKING)
    with inhabited(history):
        assert reconcile(history.rollout(), newest(history)).state is State.SOAKING
        history.world.now += 5 * MINUTE
        assert reconcile(history.rollout(), newest(history)).state is State.SUCCEEDED
    assert history.world.shares == {2: 100}


def test_an_orphaned_rollback_is_finished():
    history = History()
    with inhabited(history):
        for version in (1, 2):
            history.begin(deploying(version, "at once", f"run-{version}", False))
            history.finish()
        history.begin(rolling_back("run-3"))
        while newest(history).plan.change is not Change.ROLLBACK:
            history.step(0)
        history.step(0, kill=True)
        assert reconcile(history.rollout(), newest(history)).state is State.ROLLED_BACK
    assert history.world.shares == {1: 100}


def test_a_task_that_was_alive_after_all_stops_and_the_release_ends_once():
    history = killed_in(State.PENDING)
    with inhabited(history):
        history.begin(deploying(3, "canary", "run-3", True))
        while newest(history).state is not State.BAKING:
            history.step(0)
        release = reconcile(history.rollout(), newest(history))
        history.finish()
    assert newest(history).id == release.id
    assert history.world.shares == {1: 100}


def test_of_two_that_reconcile_one_is_told_of_the_other():
    history = killed_in(State.BAKING)
    with inhabited(history):
        seen = newest(history)
        reconcile(history.rollout(), seen)
        with pytest.raises(Conflict):
            reconcile(history.rollout(), seen)


def test_a_task_that_wakes_after_others_finished_its_release_is_done_whatever_goes_on_by_then():
    history = killed_in(State.SOAKING)
    with inhabited(history):
        history.world.now += 5 * MINUTE
        assert reconcile(history.rollout(), newest(history)).state is State.SUCCEEDED
        history.begin(deploying(3, "canary", "run-3", False))
        while newest(history).state is not State.BAKING:
            history.step(0)
        woken = DeployModelOperator(
            task_id="deploy", model_uri="models:/churn/2", serving_conn_id="double", store="memory:///"
        )
        found = woken.guarded(context("deploy", "run-2"), writer="0123456789ab")
    assert (found["state"], found["version"]) == ("SUCCEEDED", 2)
