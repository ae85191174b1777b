"""The traffic that a release asks for in each of its states. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from model_lifecycle.core.plan import Change
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.strategy import Terms


def split(release: Release) -> dict[int, int]:
    """Per cent by version at the present step of a canary; before it, what was found."""
    plan = release.plan
    if release.step is None or plan.fallback is None:
        return dict(plan.traffic_back)
    share = Terms.of(plan.strategy).steps[release.step]
    return {plan.fallback.version: 100 - share, plan.target.version: share}


def traffic_of(release: Release) -> Mapping[int, int]:
    """Per cent by version that a release asks for in its present state."""
    plan = release.plan
    if release.state is State.ROLLING_BACK:
        return plan.traffic_back
    if release.state in (State.PROMOTING, State.SOAKING) and plan.change is Change.DEPLOY:
        return {plan.target.version: 100}
    left = release.traffic if release.state.terminal else None
    return split(release) if left is None else left
