"""Effects that land after somebody else has finished: what the slower one did is put back, and nothing else."""

from __future__ import annotations

from model_lifecycle.core.actions import Action, Align, Mirror, Route, Unload
from model_lifecycle.core.models import PREVIOUS
from model_lifecycle.releases.aliases import Aliases
from model_lifecycle.releases.late import Late
from tests.releases.doubles import MemoryRegistry, MemoryServing
from tests.releases.test_histories import History, deploying, inhabited


def finished(*versions: int) -> History:
    """A world in which these were released one after the other."""
    history = History()
    with inhabited(history):
        for version in versions:
            history.begin(deploying(version, "at once", f"run-{version}", False))
            history.finish()
    return history


def mend(history: History, action: Action) -> None:
    serving, aliases = MemoryServing(history.world), Aliases(MemoryRegistry(history.world), "churn")
    Late(serving, history.ledger, aliases).mend(action)  # type: ignore[arg-type]


def test_traffic_that_was_moved_too_late_goes_where_the_ledger_says():
    history = finished(1, 2)
    history.world.shares = {1: 95, 2: 5}
    mend(history, Route({1: 95, 2: 5}))
    assert history.world.shares == {2: 100}


def test_traffic_that_somebody_else_has_moved_meanwhile_is_left_alone():
    history = finished(1, 2)
    history.world.shares = {1: 100}
    mend(history, Route({1: 95, 2: 5}))
    assert history.world.shares == {1: 100}


def test_copies_that_were_begun_too_late_are_ended():
    history = finished(1, 2)
    history.world.copies = {1: 100}
    mend(history, Mirror({1: 100}))
    assert history.world.copies == {}


def test_an_alias_that_was_set_too_late_names_what_the_ledger_says():
    history = finished(1, 2)
    history.world.aliases[PREVIOUS] = 7
    mend(history, Align({PREVIOUS: 7}))
    assert history.world.aliases[PREVIOUS] == 1


def test_while_somebody_works_on_the_release_nothing_is_put_back_since_they_look_again():
    history = finished(1)
    with inhabited(history):
        history.begin(deploying(2, "canary", "run-2", False))
        while history.ledger.newest().state.terminal:  # type: ignore[union-attr]
            history.step(0)
    history.world.shares = {1: 50}
    mend(history, Route({1: 50}))
    assert history.world.shares == {1: 50}


def test_a_version_that_was_unloaded_too_late_is_loaded_by_whoever_needs_it():
    history = finished(1, 2)
    before = (dict(history.world.shares), set(history.world.ready))
    mend(history, Unload(1))
    assert (history.world.shares, history.world.ready) == before
