from __future__ import annotations

import json
from datetime import timedelta

import pytest

from model_lifecycle.core.plan import Change, Standing
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.telling import LONGEST, MOST, endpoint, health, noted, summary, text, timeline
from tests.core.test_plan import NOW, plan, served
from tests.core.test_release import opened, then

READY = {1: "READY", 2: "READY"}
FAILED_CHECK = {"verdict": "FAIL", "reason": "too slow", "measurements": [{"check": "p95", "verdict": "FAIL"}]}


def deployed(**fields: object) -> Release:
    return then(opened(plan(**fields)), State.SUCCEEDED, NOW + timedelta(minutes=5))


def test_what_serves_is_well_if_callers_are_sent_where_the_ledger_says():
    told = endpoint([deployed()], {2: 100}, READY)
    assert told["health"] == {"word": "well", "reasons": []}
    assert (told["serving"]["version"], told["back"]["version"], told["back"]["loaded"]) == (2, 1, True)
    assert told["since"] == (NOW + timedelta(minutes=5)).isoformat()


def test_a_promotion_does_not_change_since_when_a_version_serves():
    before = Standing((served(1), served(2)))
    promoted = then(opened(plan(Change.PROMOTE, before=before), 3), State.SUCCEEDED, NOW + timedelta(hours=1))
    assert endpoint([promoted, deployed()], {2: 100}, READY)["since"] == (NOW + timedelta(minutes=5)).isoformat()
    assert endpoint([promoted], {2: 100}, READY)["since"] is None


def test_of_a_release_under_way_the_way_back_is_what_served_before():
    told = endpoint([then(opened(plan(strategy={"steps": [20]})), State.BAKING, step=0)], {1: 80, 2: 20}, READY)
    assert (told["serving"]["version"], told["back"]["version"], told["health"]["word"]) == (1, 1, "look")


@pytest.mark.parametrize(
    ("release", "traffic", "states", "word"),
    [
        (deployed(), None, READY, "unknown"),
        (deployed(), {2: 100}, None, "unknown"),
        (deployed(), {2: 100}, {2: "FAILED"}, "sick"),
        (deployed(), {2: 100}, {1: "READY"}, "sick"),
        (deployed(), {1: 100}, READY, "sick"),
        (deployed(), {}, READY, "sick"),
        (then(opened(plan()), State.PAUSED), {1: 80, 2: 20}, READY, "look"),
        (then(opened(plan()), State.ROLLBACK_FAILED), {1: 100}, READY, "sick"),
        (then(opened(plan()), State.ROLLED_BACK), {1: 100}, READY, "well"),
    ],
)
def test_how_an_endpoint_is(release, traffic, states, word):
    assert health(release, traffic, states)["word"] == word


def test_the_last_check_is_of_what_serves_and_one_that_failed_is_looked_at():
    told = endpoint([then(opened(plan()), State.SUCCEEDED, evidence=FAILED_CHECK)], {2: 100}, READY)
    assert (told["check"]["verdict"], told["check"]["version"], told["health"]["word"]) == ("FAIL", 2, "look")
    left = then(opened(plan()), State.ROLLED_BACK, evidence=FAILED_CHECK)
    assert endpoint([left], {1: 100}, READY)["check"] is None


def test_the_newer_of_a_release_s_check_and_a_monitor_s_counts():
    release = then(opened(plan()), State.SUCCEEDED, NOW, evidence={**FAILED_CHECK, "verdict": "PASS"})
    for age, verdict, word in ((-1, "PASS", "well"), (1, "FAIL", "look")):
        at = (NOW + timedelta(hours=age)).isoformat()
        note = noted(json.dumps({"endpoint": "x/y", "verdict": "FAIL", "reason": "stale", "at": at}), 2)
        told = endpoint([release], {2: 100}, READY, monitored=note)
        assert (told["check"]["verdict"], told["health"]["word"]) == (verdict, word)


@pytest.mark.parametrize("value", ["", "FAIL", "[]", "7", '{"at": 7}', '{"at": "2026-11-22"}', "[" * 10**5])
def test_what_is_no_note_is_none(value):
    assert noted(value, 1) is None


def test_who_what_from_to_and_why():
    told = summary(then(opened(plan()), State.ROLLED_BACK, reason="put back"))
    assert (told["from"], told["to"], told["change"], told["state"]) == (1, 2, "deploy", "ROLLED_BACK")
    assert (told["asked"], told["who"], told["traffic"]) == ("because", {"dag": "retrain"}, {"1": 100})


def test_a_timeline_shows_the_looks_as_the_plots_need_them():
    counts = {"requests": 10, "errors": 1, "refused": 0, "latency": {"0.01": 10}}
    look = {"at": NOW.isoformat(), "candidate": counts, "baseline": None}
    release = then(opened(plan()), State.JUDGING, evidence={"verdict": "PASS", "looks": [look, {"at": "?"}, 7]})
    entry = timeline(release)["entries"][-1]
    assert entry["verdict"] == "PASS"
    (shown,) = entry["looks"]
    assert (shown["candidate"]["requests"], shown["candidate"]["errors"], shown["baseline"]) == (10, 0.1, None)


def test_whatever_a_ledger_holds_a_page_stays_small_and_is_json():
    long = "x" * 10**6
    rows = [{"check": long, "verdict": long, "reason": long, "value": float("nan"), "samples": "?"}] * 1000
    release = then(opened(plan()), State.JUDGING, reason=long, evidence={"verdict": long, "measurements": rows})
    told = json.dumps(timeline(release), allow_nan=False)
    assert len(told) < 4 * MOST * LONGEST
    assert text(long)[-1] == "\u2026"
