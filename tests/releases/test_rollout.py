"""Two executions at once: a worker that was thought dead goes on, and DAG runs that race for one endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from model_lifecycle.core import rollout
from model_lifecycle.core.release import State
from model_lifecycle.core.strategy import BlueGreen
from model_lifecycle.hooks.mlflow import MlflowHook
from model_lifecycle.hooks.open_inference import OpenInferenceHook
from model_lifecycle.hooks.serving import VersionState
from model_lifecycle.operators.base import task_key
from model_lifecycle.operators.promote import PromoteModelOperator
from model_lifecycle.stores.ledger import Ledger
from tests.operators.life import SCORER, Life, context

EFFECTS = {
    "stage": (OpenInferenceHook, "stage"),
    "load": (OpenInferenceHook, "load"),
    "predict": (OpenInferenceHook, "predict"),
    "route": (OpenInferenceHook, "route"),
    "set_alias": (MlflowHook, "set_alias"),
    "unload": (OpenInferenceHook, "unload"),
    "append": (Ledger, "append"),
}


class Sleeper:
    """An execution that falls asleep in the middle of one call, and whoever else calls it passes by.

    :param wakes_after: it sleeps after the call was done, not before.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, effect: str, nth: int = 1, wakes_after: bool = False) -> None:
        self.asleep, self.wake = Event(), Event()
        self._left = nth
        owner, name = EFFECTS[effect]
        original = getattr(owner, name)

        def sleepy(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            ours = self._left == 0
            if ours and not wakes_after:
                self._sleep()
            answer = original(*args, **kwargs)
            if ours and wakes_after:
                self._sleep()
            return answer

        monkeypatch.setattr(owner, name, sleepy)
        self._pool = ThreadPoolExecutor(1)

    def _sleep(self) -> None:
        self.asleep.set()
        assert self.wake.wait(60)

    def begin(self, task: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the task until it sleeps."""
        running = self._pool.submit(task, *args, **kwargs)
        assert self.asleep.wait(60)
        return running

    def end(self, running: Future[Any]) -> BaseException | None:
        """Wake it and tell how it ended."""
        self.wake.set()
        return running.exception(60)

    def close(self) -> None:
        self.wake.set()
        self._pool.shutdown()


@pytest.fixture
def asleep_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sleeper]]:
    made: list[Sleeper] = []

    def make(*args: Any, **kwargs: Any) -> Sleeper:
        made.append(Sleeper(monkeypatch, *args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "LOAD_POLL", timedelta(milliseconds=20))


def assert_fenced(error: BaseException | None) -> None:
    assert isinstance(error, AirflowFailException)
    assert "another writer holds generation" in str(error)


def state_of(life: Life) -> tuple[Any, ...]:
    return life.serving.traffic(life.model), life.aliases(), life.serving.versions(life.model), life.ledger.generation()


@pytest.mark.parametrize(
    ("effect", "wakes_after"),
    [(name, False) for name in EFFECTS if name != "unload"] + [("load", True), ("route", True), ("append", True)],
)
def test_a_try_that_wakes_after_the_next_one_finished_is_fenced_and_changes_nothing(
    life: Life, asleep_in: Callable[..., Sleeper], effect: str, wakes_after: bool
):
    life.release(1.0, "run-1")
    second = life.version(2.0)
    sleeper = asleep_in(effect, wakes_after=wakes_after)
    older = sleeper.begin(life.deploy, second, "run-2")
    newer = life.deploy(second, "run-2", try_number=2)
    assert (newer["state"], newer["serving_version"]) == ("SUCCEEDED", 2)
    before = state_of(life)
    error = sleeper.end(older)
    assert_fenced(error)
    assert state_of(life) == before
    assert before[0] == {2: 100}
    assert life.answer() == 13.0
    deploys = [one.state for one in life.ledger.releases() if one.plan.key == task_key(context("deploy", "run-2"))]
    assert deploys == [State.SUCCEEDED]


def test_a_sleeping_try_is_known_in_the_ledger_as_taken_over(life: Life, asleep_in: Callable[..., Sleeper]):
    life.release(1.0, "run-1")
    second = life.version(2.0)
    sleeper = asleep_in("route")
    older = sleeper.begin(life.deploy, second, "run-2")
    life.deploy(second, "run-2", try_number=2)
    assert_fenced(sleeper.end(older))
    entries = life.newest().entries
    assert len({entry.writer for entry in entries}) == 2
    assert [entry.actor["try"] for entry in entries] == sorted(entry.actor["try"] for entry in entries)
    assert any("resumed by another" in entry.reason for entry in entries)


def test_a_try_that_routes_long_after_others_moved_on_puts_back_what_serves(
    life: Life, asleep_in: Callable[..., Sleeper]
):
    """Its request cannot be fenced once it is on its way; the harm is seen and undone at once."""
    life.release(1.0, "run-1")
    second = life.version(2.0)
    sleeper = asleep_in("route")
    older = sleeper.begin(life.deploy, second, "run-2")
    life.deploy(second, "run-2", try_number=2)
    life.release(3.0, "run-3")
    before = state_of(life)
    assert before[0] == {3: 100}
    assert_fenced(sleeper.end(older))
    assert state_of(life) == before
    assert life.answer() == 14.0


def test_a_promotion_that_wakes_after_a_rollback_does_not_keep_its_champion(
    life: Life, asleep_in: Callable[..., Sleeper]
):
    life.release(1.0, "run-1")
    second = life.version(2.0)
    life.deploy(second, "run-2")
    sleeper = asleep_in("set_alias")
    older = sleeper.begin(life.promote, second, "run-2")
    assert life.roll_back("incident")["serving_version"] == 1
    before = state_of(life)
    assert_fenced(sleeper.end(older))
    assert state_of(life) == before
    assert life.aliases() == {"champion": 1}


def test_a_first_promotion_that_wakes_after_a_rollback_leaves_no_champion(
    life: Life, asleep_in: Callable[..., Sleeper]
):
    life.deploy(life.version(1.0), "run-1")
    second = life.version(2.0)
    life.deploy(second, "run-2")
    sleeper = asleep_in("set_alias")
    older = sleeper.begin(life.promote, second, "run-2")
    life.roll_back("incident")
    assert_fenced(sleeper.end(older))
    assert life.aliases() == {}


def test_a_promotion_under_way_does_not_keep_anybody_from_rolling_back(life: Life, asleep_in: Callable[..., Sleeper]):
    life.release(1.0, "run-1")
    second = life.version(2.0)
    life.deploy(second, "run-2")
    sleeper = asleep_in("set_alias", wakes_after=True)
    older = sleeper.begin(life.promote, second, "run-2")
    assert life.aliases() == {"champion": 2, "previous": 1}
    result = life.roll_back("incident")
    assert (result["state"], result["serving_version"], result["abandons"]) == ("ROLLED_BACK", 1, 2)
    assert life.roll_back("incident") == result
    assert_fenced(sleeper.end(older))
    assert (life.answer(), life.aliases()) == (12.0, {"champion": 1})


def test_a_run_that_is_cleared_as_a_whole_finishes_its_promotion(life: Life, asleep_in: Callable[..., Sleeper]):
    life.release(1.0, "run-1")
    second = life.version(2.0)
    first = life.deploy(second, "run-2")
    sleeper = asleep_in("set_alias")
    older = sleeper.begin(life.promote, second, "run-2")
    assert life.deploy(second, "run-2", try_number=2) == first
    life.promote(second, "run-2")
    assert_fenced(sleeper.end(older))
    assert life.aliases() == {"champion": 2, "previous": 1}


@pytest.mark.parametrize("effect", ["route", "set_alias", "unload"])
def test_a_rollback_that_wakes_after_its_retry_goes_back_one_step_only(
    life: Life, asleep_in: Callable[..., Sleeper], effect: str
):
    for run, offset in enumerate((1.0, 2.0, 3.0)):
        life.release(offset, f"run-{run}")
    sleeper = asleep_in(effect)
    older = sleeper.begin(life.roll_back, "incident", leaving=3)
    result = life.roll_back("incident", leaving=3)
    assert (result["state"], result["serving_version"]) == ("ROLLED_BACK", 2)
    before = state_of(life)
    assert_fenced(sleeper.end(older))
    assert state_of(life) == before
    assert life.answer() == 13.0


def test_two_tasks_that_roll_back_at_once_go_back_one_step_and_each_may_be_run_again(
    life: Life, asleep_in: Callable[..., Sleeper]
):
    for run, offset in enumerate((1.0, 2.0, 3.0)):
        life.release(offset, f"run-{run}")
    sleeper = asleep_in("route")
    older = sleeper.begin(life.roll_back, "a worker that died")
    result = life.roll_back("somebody else")
    assert (result["state"], result["serving_version"]) == ("ROLLED_BACK", 2)
    assert_fenced(sleeper.end(older))
    generation = life.ledger.generation()
    assert life.roll_back("somebody else") == life.roll_back("a worker that died") == result
    assert (life.answer(), life.ledger.generation()) == (13.0, generation)


def test_a_rollback_to_previous_means_the_one_that_was_previous_when_it_began(life: Life):
    for run, offset in enumerate((1.0, 2.0)):
        life.release(offset, f"run-{run}")
    with pytest.raises(TaskDeferred):
        life.deploy(life.version(3.0), "run-3", deferrable=True, strategy=BlueGreen(timedelta(hours=1)))
    assert life.roll_back("incident", to=f"models:/{life.model}@previous")["serving_version"] == 2
    assert life.answer() == 13.0


def test_a_version_that_served_before_can_be_deployed_again_with_the_way_back_to_what_served(life: Life):
    first = life.release(1.0, "run-1")
    life.release(2.0, "run-2")
    result = life.deploy(first, "run-3")
    assert (result["serving_version"], result["fallback_version"]) == (1, 2)
    assert life.serving.versions(life.model) == dict.fromkeys((1, 2), VersionState.READY)
    assert life.aliases()["previous"] == 2


@pytest.mark.parametrize("effect", ["append", "stage", "route", "unload"])
def test_of_two_runs_that_race_for_an_endpoint_one_is_told_of_the_other(
    life: Life, asleep_in: Callable[..., Sleeper], effect: str
):
    for run, offset in enumerate((1.0, 2.0)):
        life.release(offset, f"run-{run}")
    third, fourth = life.version(3.0), life.version(4.0)
    sleeper = asleep_in(effect, wakes_after=effect == "append")
    first = sleeper.begin(life.deploy, third, "run-3")
    with pytest.raises(AirflowFailException, match=r"of version 3 is under way .* wait for it, or roll"):
        life.deploy(fourth, "run-4")
    assert sleeper.end(first) is None
    assert (life.answer(), life.serving.traffic(life.model)) == (14.0, {3: 100})
    assert life.deploy(fourth, "run-4", try_number=2)["fallback_version"] == 3


def test_of_two_runs_that_open_a_release_at_the_same_moment_one_is_refused(
    life: Life, asleep_in: Callable[..., Sleeper]
):
    life.release(1.0, "run-1")
    second, third = life.version(2.0), life.version(3.0)
    sleeper = asleep_in("append")
    slower = sleeper.begin(life.deploy, third, "run-3")
    life.deploy(second, "run-2")
    before = state_of(life)
    assert_fenced(sleeper.end(slower))
    assert state_of(life) == before
    assert life.deploy(third, "run-3", try_number=2)["serving_version"] == 3


def test_promoting_what_another_run_just_replaced_is_refused(life: Life, asleep_in: Callable[..., Sleeper]):
    life.release(1.0, "run-1")
    second, third = life.version(2.0), life.version(3.0)
    life.deploy(second, "run-2")
    task = PromoteModelOperator(task_id="promote", model_uri=second, serving_conn_id=SCORER, store=life.store_uri)
    sleeper = asleep_in("append")
    slower = sleeper.begin(task.execute, context("promote", "run-2"))
    life.deploy(third, "run-3")
    assert_fenced(sleeper.end(slower))
    assert life.aliases() == {"champion": 1, "previous": 2}
