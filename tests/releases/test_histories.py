"""Random histories of an endpoint: several tasks at once, each killed anywhere, thought dead and going on, or late.

The real operators and the real driver run in greenlets over a world in memory; hypothesis decides who goes on at each
call, who dies, and which version is sick. Whatever happened, when the last one is through and orphans are reconciled,
the ledger has no open release, callers get what the ledger says, and nobody was ever sent to a version that could not
serve.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import greenlet
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_lifecycle.core.errors import Rejected
from model_lifecycle.core.gate import Check
from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.plan import Change
from model_lifecycle.core.release import State
from model_lifecycle.core.strategy import AllAtOnce, BlueGreen, Canary, Shadow
from model_lifecycle.operators import deploy, release, rollback
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.rollback import RollbackModelOperator
from model_lifecycle.releases.reconcile import reconcile
from model_lifecycle.releases.rollout import Rollout
from model_lifecycle.stores.ledger import Ledger
from tests.operators.life import context
from tests.releases.doubles import MemoryRegistry, MemoryServing, MemoryStore, World

ENDPOINT = Endpoint("double", "churn")
MINUTE = timedelta(minutes=1)
STRATEGIES = {
    "at once": AllAtOnce(),
    "blue/green": BlueGreen(soak=MINUTE),
    "canary": Canary(steps=(10, 50), bake=MINUTE, soak=MINUTE, interval=timedelta(seconds=20), pause=2 * MINUTE),
    "shadow": Shadow(MINUTE, interval=timedelta(seconds=20), pause=MINUTE, then=Canary(steps=(50,), bake=MINUTE)),
}
CHECKS = [Check("error_rate", min_samples=100)]


class Killed(BaseException):
    """kill -9: nothing after it runs, and nothing catches it."""


@dataclass
class Task:
    """One Airflow task: its tries share a key; several may run at once."""

    name: str
    run: Callable[[], Any]
    tries: int = 0


@dataclass
class History:
    """The executions of one world, of which at most one runs at a time."""

    world: World = field(default_factory=World)
    running: list[tuple[Task, greenlet.greenlet]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world.pause = lambda: greenlet.getcurrent().parent and greenlet.getcurrent().parent.switch()

    def rollout(self, *_: Any, **more: Any) -> Rollout:
        world = self.world
        return Rollout(
            ENDPOINT,
            store=MemoryStore(world),
            serving=MemoryServing(world),
            registry=MemoryRegistry(world),
            actor={},
            clock=world.clock,
            **{name: more[name] for name in ("writer", "watched") if name in more},
        )

    def begin(self, task: Task) -> None:
        task.tries += 1
        self.running.append((task, greenlet.greenlet(lambda: self._quietly(task.run))))

    @staticmethod
    def _quietly(run: Callable[[], Any]) -> None:
        try:
            run()
        except (Killed, Rejected, AirflowFailException):
            pass  # a refused task is an outcome; what it leaves behind is what we look at

    def step(self, index: int, kill: bool = False) -> None:
        """Let one execution go on to its next call, or kill it there."""
        if not self.running:
            return
        task, one = self.running[index % len(self.running)]
        if kill and one:
            one.throw(Killed)
        else:
            one.switch()
        if one.dead:
            self.running.remove((task, one))

    def finish(self) -> None:
        for _ in range(100_000):
            if not self.running:
                return
            self.step(0)
        raise AssertionError("an execution never ends")

    @property
    def ledger(self) -> Ledger:
        return Ledger(MemoryStore(self.world), ENDPOINT)

    def reconcile(self) -> None:
        """What the reconciling DAG does, run after run, until nothing is open."""
        for _ in range(20):
            newest = self.ledger.newest()
            if newest is None or newest.state.terminal:
                return
            reconcile(self.rollout(), newest)
            self.world.now += MINUTE
        raise AssertionError("an orphan cannot be reconciled")


@contextmanager
def inhabited(history: History) -> Iterator[None]:
    """Let operators find this world where they look for Airflow's connections, the clock and sleep."""
    clock = SimpleNamespace(now=lambda tz=None: history.world.now)
    time = SimpleNamespace(sleep=history.world.sleep)
    with (
        patch.multiple(release, open_rollout=history.rollout, datetime=clock, time=time),
        patch.object(deploy, "datetime", clock),
        patch.object(rollback, "datetime", clock),
        patch("model_lifecycle.releases.rollout.time", time),
    ):
        yield


def deploying(version: int, strategy: str, run: str, supersede: bool) -> Task:
    def execute() -> Any:
        task = DeployModelOperator(
            task_id="deploy",
            model_uri=f"models:/churn/{version}",
            serving_conn_id="double",
            store="memory:///",
            strategy=STRATEGIES[strategy],
            checks=CHECKS,
            supersede=supersede,
        )
        return task.guarded(context("deploy", run))

    return Task(f"deploy {version} by {strategy}", execute)


def rolling_back(run: str) -> Task:
    def execute() -> Any:
        task = RollbackModelOperator(task_id="roll_back", endpoint=str(ENDPOINT), store="memory:///", reason="at night")
        return task.guarded(context("roll_back", run))

    return Task("roll back", execute)


tasks = st.one_of(
    st.builds(deploying, st.integers(2, 4), st.sampled_from([*STRATEGIES, "canary"]), st.just("x"), st.booleans()),
    st.just("roll back"),
)
steps = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["go", "go", "go", "go", "go far", "kill", "again", "next"])),
    max_size=60,
)


def play(todo: list[Any], moves: list[tuple[int, str]], sick: set[int], unloadable: set[int]) -> History:
    """One history, from an endpoint on which version 1 serves to the end of everything."""
    history = History(World(sick=sick, unloadable=unloadable))
    with inhabited(history):
        planned = [_named(task, number) for number, task in enumerate(todo)]
        history.begin(deploying(1, "at once", "run-0", False))
        history.finish()
        known: list[Task] = []
        for index, move in [(0, "next"), *moves]:
            _move(history, index, move, planned, known)
        history.finish()
        for task in planned:
            history.begin(task)
            history.finish()
        history.reconcile()
    return history


def _named(task: Any, number: int) -> Task:
    if task == "roll back":
        return rolling_back(f"run-{number + 1}")
    version, strategy = int(task.name.split()[1]), task.name.split(" by ")[1]
    return deploying(version, strategy, f"run-{number + 1}", number % 2 == 1)


def _move(history: History, index: int, move: str, planned: list[Task], known: list[Task]) -> None:
    if move == "next" and planned:
        known.append(planned.pop(0))
        history.begin(known[-1])
    elif move == "again" and known:
        history.begin(known[index % len(known)])  # Airflow thinks a try dead that may still run, or retries
    elif move == "go far":
        for _ in range(25):
            history.step(index)
    else:
        history.step(index, kill=move == "kill")


def assert_the_end_is_true(history: History) -> None:
    world, releases = history.world, list(history.ledger.releases())
    newest = releases[0]
    assert not world.faults
    assert newest.state.terminal
    if newest.state is not State.ROLLBACK_FAILED:
        standing = newest.standing.serving
        assert world.shares == ({standing.version: 100} if standing else {})
        assert set(world.shares) <= world.ready
    assert world.copies == {}
    done = [one.plan.key for one in releases if one.state is State.SUCCEEDED and one.plan.change is Change.DEPLOY]
    assert len(done) == len(set(done)), "one task promoted twice"


HISTORY = given(
    st.lists(tasks, min_size=1, max_size=3),
    steps,
    st.sets(st.integers(2, 4), max_size=1),
    st.sets(st.integers(2, 4), max_size=1),
)


@HISTORY
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
def test_whatever_happens_to_the_tasks_of_an_endpoint_callers_get_what_the_ledger_says(todo, moves, sick, unloadable):
    assert_the_end_is_true(play(todo, moves, sick, unloadable))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@HISTORY
@settings(max_examples=10_000, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
def test_of_10000_histories_every_one_ends_as_the_ledger_says(todo, moves, sick, unloadable):
    assert_the_end_is_true(play(todo, moves, sick, unloadable))
