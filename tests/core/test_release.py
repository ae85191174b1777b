from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from model_lifecycle.core.errors import Corrupt
from model_lifecycle.core.plan import Change, Plan, Standing
from model_lifecycle.core.release import Entry, Release, State, aliases_after, following, opening
from tests.core.test_plan import NOW, plan, served


def opened(of: Plan, generation: int = 1) -> Release:
    return Release((opening(of, generation, NOW, "writer", {"dag": "retrain"}, "because"),))


def then(release: Release, state: State, at: datetime = NOW, **more: object) -> Release:
    return Release((*release.entries, following(release.last, state, at, "writer", **more)))  # type: ignore[arg-type]


def test_an_entry_read_back_is_the_entry_that_was_written():
    release = then(opened(plan()), State.VALIDATING, mark="loaded", evidence={"answers": 10})
    for entry in release.entries:
        assert Entry.from_json(entry.to_json()) == entry


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b'{"schema": 2}', b"\xff", b'{"schema": 1, "state": "X"}']
)
def test_what_is_not_an_entry_is_corrupt(data):
    with pytest.raises(Corrupt, match="not a ledger entry"):
        Entry.from_json(data)


def test_a_release_with_a_gap_is_corrupt():
    release = then(then(opened(plan()), State.VALIDATING), State.PROMOTING)
    with pytest.raises(Corrupt, match="gap"):
        Release((release.entries[0], release.entries[2]))


def test_a_release_without_its_plan_is_corrupt():
    release = then(opened(plan()), State.VALIDATING)
    with pytest.raises(Corrupt, match="plan"):
        Release(release.entries[1:])


def test_marks_count_only_within_the_present_state():
    release = then(then(opened(plan()), State.VALIDATING, mark="loaded"), State.VALIDATING)
    assert release.marks == {"loaded"}
    assert then(release, State.PROMOTING).marks == frozenset()


def test_time_in_a_state_counts_from_its_first_entry():
    release = then(opened(plan()), State.SOAKING, NOW + timedelta(minutes=1))
    assert then(release, State.SOAKING, NOW + timedelta(minutes=5)).since == NOW + timedelta(minutes=1)


def test_who_asked_for_a_rollback_is_known_in_every_later_entry():
    release = then(opened(plan()), State.ROLLING_BACK, asked_by="the monitor")
    assert then(release, State.ROLLED_BACK).last.belongs_to("the monitor")
    both = then(release, State.ROLLING_BACK, asked_by="the monitor,somebody").last
    assert both.belongs_to("the monitor")
    assert both.belongs_to("somebody")
    assert release.last.belongs_to("0123456789ab")


def test_a_succeeded_deploy_serves_and_a_rolled_back_one_is_quarantined():
    done = then(opened(plan()), State.SUCCEEDED)
    assert [one.version for one in done.standing.good] == [1, 2]
    back = then(opened(plan()), State.ROLLED_BACK)
    assert back.standing.serving == served(1)
    assert back.standing.quarantined == (2,)


def test_a_rollback_forgets_what_came_after_the_version_it_restores():
    before = Standing((served(1), served(2), served(3)))
    back = plan(Change.ROLLBACK, target=1, fallback=None, abandons=3, before=before)
    standing = then(opened(back), State.ROLLED_BACK).standing
    assert standing == Standing((served(1),), (3,))
    assert standing.below(1) is None


def test_an_unfinished_or_rejected_release_leaves_the_standing_as_it_was():
    for state in (State.VALIDATING, State.PROMOTING, State.SOAKING, State.ROLLING_BACK, State.REJECTED):
        assert then(opened(plan()), state).standing == plan().before


def test_each_end_of_a_release_says_what_traffic_it_left():
    release = opened(plan())
    assert then(release, State.SUCCEEDED).traffic == {2: 100}
    assert then(release, State.ROLLED_BACK).traffic == {1: 100}
    assert then(release, State.REJECTED).traffic == {1: 100}
    assert then(release, State.ROLLBACK_FAILED).traffic is None
    assert then(release, State.SOAKING).traffic is None


def test_the_champion_is_who_was_promoted_last_unless_it_was_left_since():
    one, both = Standing((served(1),)), Standing((served(1), served(2)))
    promoted = then(opened(plan(Change.PROMOTE, before=both)), State.SUCCEEDED)
    before = then(opened(plan(Change.PROMOTE, target=1, fallback=None, before=one)), State.SUCCEEDED)
    refused = then(opened(plan(Change.PROMOTE, before=both)), State.REJECTED)
    back = then(opened(plan(Change.ROLLBACK, target=1, fallback=None, abandons=2, before=both)), State.ROLLED_BACK)
    assert aliases_after([promoted, before]) == {"champion": 2, "previous": 1}
    assert aliases_after([back, promoted, before]) == {"champion": 1, "previous": None}
    assert aliases_after([back, refused, before]) == {"champion": 1, "previous": None}
    assert aliases_after([refused]) == {"champion": None, "previous": 1}
    assert aliases_after([]) == {"champion": None, "previous": None}
