from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_lifecycle.core.actions import Done, Enter, Load, Mirror, Observation, Prove, Route, Smoke, Unload, Wait
from model_lifecycle.core.admission import plan_deploy, plan_promote, plan_rollback
from model_lifecycle.core.checks import Measurement, Verdict
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.gate import Check
from model_lifecycle.core.models import CHAMPION, PREVIOUS
from model_lifecycle.core.plan import Change, Standing
from model_lifecycle.core.release import SUPERSEDED, Release, State, following
from model_lifecycle.core.rollout import LOADED, next_action, pause_after_look, verdict_of
from model_lifecycle.core.strategy import BlueGreen, Canary, Shadow
from tests.core.test_admission import request
from tests.core.test_plan import NOW, plan, served
from tests.core.test_release import opened, then


@dataclass
class World:
    """A pure stand-in for server and registry: what the machine's actions do to them, and what can go wrong."""

    now: datetime = NOW
    ready: set[int] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)
    traffic: dict[int, int] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)
    wrong: set[int] = field(default_factory=set)
    routes: list[dict[int, int]] = field(default_factory=list)
    mirrored: dict[int, int] = field(default_factory=dict)
    health: Verdict = Verdict.PASS

    def seen(self) -> Observation:
        return Observation(
            frozenset(self.ready),
            dict(self.failed),
            frozenset(),
            dict(self.traffic),
            dict(self.aliases),
            dict(self.mirrored),
            (Measurement("error_rate", self.health, reason="as the test says"),),
        )

    def perform(self, release: Release, action: object) -> Release:
        """Perform one action as the driver does and return the release as the ledger then holds it."""
        match action:
            case Enter(state=state, reason=reason, mark=mark, step=step):
                return self.enter(release, state, reason, mark, step)
            case Mirror(mirrored=mirrored):
                assert set(mirrored) <= self.ready, "requests were copied to a version that cannot serve"
                self.mirrored = dict(mirrored)
            case Load(served=one):
                self.failed.pop(one.version, None)
                if one.version in self.broken:
                    self.failed[one.version] = "cannot be read"
                else:
                    self.ready.add(one.version)
                return self.enter(release, release.state, "staged", LOADED)
            case Smoke(version=version, passed=passed, failed=failed):
                if version in self.wrong:
                    return self.enter(release, failed, "smoke")
                return self.enter(release, passed.state, passed.reason, passed.mark, passed.step)
            case Prove(version=version, passed=passed, failed=failed):
                if self.traffic != {version: 100}:
                    return self.enter(release, failed, "another answered")
                if passed is not None:
                    return self.enter(release, passed.state, passed.reason, passed.mark)
                self.now = pause_after_look(release, self.now).until
            case Route(traffic=traffic):
                assert set(traffic) <= self.ready, "traffic was sent to a version that cannot serve"
                self.traffic = dict(traffic)
                self.routes.append(self.traffic)
            case Unload(version=version):
                assert version not in {**self.traffic, **self.mirrored}, "a version with traffic was retired"
                self.ready.discard(version)
                self.failed.pop(version, None)
            case Wait(until=until):
                self.now = until
            case _:
                for alias, version in action.aliases.items():  # type: ignore[attr-defined]
                    self.aliases.pop(alias, None)
                    if version is not None:
                        self.aliases[alias] = version
        return release

    def enter(
        self, release: Release, state: State, reason: str = "", mark: str | None = None, step: int | None = None
    ) -> Release:
        evidence = {"verdict": str(verdict_of(release, self.seen().measured))} if state is State.JUDGING else {}
        step = release.step if state is release.state else step
        more = {"reason": reason, "mark": mark, "step": step, "evidence": evidence}
        return Release((*release.entries, following(release.last, state, self.now, "w", **more)))

    def drive(self, release: Release, steps: int = 200) -> Release:
        for _ in range(steps):
            action = next_action(release, self.seen(), self.now)
            if isinstance(action, Done):
                return release
            release = self.perform(release, action)
        raise AssertionError(f"still {release.state} after {steps} actions")


def serving_one() -> World:
    return World(ready={1}, traffic={1: 100}, aliases={CHAMPION: 1})


def test_a_deploy_goes_through_every_state_in_order():
    release = serving_one().drive(opened(plan()))
    states = list(dict.fromkeys(entry.state for entry in release.entries))
    assert states == [State.PENDING, State.VALIDATING, State.PROMOTING, State.SOAKING, State.SUCCEEDED]


def test_after_a_deploy_the_old_version_stays_loaded_and_previous_names_it():
    world = serving_one()
    world.drive(opened(plan()))
    assert world.traffic == {2: 100}
    assert world.ready == {1, 2}
    assert world.aliases == {CHAMPION: 1, PREVIOUS: 1}


def test_versions_that_nobody_needs_are_retired():
    world = serving_one()
    world.ready |= {5, 6}
    world.drive(opened(plan()))
    assert world.ready == {1, 2}


def test_a_version_that_cannot_be_loaded_is_rejected_and_no_traffic_moves():
    world = serving_one()
    world.broken = {2}
    release = world.drive(opened(plan()))
    assert release.state is State.REJECTED
    assert "cannot be read" in release.last.reason
    assert world.routes == []


def test_a_version_that_failed_for_an_earlier_release_is_tried_again():
    world = serving_one()
    world.failed = {2: "there was no memory"}
    assert world.drive(opened(plan())).state is State.SUCCEEDED


def test_a_version_that_fails_its_smoke_prediction_is_rejected_and_no_traffic_moves():
    world = serving_one()
    world.wrong = {2}
    assert world.drive(opened(plan())).state is State.REJECTED
    assert world.routes == []


def test_a_version_that_is_lost_while_it_soaks_is_rolled_back_with_its_aliases():
    world = serving_one()
    release = opened(plan())
    while release.state is not State.SOAKING:
        release = world.perform(release, next_action(release, world.seen(), world.now))
    world.ready.discard(2)
    release = world.drive(release)
    assert release.state is State.ROLLED_BACK
    assert (world.traffic, world.aliases.get(CHAMPION)) == ({1: 100}, 1)


def test_traffic_that_somebody_else_moved_during_the_soak_is_set_again():
    world = serving_one()
    release = opened(plan())
    while release.state is not State.SOAKING:
        release = world.perform(release, next_action(release, world.seen(), world.now))
    world.traffic = {1: 100}
    assert next_action(release, world.seen(), world.now) == Route({2: 100})


@pytest.mark.parametrize(
    ("state", "ends"),
    [(State.PENDING, State.REJECTED), (State.VALIDATING, State.REJECTED), (State.PROMOTING, State.ROLLED_BACK),
     (State.SOAKING, State.ROLLED_BACK)],
)  # fmt: skip
def test_a_release_past_its_deadline_is_put_back(state, ends):
    world = serving_one()
    world.ready.add(2)
    release = opened(plan())
    if state is not State.PENDING:
        release = then(release, state)
    world.now = NOW + timedelta(hours=2)
    assert world.drive(release).state is ends
    assert world.traffic == {1: 100}


def test_a_first_release_that_is_rolled_back_leaves_nothing_serving():
    world = World()
    release = opened(plan(fallback=None))
    while release.state is not State.SOAKING:
        release = world.perform(release, next_action(release, world.seen(), world.now))
    release = world.drive(world.enter(release, State.ROLLING_BACK, "asked for"))
    assert release.state is State.ROLLED_BACK
    assert (world.traffic, world.ready) == ({}, set())


def test_a_rollback_loads_the_old_version_again_if_it_was_retired():
    world = World(ready={3}, traffic={3: 100}, aliases={CHAMPION: 3, PREVIOUS: 2})
    standing = Standing((served(1), served(2), served(3)))
    back = plan_rollback(standing, request(Change.ROLLBACK, 2), 3, world.traffic)
    release = world.drive(opened(back))
    assert release.state is State.ROLLED_BACK
    assert world.traffic == {2: 100}
    assert world.aliases == {CHAMPION: 2, PREVIOUS: 1}
    assert 3 not in world.ready


def test_a_rollback_whose_target_cannot_be_loaded_fails_loudly_and_moves_nothing():
    world = World(ready={3}, traffic={3: 100}, broken={2})
    back = plan_rollback(Standing((served(2), served(3))), request(Change.ROLLBACK, 2), 3, world.traffic)
    assert world.drive(opened(back)).state is State.ROLLBACK_FAILED
    assert world.traffic == {3: 100}


def test_a_promotion_sets_previous_and_champion_of_what_serves():
    world = World(ready={1, 2}, traffic={2: 100}, aliases={CHAMPION: 1})
    promote = plan_promote(Standing((served(1), served(2))), request(Change.PROMOTE), world.traffic)
    assert world.drive(opened(promote)).state is State.SUCCEEDED
    assert world.aliases == {CHAMPION: 2, PREVIOUS: 1}


def test_a_version_that_does_not_serve_cannot_become_champion():
    world = serving_one()
    promote = plan_promote(Standing((served(1), served(2))), request(Change.PROMOTE), world.traffic)
    assert world.drive(opened(promote)).state is State.REJECTED
    assert world.aliases == {CHAMPION: 1}


def test_a_rollback_is_not_given_up_however_late_it_goes_on():
    standing = Standing((served(1), served(2)))
    back = plan_rollback(standing, request(Change.ROLLBACK, target=1), 2, {2: 100})
    late = World(ready={1, 2}, traffic={2: 100}, now=NOW + timedelta(days=1))
    assert late.drive(opened(back)).state is State.ROLLED_BACK
    assert late.traffic == {1: 100}


BLUE_GREEN = BlueGreen(soak=timedelta(minutes=1)).to_dict()
CANARY = {
    **Canary(steps=(5, 50), bake=timedelta(minutes=1), soak=timedelta(minutes=1), pause=timedelta(minutes=5)).to_dict(),
    "checks": [Check("error_rate").to_dict()],
}
SHADOW = {**Shadow(timedelta(minutes=1), share=50, pause=timedelta(minutes=5)).to_dict(), "checks": CANARY["checks"]}
BOTH = {**SHADOW, **CANARY}


def states_of(release: Release) -> list[str]:
    """Each state once for each time it was come into, with its step."""
    walked = [f"{entry.state}" + ("" if entry.step is None else f" {entry.step}") for entry in release.entries]
    return [state for state, _ in groupby(walked)]


def test_a_canary_goes_through_its_steps_and_is_judged_at_each():
    world = serving_one()
    release = world.drive(opened(plan(strategy=CANARY)))
    assert states_of(release) == [
        *("PENDING", "VALIDATING"),
        *("SHIFTING 0", "BAKING 0", "JUDGING 0"),
        *("SHIFTING 1", "BAKING 1", "JUDGING 1"),
        *("PROMOTING", "SOAKING", "SUCCEEDED"),
    ]
    assert world.routes == [{1: 95, 2: 5}, {1: 50, 2: 50}, {2: 100}]


def test_a_shadow_gets_copies_and_no_traffic_until_it_has_passed():
    world = serving_one()
    release = world.drive(opened(plan(strategy=SHADOW)))
    assert states_of(release)[1:5] == ["VALIDATING", "SHADOW", "JUDGING", "PROMOTING"]
    assert (world.routes, world.mirrored) == ([{2: 100}], {})


def test_a_shadow_may_go_on_as_a_canary():
    release = serving_one().drive(opened(plan(strategy=BOTH)))
    assert states_of(release)[2:6] == ["SHADOW", "JUDGING", "SHIFTING 0", "BAKING 0"]
    assert release.state is State.SUCCEEDED


def test_a_first_release_has_nothing_to_be_compared_with_and_gets_all_traffic_at_once():
    release = World().drive(opened(plan(fallback=None, strategy=BOTH)))
    assert states_of(release) == ["PENDING", "VALIDATING", "PROMOTING", "SOAKING", "SUCCEEDED"]


def until(world: World, release: Release, state: State) -> Release:
    for _ in range(100):
        if release.state is state:
            return release
        release = world.perform(release, next_action(release, world.seen(), world.now))
    raise AssertionError(f"never came to {state}")


@pytest.mark.parametrize("state", [State.SHADOW, State.BAKING, State.PAUSED, State.SOAKING])
def test_a_worse_version_is_rolled_back_in_every_state_that_is_watched(state):
    world, start = serving_one(), opened(plan(strategy=BOTH))
    world.health = Verdict.INCONCLUSIVE if state is State.PAUSED else Verdict.PASS
    release = until(world, start, state)
    world.health = Verdict.FAIL
    release = world.drive(release)
    assert release.state is State.ROLLED_BACK
    assert "error_rate: as the test says" in release.reason
    assert (world.traffic, world.mirrored, world.ready) == ({1: 100}, {}, {1})
    assert release.standing.quarantined == (2,)


@pytest.mark.parametrize("unclear", [Verdict.NO_DATA, Verdict.INCONCLUSIVE, Verdict.ERROR])
@pytest.mark.parametrize("strategy", [CANARY, SHADOW])
def test_what_is_not_clear_pauses_and_is_rolled_back_when_the_pause_is_over(unclear, strategy):
    world = serving_one()
    world.health = unclear
    release = world.drive(opened(plan(strategy=strategy)))
    assert "PAUSED" in " ".join(states_of(release))
    assert release.state is State.ROLLED_BACK
    assert "no clear verdict after a pause of 0:05:00" in release.reason
    assert world.now >= NOW + timedelta(minutes=6)


@pytest.mark.parametrize("strategy", [CANARY, SHADOW])
def test_a_pause_ends_when_the_verdict_becomes_clear(strategy):
    world = serving_one()
    world.health = Verdict.NO_DATA
    release = until(world, opened(plan(strategy=strategy)), State.PAUSED)
    world.health = Verdict.PASS
    assert world.drive(release).state is State.SUCCEEDED


def test_without_checks_only_time_decides():
    world = serving_one()
    world.health = Verdict.NO_DATA
    assert world.drive(opened(plan(strategy={**CANARY, "checks": []}))).state is State.SUCCEEDED


@pytest.mark.parametrize("lost", [1, 2])
def test_a_canary_that_loses_a_version_is_rolled_back(lost):
    world = serving_one()
    release = until(world, opened(plan(strategy=CANARY)), State.BAKING)
    world.ready.discard(lost)
    release = world.drive(release)
    assert release.state is State.ROLLED_BACK
    assert f"version {lost} is no longer ready" in release.reason
    assert (world.traffic, world.ready) == ({1: 100}, {1})


def test_traffic_and_copies_that_somebody_else_moved_are_set_again():
    world = serving_one()
    release = until(world, opened(plan(strategy=BOTH)), State.SHADOW)
    world.perform(release, next_action(release, world.seen(), world.now))
    world.mirrored = {}
    assert next_action(release, world.seen(), world.now) == Mirror({2: 50})
    release = until(world, release, State.BAKING)
    world.traffic, world.mirrored = {1: 100}, {2: 50}
    assert next_action(release, world.seen(), world.now) == Mirror({})
    world.mirrored = {}
    assert next_action(release, world.seen(), world.now) == Route({1: 95, 2: 5})


def test_a_rollback_in_the_shadow_ends_the_copies():
    world = serving_one()
    release = until(world, opened(plan(strategy=SHADOW)), State.JUDGING)
    release = world.drive(then(release, State.ROLLING_BACK, world.now, reason="asked for"))
    assert (release.state, world.mirrored, world.ready) == (State.ROLLED_BACK, {}, {1})


def test_a_canary_past_its_deadline_is_put_back_in_whatever_state():
    world = serving_one()
    release = until(world, opened(plan(strategy=CANARY)), State.SHIFTING)
    world.now = release.plan.deadline
    assert world.drive(release).state is State.ROLLED_BACK


def test_a_release_that_only_made_place_leaves_its_version_unquarantined():
    world = serving_one()
    release = until(world, opened(plan(strategy=CANARY)), State.BAKING)
    release = world.drive(then(release, State.ROLLING_BACK, world.now, reason="superseded", mark=SUPERSEDED))
    assert (release.state, release.standing.quarantined) == (State.ROLLED_BACK, ())


def test_a_soak_cannot_be_negative():
    with pytest.raises(Invalid, match="negative"):
        BlueGreen(timedelta(seconds=-1))


events = st.sampled_from(
    ["act"] * 6 + ["effect is lost", "entry is lost", "late", "version dies", "meddle", *map(str, Verdict)]
)


@given(
    st.lists(events, max_size=60),
    st.sampled_from(list(Change)),
    st.booleans(),
    st.booleans(),
    st.sampled_from([BLUE_GREEN, CANARY, SHADOW, BOTH]),
)
@settings(max_examples=400)
def test_whatever_is_lost_in_between_every_release_ends_and_traffic_is_what_its_end_says(
    history, change, first, broken, strategy
):
    """Crashes between any two effects, a server that forgets, and somebody who meddles with the traffic."""
    world = World() if first and change is Change.DEPLOY else serving_one()
    world.broken = {2} if broken else set()
    standing = Standing() if not world.ready else Standing((served(1),))
    if change is not Change.DEPLOY:
        standing = Standing((served(2), served(1))) if change is Change.ROLLBACK else Standing((served(1),))
    target = 1 if change is Change.PROMOTE else 2
    planner = {Change.DEPLOY: plan_deploy, Change.PROMOTE: plan_promote}
    if change is Change.ROLLBACK:
        chosen = plan_rollback(standing, request(change), 1, dict(world.traffic))
    else:
        chosen = planner[change](standing, request(change, target), dict(world.traffic))
    release = opened(replace(chosen, strategy=strategy) if change is Change.DEPLOY else chosen)
    before = dict(world.traffic)
    for event in history:
        release = _happen(world, release, event)
    release = world.drive(release)
    assert release.state.terminal
    _the_end_is_true(world, release, before)


def _happen(world: World, release: Release, event: str) -> Release:
    action = next_action(release, world.seen(), world.now)
    if isinstance(action, Done) or event == "effect is lost":
        return release
    if event in list(Verdict):
        world.health = Verdict(event)
        return release
    if event == "late":
        world.now += timedelta(minutes=20)
        return release
    if event == "version dies":
        idle = sorted(world.ready - set(world.traffic) - set(world.mirrored))
        world.ready -= set(idle[:1])
        return release
    if event == "meddle" and release.state is State.SOAKING and 1 in world.ready:
        world.traffic = {1: 100}
        return release
    after = world.perform(release, action)
    # A crash after the effect and before its entry; a transition that is only an entry cannot be half done.
    return release if event == "entry is lost" and not isinstance(action, Enter | Smoke | Prove) else after


def _the_end_is_true(world: World, release: Release, before: dict[int, int]) -> None:
    chosen = release.plan
    if release.state is State.SUCCEEDED:
        assert world.traffic == {chosen.target.version: 100}
    elif release.state is State.ROLLED_BACK:
        assert world.traffic == chosen.traffic_back
        assert chosen.abandons not in world.ready
    elif release.state is State.REJECTED:
        assert world.traffic == before
    else:
        assert world.broken
        assert chosen.target.version in world.broken
