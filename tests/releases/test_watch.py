from __future__ import annotations

import json
from datetime import timedelta

import pytest

from model_lifecycle.core.checks import Verdict, overall
from model_lifecycle.core.counts import Counts
from model_lifecycle.core.gate import Check
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.strategy import Canary
from model_lifecycle.releases.watch import Watch, counts_at_start
from tests.core.test_plan import NOW, plan
from tests.core.test_release import opened, then

SECOND = timedelta(seconds=1)
STRATEGY = {
    **Canary(steps=(10, 50), bake=60 * SECOND, soak=30 * SECOND, interval=10 * SECOND, pause=100 * SECOND).to_dict(),
    "checks": [Check("error_rate", hard_maximum=0.5, min_samples=100).to_dict()],
}


def counts(old: tuple[int, int] = (0, 0), new: tuple[int, int] = (0, 0)) -> dict[int, Counts]:
    return {1: Counts(*old), 2: Counts(*new)}


def evidence(found: dict[int, Counts]) -> dict[str, object]:
    return {"counts": {str(version): one.to_dict() for version, one in found.items()}}


def baking(at_start: dict[int, Counts] | None = None) -> Release:
    release = then(opened(plan(strategy=STRATEGY)), State.SHIFTING, step=0)
    return then(release, State.BAKING, step=0, evidence=evidence(at_start or counts((500, 5), (40, 0))))


def test_a_watch_begins_with_the_counts_that_the_ledger_holds():
    release = baking()
    watch = Watch.of(release)
    watch.look(release, NOW + 10 * SECOND, counts((590, 5), (50, 1)))
    assert (watch.looks[0].baseline, watch.looks[0].candidate) == (Counts(90), Counts(10, 1))
    watch.look(release, NOW + 20 * SECOND, counts((680, 5), (60, 1)))
    assert (watch.looks[1].baseline, watch.looks[1].candidate) == (Counts(90), Counts(10))


def test_a_router_that_was_restarted_counts_from_zero_and_no_request_is_counted_twice():
    release = baking()
    watch = Watch.of(release)
    watch.look(release, NOW + 10 * SECOND, counts((90, 0), (10, 1)))
    assert (watch.looks[0].baseline, watch.looks[0].candidate) == (Counts(90), Counts(10, 1))


def test_a_version_that_nobody_ever_asked_has_no_counts():
    watch = Watch.of(baking({}))
    watch.look(baking({}), NOW + 10 * SECOND, {})
    assert watch.measure(baking({}), NOW + 10 * SECOND)[0].verdict is Verdict.NO_DATA


@pytest.mark.parametrize(("seconds", "due"), [(0, False), (8, False), (9, True), (10, True)])
def test_a_look_is_due_when_the_interval_is_almost_over(seconds, due):
    assert Watch.of(baking()).is_due(baking(), NOW + seconds * SECOND) is due


def test_there_is_a_look_at_the_end_of_the_state_however_short_ago_the_last_one_was():
    release, watch = baking(), Watch.of(baking())
    watch.look(release, NOW + 57 * SECOND, counts())
    assert not watch.is_due(release, NOW + 59 * SECOND)
    assert watch.is_due(release, NOW + 60 * SECOND)
    watch.look(release, NOW + 60 * SECOND, counts())
    assert not watch.is_due(release, NOW + 61 * SECOND)


def test_what_was_seen_goes_through_json_to_whoever_goes_on():
    release = baking()
    watch = Watch.of(release)
    watch.look(release, NOW + 10 * SECOND, counts((590, 5), (50, 1)))
    again = Watch.from_dict(release, json.loads(json.dumps(watch.to_dict())))
    again.look(release, NOW + 20 * SECOND, counts((680, 5), (60, 1)))
    assert [look.candidate.requests for look in again.looks] == [10, 10]


def test_what_was_seen_of_another_state_is_not_believed():
    old = Watch.of(baking())
    old.look(baking(), NOW + 10 * SECOND, counts((590, 5), (50, 1)))
    soaking = then(baking(), State.SOAKING, NOW + 60 * SECOND, evidence=evidence(counts((9, 0), (9, 0))))
    assert not old.is_of(soaking)
    assert Watch.from_dict(soaking, old.to_dict()).looks == []


def test_a_state_that_another_execution_resumed_is_the_same_state():
    release = baking()
    assert Watch.of(release).is_of(then(release, State.BAKING, NOW + 5 * SECOND, reason="resumed"))


def test_a_pause_goes_on_from_the_beginning_of_its_step():
    release = then(baking(), State.JUDGING, NOW + 60 * SECOND, step=0, evidence={"verdict": "NO_DATA"})
    release = then(release, State.PAUSED, NOW + 60 * SECOND, step=0)
    assert counts_at_start(release) == counts_at_start(baking())
    watch = Watch.of(release)
    watch.look(release, NOW + 70 * SECOND, counts((1500, 5), (240, 0)))
    assert overall(watch.measure(release, NOW + 70 * SECOND)) is Verdict.PASS


def test_counts_that_cannot_be_had_are_an_error_and_not_health():
    release, watch = baking(), Watch.of(baking())
    watch.look(release, NOW + 10 * SECOND, counts((1500, 5), (240, 0)))
    assert overall(watch.measure(release, NOW + 10 * SECOND)) is Verdict.PASS
    watch.fault = "the router does not answer"
    assert overall(watch.measure(release, NOW + 10 * SECOND)) is Verdict.ERROR
    watch.look(release, NOW + 20 * SECOND, counts((1600, 5), (250, 0)))
    assert overall(watch.measure(release, NOW + 20 * SECOND)) is Verdict.PASS


def test_what_an_earlier_step_showed_counts_at_the_next():
    release, first = baking(counts()), Watch.of(baking(counts()))
    first.look(release, NOW + 60 * SECOND, counts((1800, 6), (200, 4)))
    shown = first.evidence(release, first.measure(release, NOW + 60 * SECOND))
    second = then(release, State.JUDGING, NOW + 60 * SECOND, step=0, evidence=shown)
    second = then(second, State.BAKING, NOW + 61 * SECOND, step=1, evidence=evidence(counts((1800, 6), (200, 4))))
    fresh = then(release, State.BAKING, NOW + 61 * SECOND, step=1, evidence=evidence(counts((1800, 6), (200, 4))))
    verdicts = []
    for of in (second, fresh):
        watch = Watch.of(of)
        watch.look(of, NOW + 70 * SECOND, counts((2100, 7), (500, 10)))
        verdicts.append(watch.measure(of, NOW + 70 * SECOND)[0].verdict)
    assert verdicts == [Verdict.FAIL, Verdict.PASS]


def test_nobody_serves_beside_a_version_that_soaks_and_limits_alone_decide():
    release = then(baking(), State.SOAKING, NOW + 60 * SECOND, evidence=evidence(counts()))
    watch = Watch.of(release)
    watch.look(release, NOW + 70 * SECOND, counts((5, 0), (200, 20)))
    assert watch.looks[0].baseline is None
    assert overall(watch.measure(release, NOW + 70 * SECOND)) is Verdict.PASS
    watch.look(release, NOW + 80 * SECOND, counts((5, 0), (300, 90)))
    assert overall(watch.measure(release, NOW + 80 * SECOND)) is Verdict.FAIL


def test_the_evidence_holds_the_verdict_every_measurement_and_every_window():
    release, watch = baking(), Watch.of(baking())
    watch.look(release, NOW + 10 * SECOND, counts((590, 5), (50, 1)))
    found = json.loads(json.dumps(watch.evidence(release, watch.measure(release, NOW + 10 * SECOND))))
    assert found["verdict"] == "INCONCLUSIVE"
    assert found["measurements"][0]["check"] == "error_rate"
    assert found["looks"][0]["candidate"]["requests"] == found["total"]["candidate"]["requests"] == 10


def test_without_checks_nothing_is_measured_and_the_verdict_is_pass():
    release = then(opened(plan(strategy={**STRATEGY, "checks": []})), State.BAKING, step=0)
    watch = Watch.of(release)
    assert watch.measure(release, NOW) == []
    assert watch.evidence(release, [])["verdict"] == "PASS"
