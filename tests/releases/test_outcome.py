from __future__ import annotations

import pytest

from model_lifecycle.core.errors import Rejected
from model_lifecycle.core.plan import Change
from model_lifecycle.core.release import State
from model_lifecycle.releases.outcome import outcome
from tests.core.test_plan import plan
from tests.core.test_release import opened, then


def test_a_deploy_that_succeeded_tells_its_release():
    assert outcome(then(opened(plan()), State.SUCCEEDED))["state"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("change", "state"),
    [(Change.DEPLOY, State.ROLLED_BACK), (Change.DEPLOY, State.REJECTED), (Change.ROLLBACK, State.SUCCEEDED)],
)
def test_a_release_that_ended_otherwise_than_asked_is_an_error_that_says_what_serves(change, state):
    with pytest.raises(Rejected, match=f"ended {state}.*should serve|nothing should serve"):
        outcome(then(opened(plan(change=change)), state, reason="because"))
