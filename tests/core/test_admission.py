from __future__ import annotations

from datetime import timedelta

import pytest

from model_lifecycle.core.admission import Request, admit, plan_deploy
from model_lifecycle.core.errors import Conflict
from model_lifecycle.core.plan import Change, Standing
from model_lifecycle.core.release import State
from model_lifecycle.core.strategy import AllAtOnce
from tests.core.test_plan import NOW, plan, served
from tests.core.test_release import opened, then


def request(change: Change = Change.DEPLOY, target: int = 2, key: str = "0123456789ab") -> Request:
    return Request(key, change, "scorer/flights", served(target), AllAtOnce().to_dict(), NOW + timedelta(hours=1))


def test_a_quarantined_version_is_refused_until_it_is_allowed():
    standing = Standing((served(1),), (2,))
    with pytest.raises(Conflict, match="quarantined"):
        plan_deploy(standing, request(), {1: 100})
    assert plan_deploy(standing, request(), {1: 100}, force=True).fallback == served(1)


def test_another_tasks_release_is_a_conflict_until_its_deadline():
    newest = then(opened(plan(key="another-task")), State.SOAKING)
    with pytest.raises(Conflict, match="under way"):
        admit(newest, request(), NOW)
    assert admit(newest, request(), NOW + timedelta(hours=1)) is newest
    assert admit(newest, request(key="another-task"), NOW) is newest
    assert admit(newest, request(Change.ROLLBACK), NOW) is newest
    assert admit(then(newest, State.SUCCEEDED), request(), NOW) is None


def test_a_rollback_may_interrupt_whatever_is_under_way():
    for change in Change:
        newest = opened(plan(change, key="another-task"))
        assert admit(newest, request(Change.ROLLBACK), NOW) is newest


def test_the_way_back_of_a_version_that_served_before_is_what_serves_now():
    standing = Standing((served(1), served(2), served(3)))
    assert plan_deploy(standing, request(target=1), {3: 100}).fallback == served(3)
    assert plan_deploy(standing, request(target=3), {}).fallback == served(2)
