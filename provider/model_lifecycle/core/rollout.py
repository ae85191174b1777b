"""The release state machine: ledger, observation and clock in, the next action out. Pure.

``PENDING -> VALIDATING -> PROMOTING -> SOAKING -> SUCCEEDED`` for a deploy; from every state that is not terminal
``-> ROLLING_BACK -> ROLLED_BACK | ROLLBACK_FAILED``; ``REJECTED`` if it ends before any request reached the version.
A shadow passes SHADOW and JUDGING before, a canary SHIFTING, BAKING and JUDGING once for each step. Only PASS goes on;
what is not clear waits in PAUSED until it is, or until its time is over and it is rolled back. A rollback goes from
PENDING straight to ROLLING_BACK, a promotion from PENDING to PROMOTING and SUCCEEDED. Every action is absolute, so
whoever performs it may die at any point and another asks again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from model_lifecycle.core.actions import (
    Action,
    Align,
    Done,
    Enter,
    Load,
    Mirror,
    Observation,
    Prove,
    Route,
    Smoke,
    Unload,
    Wait,
)
from model_lifecycle.core.checks import Measurement, Verdict, overall
from model_lifecycle.core.models import CHAMPION, PREVIOUS
from model_lifecycle.core.plan import Change, Plan, Served
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.strategy import Terms
from model_lifecycle.core.traffic import split

LOAD_POLL = timedelta(seconds=1)
LOADED, PROVEN = "loaded", "proven"


def next_action(release: Release, seen: Observation, now: datetime) -> Action:
    """What to do next; asked again after every action, with the world observed afresh."""
    if release.state.terminal:
        return Done()
    if release.state is State.ROLLING_BACK:
        return _roll_back(release, seen, now)
    if release.plan.change is Change.ROLLBACK:
        return Enter(State.ROLLING_BACK)  # however late: what was asked for is the safe state
    if now >= release.plan.deadline:
        return Enter(given_up(release), f"not finished by its deadline {release.plan.deadline.isoformat()}")
    if release.plan.change is Change.PROMOTE:
        return _promote(release, seen)
    return _DEPLOY[release.state](release, seen, now)


def watched(state: State) -> bool:
    """Whether requests are counted and judged in this state."""
    return state in (State.SHADOW, State.BAKING, State.PAUSED, State.SOAKING)


def terms_of(release: Release) -> Terms:
    """The terms that hold in the present state."""
    terms = Terms.of(release.plan.strategy)
    return terms.in_shadow() if _is_shadowed(release) else terms


def _is_shadowed(release: Release) -> bool:
    return release.state is State.SHADOW or (release.state is State.PAUSED and release.step is None)


def verdict_of(release: Release, measured: Sequence[Measurement]) -> Verdict:
    """What the checks say together; a release that asks nothing is content with time."""
    return overall(measured) if Terms.of(release.plan.strategy).checks else Verdict.PASS


def given_up(release: Release) -> State:
    """The state in which an unfinished deploy or promotion ends, whatever it was waiting for."""
    untouched = release.state in (State.PENDING, State.VALIDATING) or release.plan.change is not Change.DEPLOY
    return State.REJECTED if untouched else State.ROLLING_BACK


def _pending(release: Release, seen: Observation, now: datetime) -> Action:
    return Enter(State.VALIDATING)


def _validate(release: Release, seen: Observation, now: datetime) -> Action:
    target = release.plan.target
    loading = _load(release, seen, now, target)
    if loading is not None:
        return loading
    if target.version in seen.failed:
        return Enter(State.REJECTED, f"version {target.version} cannot be loaded: {seen.failed[target.version]}")
    return Smoke(target.version, _first_step(release), State.REJECTED)


def _first_step(release: Release) -> Enter:
    terms = Terms.of(release.plan.strategy)
    if not terms.gated or release.plan.fallback is None:
        return Enter(State.PROMOTING, "loaded and answering")
    if terms.shadow:
        return Enter(State.SHADOW, "loaded and answering")
    return Enter(State.SHIFTING, "loaded and answering", step=0)


def _load(release: Release, seen: Observation, now: datetime, served: Served) -> Action | None:
    """The way to READY, or None when the version is READY or has failed after it was asked to load."""
    if served.version in seen.ready and (LOADED in release.marks or release.state is State.ROLLING_BACK):
        return None
    if served.version in seen.loading:
        return Wait(now + LOAD_POLL)
    if LOADED in release.marks and served.version in seen.failed:
        return None
    return Load(served)


def _lost(release: Release, seen: Observation) -> Enter | None:
    """The way back if a version that has to answer no longer can."""
    plan = release.plan
    serving = {plan.target.version} | ({plan.fallback.version} if plan.fallback and release.step is not None else set())
    gone = sorted(serving - seen.ready)
    return Enter(State.ROLLING_BACK, f"version {gone[0]} is no longer ready") if gone else None


def _copies(release: Release) -> dict[int, int]:
    """What is to be copied in the present state."""
    return {release.plan.target.version: terms_of(release).share} if _is_shadowed(release) else {}


def _repair(release: Release, seen: Observation, traffic: Mapping[int, int]) -> Action | None:
    """What makes requests go as the present state says."""
    copies = _copies(release)
    if seen.mirrored != copies:
        return Mirror(copies)
    return Route(traffic) if seen.traffic != traffic else None


def _shift(release: Release, seen: Observation, now: datetime) -> Action:
    repair = _lost(release, seen) or _repair(release, seen, split(release))
    share = split(release)[release.plan.target.version]
    return repair or Enter(State.BAKING, f"{share} per cent of the requests", step=release.step)


def _shadow(release: Release, seen: Observation, now: datetime) -> Action:
    lasts = Terms.of(release.plan.strategy).shadow
    return _lost(release, seen) or _repair(release, seen, split(release)) or _gate(release, seen, now, lasts)


def _bake(release: Release, seen: Observation, now: datetime) -> Action:
    lasts = Terms.of(release.plan.strategy).bake
    return _lost(release, seen) or _repair(release, seen, split(release)) or _gate(release, seen, now, lasts)


def _gate(release: Release, seen: Observation, now: datetime, lasts: float) -> Action:
    if verdict_of(release, seen.measured) is Verdict.FAIL:
        return Enter(State.ROLLING_BACK, _because(seen.measured, Verdict.FAIL))
    end = release.since + timedelta(seconds=lasts)
    if now < end:
        return _next_look(release, now, end)
    verdict = verdict_of(release, seen.measured)
    return Enter(State.JUDGING, _because(seen.measured, verdict), step=release.step)


def _judge(release: Release, seen: Observation, now: datetime) -> Action:
    step = release.step
    if release.verdict is not Verdict.PASS:
        return Enter(State.PAUSED, release.last.reason or "no clear verdict", step=step)
    following = 0 if step is None else step + 1
    if following < len(Terms.of(release.plan.strategy).steps):
        return Enter(State.SHIFTING, "every check passed", step=following)
    return Enter(State.PROMOTING, "every check passed")


def _pause(release: Release, seen: Observation, now: datetime) -> Action:
    repair = _lost(release, seen) or _repair(release, seen, split(release))
    if repair:
        return repair
    verdict = verdict_of(release, seen.measured)
    if verdict is Verdict.FAIL:
        return Enter(State.ROLLING_BACK, _because(seen.measured, verdict))
    if verdict is Verdict.PASS:
        return Enter(State.JUDGING, _because(seen.measured, verdict), step=release.step)
    lasts = timedelta(seconds=terms_of(release).pause)
    if now < release.since + lasts:
        return _next_look(release, now, release.since + lasts)
    why = _because(seen.measured, verdict)
    return Enter(State.ROLLING_BACK, f"no clear verdict after a pause of {lasts}: {why}")


def _because(measured: Sequence[Measurement], verdict: Verdict) -> str:
    reasons = [f"{one.check}: {one.reason}" for one in measured if one.critical and one.verdict is verdict]
    return "; ".join(reasons) or f"{verdict}"


def _next_look(release: Release, now: datetime, end: datetime) -> Wait:
    return Wait(min(end, now + timedelta(seconds=terms_of(release).interval)))


def _move(release: Release, seen: Observation, now: datetime) -> Action:
    version = release.plan.target.version
    repair = _lost(release, seen) or _repair(release, seen, {version: 100})
    proven = Enter(State.SOAKING, "unversioned requests are answered by it")
    return repair or Prove(version, proven, State.ROLLING_BACK)


def _soak(release: Release, seen: Observation, now: datetime) -> Action:
    plan, version = release.plan, release.plan.target.version
    repair = _lost(release, seen) or _repair(release, seen, {version: 100})
    if repair:
        return repair
    if overall(seen.measured) is Verdict.FAIL:
        return Enter(State.ROLLING_BACK, _because(seen.measured, Verdict.FAIL))
    aliases = _misaligned(seen, {PREVIOUS: plan.fallback.version if plan.fallback else None})
    if aliases:
        return Align(aliases)
    if now < release.since + timedelta(seconds=Terms.of(plan.strategy).soak):
        return Prove(version, None, State.ROLLING_BACK)
    keep = {version} | ({plan.fallback.version} if plan.fallback else set())
    retired = sorted((seen.ready | seen.loading | set(seen.failed)) - keep)
    return Unload(retired[0]) if retired else Enter(State.SUCCEEDED, "proven to serve")


def pause_after_look(release: Release, now: datetime) -> Wait:
    """When to look again while a version soaks."""
    soak = timedelta(seconds=Terms.of(release.plan.strategy).soak)
    return _next_look(release, now, release.since + soak)


_DEPLOY = {
    State.PENDING: _pending,
    State.VALIDATING: _validate,
    State.SHADOW: _shadow,
    State.SHIFTING: _shift,
    State.BAKING: _bake,
    State.JUDGING: _judge,
    State.PAUSED: _pause,
    State.PROMOTING: _move,
    State.SOAKING: _soak,
}


def _promote(release: Release, seen: Observation) -> Action:
    plan, version = release.plan, release.plan.target.version
    if seen.traffic != {version: 100}:
        return Enter(State.REJECTED, f"the endpoint's traffic is {dict(seen.traffic)}, not version {version}")
    if release.state is State.PENDING:
        return Enter(State.PROMOTING)
    wanted = {PREVIOUS: plan.fallback.version if plan.fallback else None, CHAMPION: version}
    aliases = _misaligned(seen, wanted)
    return Align(aliases) if aliases else Enter(State.SUCCEEDED, f"{CHAMPION} is version {version}")


def _roll_back(release: Release, seen: Observation, now: datetime) -> Action:
    restored = release.plan.restored
    if restored is not None:
        loading = _load(release, seen, now, restored)
        if loading is not None:
            return loading
        if restored.version in seen.failed:
            reason = f"version {restored.version} cannot be loaded again: {seen.failed[restored.version]}"
            return Enter(State.ROLLBACK_FAILED, reason)
    return _put_back(release, seen)


def _put_back(release: Release, seen: Observation) -> Action:
    plan = release.plan
    if seen.traffic != plan.traffic_back:
        return Route(plan.traffic_back)
    if seen.mirrored:
        return Mirror({})
    if plan.restored and plan.traffic_back == {plan.restored.version: 100} and PROVEN not in release.marks:
        proven = Enter(State.ROLLING_BACK, "unversioned requests are answered by it again", PROVEN)
        return Prove(plan.restored.version, proven, State.ROLLBACK_FAILED)
    aliases = _misaligned(seen, _aliases_back(plan, seen))
    if aliases:
        return Align(aliases)
    if plan.abandons in seen.ready | seen.loading:
        return Unload(plan.abandons)
    return Enter(State.ROLLED_BACK)


def _aliases_back(plan: Plan, seen: Observation) -> dict[str, int | None]:
    """After a rollback no alias names what was abandoned, and ``previous`` names the next way back (Law 7)."""
    standing = plan.before.rolled_back(plan.restored, plan.abandons)
    below = standing.below(plan.restored.version) if plan.restored else None
    wanted: dict[str, int | None] = {PREVIOUS: below.version if below else None}
    if seen.aliases.get(CHAMPION) == plan.abandons:
        wanted[CHAMPION] = plan.restored.version if plan.restored else None
    return wanted


def _misaligned(seen: Observation, wanted: Mapping[str, int | None]) -> dict[str, int | None]:
    return {alias: version for alias, version in wanted.items() if seen.aliases.get(alias) != version}
