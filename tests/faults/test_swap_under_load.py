"""Callers of an endpoint never notice that versions are loaded, routed, rolled back and unloaded.

They ask the unversioned endpoint of a real scorer without pause and without retries, while everything that a deploy
and a rollback do is done to it: once call by call through the hook, once by the operators themselves.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.core.errors import Conflict
from model_lifecycle.hooks.open_inference import OpenInferenceHook
from model_lifecycle.hooks.serving import VersionState
from model_lifecycle.testing.serving_contract import settled
from tests import models
from tests.callers import Load, Reply
from tests.operators.life import Life
from tests.servers.scorer import ScorerServer


@dataclass(frozen=True)
class Move:
    """A change of traffic: when it was called and when it returned (monotonic seconds), and to which version."""

    called: float
    returned: float
    version: int


def assert_each_answer_is_of_its_time(replies: Sequence[Reply], moves: Sequence[Move]) -> None:
    """After a change has returned every new request is answered by its version, until the next change is called."""
    for now, following in zip(moves, [*moves[1:], Move(float("inf"), float("inf"), 0)], strict=True):
        steady = [reply for reply in replies if now.returned <= reply.began and reply.ended <= following.called]
        assert {reply.version for reply in steady} == {now.version}
        # Who asked before the next one had returned was answered by one of the two.
        meanwhile = [reply for reply in replies if now.returned <= reply.began < following.returned]
        assert {reply.version for reply in meanwhile} <= {now.version, following.version}


@pytest.fixture
def model() -> str:
    return f"m{uuid4().hex[:12]}"


@pytest.fixture
def hook(scorer_server: ScorerServer, monkeypatch: pytest.MonkeyPatch) -> OpenInferenceHook:
    connection = {"conn_type": "open_inference", "host": scorer_server.url, "extra": {"timeout": 30}}
    monkeypatch.setenv("AIRFLOW_CONN_SCORER_LOADED", json.dumps(connection))
    return OpenInferenceHook("scorer_loaded")


@pytest.fixture
def load(hook: OpenInferenceHook, scorer_server: ScorerServer, model: str, tmp_path: Path) -> Iterator[Load]:
    """The load, on version 1; versions 2 and 3 are staged, and 4, which cannot be loaded."""
    for version in (1, 2, 3):
        models.stage(scorer_server.repository, model, version, models.linear(tmp_path / str(version), 100 * version))
    models.stage(scorer_server.repository, model, 4, models.broken(tmp_path / "4"))
    hook.load(model, 1)
    assert settled(hook, model, 1) is VersionState.READY
    hook.route(model, {1: 100})
    load = Load(scorer_server.port, model)
    load.start()
    yield load
    load.end()


def test_nobody_notices_a_swap_a_rollback_a_broken_version_and_an_unload(load, hook, model):
    moves: list[Move] = []

    def route(version: int) -> None:
        called = time.monotonic()
        hook.route(model, {version: 100})
        moves.append(Move(called, time.monotonic(), version))
        load.go_on()

    hook.load(model, 2)
    assert settled(hook, model, 2) is VersionState.READY
    load.go_on()
    route(2)  # deploy
    route(1)  # roll back
    hook.load(model, 4)
    assert settled(hook, model, 4) is VersionState.FAILED
    load.go_on()
    with pytest.raises(Conflict):
        hook.route(model, {4: 100})
    load.go_on()
    route(2)
    hook.unload(model, 1)
    load.go_on()
    hook.load(model, 3)
    assert settled(hook, model, 3) is VersionState.READY
    for _ in range(5):
        route(3)
        route(2)
    hook.unload(model, 3)
    load.go_on()
    load.end()

    print(f"\n{load.told()}")
    load.assert_right()
    assert_each_answer_is_of_its_time(load.replies, moves)


@pytest.fixture
def called(life: Life, scorer_server: ScorerServer) -> Iterator[Load]:
    """The load, on version 1, which was released by the operators."""
    life.release(100.0, "run-1")
    load = Load(scorer_server.port, life.model)
    load.start()
    yield load
    load.end()


def test_nobody_notices_what_the_operators_do_and_what_fails_them(called: Load, life: Life):
    second, third = life.version(200.0), life.version(300.0)
    cut, failing = life.version(0.0, make=models.broken), life.version(0.0, make=models.failing)
    moves: list[Move] = []

    def do(serving: int, task: Callable[..., object], *arguments: object, **more: object) -> None:
        since = time.monotonic()
        task(*arguments, **more)
        moves.append(Move(since, time.monotonic(), serving))
        called.go_on()

    def refused(uri: str, run: str, why: str) -> None:
        before = life.aliases()
        with pytest.raises(AirflowFailException, match=why):
            life.deploy(uri, run, inputs=models.INPUTS)
        with pytest.raises(AirflowFailException, match="not version"):
            life.promote(uri, run)
        assert life.aliases() == before

    do(2, life.deploy, second, "run-2")
    do(2, life.promote, second, "run-2")
    do(2, refused, cut, "run-4", "cannot be loaded")
    do(2, refused, failing, "run-5", "smoke prediction")
    assert life.aliases() == {"champion": 2, "previous": 1}
    do(3, life.deploy, third, "run-3")
    do(3, life.promote, third, "run-3")
    do(3, refused, cut, "run-6", "cannot be loaded")
    do(2, life.roll_back, "incident")
    do(2, refused, third, "run-7", "quarantined")
    do(3, life.deploy, third, "run-8", allow_quarantined=True)
    do(2, life.roll_back, "incident 2")
    called.end()

    print(f"\n{called.told()} during {len(moves)} tasks")
    called.assert_right()
    assert_each_answer_is_of_its_time(called.replies, moves)
    assert life.serving.versions(life.model) == {2: VersionState.READY}
    assert life.aliases() == {"champion": 2, "previous": 1}


def test_a_split_of_traffic_under_load_is_a_split_and_nothing_fails(load, hook, model):
    hook.load(model, 2)
    assert settled(hook, model, 2) is VersionState.READY
    hook.route(model, {1: 50, 2: 50})
    since = time.monotonic()
    for _ in range(10):
        load.go_on()
    load.end()
    assert not [reply for reply in load.replies if reply.fault or not reply.right]
    split = Counter(reply.version for reply in load.replies if reply.began > since)
    print(f"\n{dict(split)}")
    # 800 tosses of a fair coin: outside of a third to two thirds less than once in 10^18.
    assert min(split[1], split[2]) > sum(split.values()) / 3
