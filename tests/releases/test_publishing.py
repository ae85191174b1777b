from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from model_lifecycle.core.errors import Invalid, Unavailable
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.samples import Sample
from model_lifecycle.core.strategy import Canary
from model_lifecycle.releases.publishing import JOB, PERCENT, STATE, Publishing
from tests.core.test_plan import plan
from tests.core.test_release import opened, then


class Board:
    """A double of a metric system that takes samples."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault, self.told = fault, []

    def __call__(self, conn_id: str) -> Board:
        return self

    def publish(self, job: str, grouping: Mapping[str, str], samples: Iterable[Sample]) -> None:
        self.told.append((job, dict(grouping), list(samples)))
        if self.fault:
            raise self.fault


def release(state: State, metrics: str | None = "prometheus", step: int | None = 1) -> Release:
    return then(opened(plan(strategy={**Canary(steps=(5, 25)).to_dict(), "metrics": metrics})), state, step=step)


def test_the_board_shows_the_traffic_asked_for_and_the_state():
    board = Board()
    Publishing(board).tell(release(State.BAKING))
    [(job, grouping, samples)] = board.told
    shown = {(one.name, one.labels["version"]): one.value for one in samples}
    assert shown == {(PERCENT, "1"): 75.0, (PERCENT, "2"): 25.0, (STATE, "2"): 1.0}
    assert (job, set(grouping)) == (JOB, {"endpoint"})
    assert samples[-1].labels["state"] == "BAKING"


@pytest.mark.parametrize("silent", [release(State.ROLLING_BACK), release(State.BAKING, metrics=None)])
def test_nothing_delays_a_rollback_and_nobody_is_told_where_none_is_named(silent):
    board = Board()
    Publishing(board).tell(silent)
    assert board.told == []


@pytest.mark.parametrize("fault", [Unavailable("nobody answers"), Invalid("the connection names no place")])
def test_a_board_that_takes_nothing_is_told_once_and_stops_no_release(fault, caplog):
    board = Board(fault)
    publishing = Publishing(board)
    publishing.tell(release(State.SHIFTING))
    publishing.tell(release(State.BAKING))
    assert len(board.told) == 1
    assert str(fault) in caplog.text
