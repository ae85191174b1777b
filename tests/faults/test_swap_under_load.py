"""Callers of an endpoint never notice that versions are loaded, routed, rolled back and unloaded.

A closed loop of plain ``http.client`` without retries, over connections that are kept and over new ones, asks the
unversioned endpoint of a real scorer while everything that a deploy and a rollback do is done to it.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from uuid import uuid4

import pytest

from model_lifecycle.core.errors import Conflict
from model_lifecycle.hooks.open_inference import OpenInferenceHook
from model_lifecycle.hooks.serving import VersionState
from model_lifecycle.testing.serving_contract import settled
from tests import models
from tests.servers.scorer import ScorerServer

BODY = json.dumps(
    {"inputs": [{"name": n, "shape": [2], "datatype": "FP64", "data": d} for n, d in models.INPUTS.items()]}
)
ENOUGH = 20
"""Answers of each caller that a step waits for, so that the load is on while it happens and after."""


@dataclass(frozen=True)
class Reply:
    """When a request was begun and ended (monotonic seconds), and what came back."""

    began: float
    ended: float
    fault: str | None
    version: int | None
    right: bool


@dataclass(frozen=True)
class Move:
    """A route call: when it was called and when it returned (monotonic seconds), and to which version."""

    called: float
    returned: float
    version: int


@dataclass
class Caller:
    """One thread that asks without pause; ``kept`` says whether over one connection or a new one each time."""

    port: int
    model: str
    kept: bool
    stop: threading.Event
    replies: list[Reply] = field(default_factory=list)

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.stop.is_set():
            if not self.kept:
                connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
            self.replies.append(self._ask(connection))
            if not self.kept:
                connection.close()
        connection.close()

    def _ask(self, connection: HTTPConnection) -> Reply:
        began = time.monotonic()
        try:
            connection.request("POST", f"/v2/models/{self.model}/infer", BODY, {"Content-Type": "application/json"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, HTTPException) as error:
            connection.close()
            return Reply(began, time.monotonic(), repr(error), None, False)
        if response.status != 200:
            return Reply(began, time.monotonic(), f"{response.status} {body[:200]!r}", None, False)
        value = json.loads(body)
        version = int(value["model_version"])
        # Each version adds its own number times 100: an answer mixed from two versions would show.
        right = value["outputs"][0]["data"] == [11.0 + 100 * version, 22.0 + 100 * version]
        header = response.headers["x-model-version"] == value["model_version"]
        return Reply(began, time.monotonic(), None, version, right and header)


class Load:
    """Two callers over kept connections and two over new ones."""

    def __init__(self, port: int, model: str) -> None:
        self._stop = threading.Event()
        self.callers = [Caller(port, model, kept, self._stop) for kept in (True, True, False, False)]
        self._threads = [threading.Thread(target=caller.run) for caller in self.callers]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self.go_on()

    def go_on(self) -> None:
        """Wait until every caller has had enough further answers."""
        wanted = [len(caller.replies) + ENOUGH for caller in self.callers]
        while any(len(caller.replies) < count for caller, count in zip(self.callers, wanted, strict=True)):
            time.sleep(0.005)

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def replies(self) -> list[Reply]:
        return [reply for caller in self.callers for reply in caller.replies]


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

    replies = load.replies
    faults = Counter(reply.fault for reply in replies if reply.fault)
    per_version = Counter(reply.version for reply in replies)
    worst = max(reply.ended - reply.began for reply in replies)
    print(
        f"\n{len(replies)} answers, {sum(faults.values())} failed, {dict(per_version)}, slowest {worst * 1000:.0f} ms"
    )
    assert not faults
    assert all(reply.right for reply in replies)
    for now, following in zip(moves, [*moves[1:], Move(float("inf"), float("inf"), 0)], strict=True):
        steady = [reply for reply in replies if now.returned <= reply.began and reply.ended <= following.called]
        assert {reply.version for reply in steady} == {now.version}
        # Who was still being answered when the next call came was answered by one of the two.
        crossing = [reply for reply in replies if now.returned <= reply.began < following.called < reply.ended]
        assert {reply.version for reply in crossing} <= {now.version, following.version}


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
