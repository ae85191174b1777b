from __future__ import annotations

import threading

import pytest

from model_lifecycle.core.errors import Unavailable
from model_lifecycle.plugins.lookups import Lookups, Told


def fail(error: Exception) -> None:
    raise error


@pytest.fixture
def hanging():
    """A call that hangs until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(30)
    over.set()


def test_an_answer_and_an_error_are_told():
    lookups = Lookups()
    right, wrong = lookups.ask("a", 1, lambda: 7), lookups.ask("b", 1, lambda: fail(Unavailable("is away")))
    assert lookups.told("a", right, lookups.deadline()) == Told(7)
    assert lookups.told("b", wrong, lookups.deadline()) == Told(problem="b: is away")


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), ValueError("x")])
def test_an_answer_that_cannot_be_read_is_a_problem_without_its_text(error):
    lookups = Lookups()
    told = lookups.told("a", lookups.ask("a", 1, lambda: fail(error)), lookups.deadline())
    assert told.problem == f"a gave an answer that cannot be read ({type(error).__name__})"


def test_who_hangs_is_asked_once_and_keeps_nobody_from_hearing_of_the_others(hanging):
    lookups = Lookups(patience=0.05)
    first, again = lookups.ask("hangs", 1, hanging), lookups.ask("hangs", 1, hanging)
    assert first is again
    assert lookups.told("hangs", first, lookups.deadline()).problem == "hangs did not answer within 0.05 s"
    well = lookups.ask("well", 1, lambda: 7)
    assert well.future.result(30) == 7


def test_an_answer_is_kept_for_a_moment():
    answers = iter((1, 2))
    kept, fresh = Lookups(keep=60), Lookups(keep=0)
    assert [kept.ask("a", 1, lambda: next(answers)).future.result(30) for _ in range(2)] == [1, 1]
    answers = iter((1, 2))
    assert [fresh.ask("a", 1, lambda: next(answers)).future.result(30) for _ in range(2)] == [1, 2]
