"""Release step by step and roll back while callers ask without pause: not one request fails on any of these servers.

Callers keep their connections or make new ones, never repeat a request, and know what each version answers.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import Message
from typing import Any

import pytest

from model_lifecycle.core.gate import DEFAULT_CHECKS
from model_lifecycle.core.release import State
from model_lifecycle.core.strategy import AllAtOnce, Canary, Shadow
from tests import models
from tests.callers import Load, Question, infer
from tests.operators.life import Life
from tests.servers.envoy import EnvoyServer
from tests.servers.haproxy import HaproxyServer
from tests.servers.mlserver import MLServerServer
from tests.servers.scorer import ScorerServer

SECOND = timedelta(seconds=1)
STEP_BY_STEP = Canary(steps=(10, 50), bake=4 * SECOND, soak=SECOND, interval=SECOND, pause=30 * SECOND)
# Latency is not what this is about, and two busy cores make it jump.
CHECKS = [replace(check, min_samples=20) for check in DEFAULT_CHECKS if "latency" not in check.metric]


def by_header(model: str) -> Question:
    """The same question where only the router knows which version answered."""

    def read(value: Any, headers: Message) -> tuple[int, bool]:
        version = int(headers["x-model-version"])
        return version, value["outputs"][0]["data"] == [11.0 + 100 * version, 22.0 + 100 * version]

    return replace(infer(model), read=read)


Place = Callable[[str], tuple[Life, int, Question]]


@pytest.fixture
def place(life: Life, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The endpoint ``server`` or ``server behind router``: its life, the port that callers ask, and their question."""

    def server_of(name: str) -> ScorerServer | MLServerServer:
        return request.getfixturevalue("scorer_server" if name == "scorer" else "mlserver_server")

    def place(name: str) -> tuple[Life, int, Question]:
        server, _, router = name.partition(" behind ")
        serving = server_of(server)
        extra = {"repository": str(serving.repository), "timeout": 60}
        port, question = serving.port, infer(life.model) if server == "scorer" else by_header(life.model)
        if router:
            extra["router_conn_id"] = request.getfixturevalue(f"{router}_connection")
            behind: HaproxyServer | EnvoyServer = request.getfixturevalue(f"{router}_server")
            port = behind.port
        connection = {"conn_type": "open_inference", "host": serving.url, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SCORER_DEFAULT", json.dumps(connection))
        return life, port, question

    return place


@pytest.fixture
def loaded(place: Place) -> Iterator[Callable[[str], tuple[Life, Load]]]:
    """An endpoint on which version 1 serves callers, and 2 and 3 are as good."""
    begun: list[Load] = []

    def loaded(name: str) -> tuple[Life, Load]:
        life, port, question = place(name)
        for version in (1, 2, 3):
            life.version(100.0 * version, outputs=True)  # MLServer loads no model without an output signature
        life.deploy(f"models:/{life.model}/1", "run-1")
        begun.append(Load(port, question))
        begun[0].start()
        return life, begun[0]

    yield loaded
    for load in begun:
        load.end()


def took(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


ROUTED = ("scorer behind envoy", "mlserver behind haproxy")


@pytest.mark.parametrize(
    "name", ["scorer", "scorer behind haproxy", *(pytest.param(name, marks=pytest.mark.soak) for name in ROUTED)]
)
def test_nobody_notices_a_canary_a_rollback_and_another_release(loaded: Callable[..., Any], name: str):
    life, load = loaded(name)
    released = life.deploy(f"models:/{life.model}/2", "run-2", strategy=STEP_BY_STEP, checks=CHECKS)
    assert (released["state"], life.serving.traffic(life.model)) == ("SUCCEEDED", {2: 100})
    load.go_on()
    back = took(lambda: life.roll_back("run-3", reason="a drill"))
    assert life.serving.traffic(life.model) == {1: 100}
    load.go_on()
    fresh = took(lambda: life.deploy(f"models:/{life.model}/3", "run-4", strategy=AllAtOnce()))
    load.go_on()
    load.end()
    load.assert_right()
    assert {reply.version for reply in load.replies} == {1, 2, 3}
    print(f"{name}: {load.told()}; rolled back in {back:.2f} s, a fresh deploy takes {fresh:.2f} s")


@pytest.mark.soak
def test_nobody_notices_a_shadow_whatever_it_does(loaded: Callable[..., Any]):
    life, load = loaded("scorer behind envoy")
    body = "next(asked) > 30 and 1 / 0; return rows.x + rows.y + 400"
    folder = models.scripted(life.folder / "dies", body, before="import itertools\nasked = itertools.count()")
    (folder / "input_example.json").write_text(json.dumps({"columns": ["x", "y"], "data": [[1.0, 10.0]]}))
    bad = life.register(life.upload(folder))
    shadow = Shadow(30 * SECOND, then=STEP_BY_STEP, interval=SECOND)
    with pytest.raises(Exception, match="ROLLED_BACK: error_rate"):
        life.deploy(bad, "run-2", strategy=shadow, checks=CHECKS, trust="code")
    assert State.SHADOW in {entry.state for entry in life.newest().entries}
    assert (life.serving.mirrored(life.model), life.serving.traffic(life.model)) == ({}, {1: 100})
    quick = replace(shadow, duration=4 * SECOND, then=STEP_BY_STEP)
    assert life.deploy(f"models:/{life.model}/2", "run-3", strategy=quick, checks=CHECKS)["state"] == "SUCCEEDED"
    load.end()
    load.assert_right()
    assert {reply.version for reply in load.replies} == {1, 2}
    print(load.told())
