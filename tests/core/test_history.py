from __future__ import annotations

from datetime import timedelta

from model_lifecycle.core.history import serving_since, timeline, who
from model_lifecycle.core.plan import Change, Standing
from model_lifecycle.core.release import Release, State
from tests.core.test_plan import NOW, plan, served
from tests.core.test_release import opened, then

HOUR = timedelta(hours=1)


def ended(release: Release, state: State, hours: int) -> Release:
    return then(release, state, NOW + hours * HOUR)


def test_a_version_serves_since_its_release_ended():
    assert serving_since([ended(opened(plan()), State.SUCCEEDED, 1)]) == NOW + HOUR


def test_what_was_tried_and_put_back_in_between_does_not_count():
    first = ended(opened(plan(target=1, before=Standing())), State.SUCCEEDED, 1)
    later = plan(target=2, fallback=1, abandons=2, before=first.standing)
    tried = ended(then(opened(later, 3), State.ROLLING_BACK), State.ROLLED_BACK, 5)
    assert tried.standing.serving == served(1)
    assert serving_since([tried, first]) == NOW + HOUR


def test_a_decision_noted_after_a_release_moves_nothing():
    done = ended(opened(plan()), State.SUCCEEDED, 1)
    noted = then(done, State.SUCCEEDED, NOW + 9 * HOUR, mark="approved", evidence={"approval": {"reason": "fine"}})
    assert serving_since([noted]) == NOW + HOUR
    assert (noted.standing, noted.traffic, noted.reason) == (done.standing, done.traffic, done.reason)
    assert noted.to_dict()["closed_at"] == done.to_dict()["closed_at"]
    assert list(timeline(noted))[-1]["reason"] == "fine"


def test_what_began_before_the_oldest_release_that_was_read_is_not_known():
    first = ended(opened(plan(target=1)), State.SUCCEEDED, 1)
    tried = ended(opened(plan(target=2, fallback=1, abandons=2, before=first.standing), 3), State.ROLLED_BACK, 5)
    assert serving_since([tried]) is None


def test_nothing_serves_since_nothing():
    assert serving_since([]) is None


def test_the_timeline_has_a_row_for_each_entry_and_says_who():
    release = then(opened(plan(change=Change.DEPLOY)), State.VALIDATING, mark="loaded", evidence={"verdict": "PASS"})
    rows = list(timeline(release))
    assert [(row["state"], row["mark"], row["verdict"]) for row in rows] == [
        ("PENDING", None, None),
        ("VALIDATING", "loaded", "PASS"),
    ]
    assert rows[0]["who"] == "retrain"


def test_an_actor_is_a_person_a_task_or_both():
    assert who({"user": "alice", "dag": "life", "task": "deploy"}) == "alice by life.deploy"
    assert who({"user": "alice", "by": "airflow model-lifecycle"}) == "alice by airflow model-lifecycle"
    assert who({}) == "unknown"
