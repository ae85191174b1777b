from __future__ import annotations

import pytest

from model_lifecycle.core.plan import Change
from model_lifecycle.core.release import State
from model_lifecycle.core.strategy import Canary
from model_lifecycle.core.traffic import traffic_of
from tests.core.test_plan import plan
from tests.core.test_release import opened, then

CANARY = plan(strategy=Canary(steps=(5, 25)).to_dict())


@pytest.mark.parametrize(
    ("state", "step", "traffic"),
    [
        (State.VALIDATING, None, {1: 100}),
        (State.SHADOW, None, {1: 100}),
        (State.SHIFTING, 0, {1: 95, 2: 5}),
        (State.PAUSED, 1, {1: 75, 2: 25}),
        (State.PROMOTING, 1, {2: 100}),
        (State.SOAKING, 1, {2: 100}),
        (State.SUCCEEDED, None, {2: 100}),
        (State.ROLLING_BACK, 1, {1: 100}),
        (State.ROLLED_BACK, None, {1: 100}),
        (State.ROLLBACK_FAILED, None, {1: 100}),
        (State.REJECTED, None, {1: 100}),
    ],
)
def test_every_state_asks_for_its_traffic(state, step, traffic):
    assert traffic_of(then(opened(CANARY), state, step=step)) == traffic


def test_a_promotion_asks_for_no_other_traffic():
    assert traffic_of(then(opened(plan(change=Change.PROMOTE)), State.PROMOTING)) == {1: 100}
