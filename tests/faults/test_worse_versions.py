"""Worse versions, released on a real scorer behind a real HAProxy while callers ask: each goes back by itself.

The version that serves takes ten milliseconds and never fails; its callers never notice any of this, but for the share
of a canary's own requests that the canary itself fails.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.core.checks import Verdict
from model_lifecycle.core.examples import OUTPUT_FILE, output_example
from model_lifecycle.core.gate import DEFAULT_CHECKS
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.strategy import Canary
from tests import models
from tests.callers import Load, Question
from tests.operators.life import Life, number
from tests.servers.haproxy import HaproxyServer
from tests.servers.scorer import ScorerServer
from tests.servers.supervisor import SupervisorServer

CHECKS = [replace(check, min_samples=100) for check in DEFAULT_CHECKS]
SECOND = timedelta(seconds=1)
CANARY = Canary(steps=(20, 50), bake=8 * SECOND, soak=2 * SECOND, interval=SECOND, pause=4 * SECOND)
PATIENT = Canary(steps=(20, 50), bake=60 * SECOND, soak=2 * SECOND, interval=SECOND, pause=60 * SECOND)
"""Time enough on a slow machine; what fails ends it."""
ANSWER = "time.sleep({seconds}); return rows.x + rows.y + {offset}"
FAILS = "if next(asked) > 30 and random.random() < {share}: raise ValueError('no')\n        "
"""Its first answers are right, so that it passes its smoke prediction as a version with a leak does."""
BEFORE = "import itertools, os, random, time\nasked = itertools.count()\n"


@pytest.fixture
def routed(life: Life, scorer_server: ScorerServer, haproxy_connection: str, monkeypatch: pytest.MonkeyPatch) -> Life:
    """A model whose callers ask HAProxy; the scorer behind it is asked by nobody else."""
    extra = {"repository": str(scorer_server.repository), "timeout": 20, "trust": "code"}
    extra["router_conn_id"] = haproxy_connection
    connection = {"conn_type": "open_inference", "host": "http://127.0.0.1", "port": scorer_server.port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SCORER_DEFAULT", json.dumps(connection))
    return life


def made(life: Life, version: int, *, seconds: float = 0.01, share: float = 0.0, before: str = "") -> str:
    """A version that answers its number times 100 above x + y, that slowly, failing for that share of the requests."""
    body = (FAILS.format(share=share) if share else "") + ANSWER.format(seconds=seconds, offset=100 * version)
    example = {"columns": ["x", "y"], "data": [[1.0, 10.0], [2.0, 20.0]]}
    folder = models.scripted(life.folder / f"made-{version}", body, before=BEFORE + before)
    (folder / "input_example.json").write_text(json.dumps(example))
    return life.register(life.upload(folder))


@pytest.fixture
def load(routed: Life, haproxy_server: HaproxyServer) -> Iterator[Load]:
    """Callers of version 1."""
    routed.deploy(made(routed, 1))
    load = Load(haproxy_server.port, routed.model)
    load.start()
    yield load
    load.end()


def canary(life: Life, uri: str, strategy: Canary = CANARY, **more: Any) -> Release:
    """Release it; whether the task failed is told by the release."""
    try:
        life.deploy(uri, "run-2", strategy=strategy, checks=CHECKS, **more)
    except AirflowFailException as error:
        print(error)
    return life.newest()


def windows(release: Release) -> int:
    """How many looks it took at the step that decided."""
    return max((len(entry.evidence.get("looks", ())) for entry in release.entries), default=0)


def assert_old_version_serves(life: Life, load: Load) -> None:
    assert life.serving.traffic(life.model) == {1: 100}
    now = time.monotonic()
    load.go_on()
    after = [reply for reply in load.replies if reply.began > now]
    assert {(reply.version, reply.fault) for reply in after} == {(1, None)}


@pytest.mark.parametrize(
    ("worse", "check"),
    [({"share": 0.02}, "error_rate"), ({"share": 0.6}, "error_rate"), ({"seconds": 0.03}, "latency_p95")],
)
def test_a_version_that_fails_or_is_slower_goes_back_by_itself(routed: Life, load: Load, worse, check):
    release = canary(routed, made(routed, 2, **worse), PATIENT)
    assert (release.state, release.plan.target.version) == (State.ROLLED_BACK, 2)
    assert release.reason.startswith(f"{check}: ")
    assert_old_version_serves(routed, load)
    failed = [reply for reply in load.replies if reply.fault]
    assert all("500" in str(reply.fault) for reply in failed)
    back = next(entry.at for entry in release.entries if entry.state is State.ROLLING_BACK)
    seconds = (release.last.at - back).total_seconds()
    print(f"{worse}: {windows(release)} looks, back and proven after {seconds:.2f} s; {load.told()}")


def test_the_evidence_of_every_look_is_in_the_ledger(routed: Life, load: Load):
    release = canary(routed, made(routed, 2, share=0.6), PATIENT)
    decided = next(entry for entry in release.entries if entry.state is State.ROLLING_BACK)
    assert decided.evidence["verdict"] == Verdict.FAIL
    assert {one["check"] for one in decided.evidence["measurements"]} == {check.metric for check in CHECKS}
    assert all(look["candidate"]["requests"] + look["baseline"]["requests"] for look in decided.evidence["looks"])


@pytest.mark.soak
def test_a_version_as_good_as_the_old_one_goes_all_the_way_with_the_shares_that_were_asked(routed: Life, load: Load):
    release = canary(routed, made(routed, 2))
    assert release.state is State.SUCCEEDED, release.reason
    assert routed.serving.traffic(routed.model) == {2: 100}
    load.end()
    load.assert_right()
    for entry in release.entries:
        if entry.state is State.JUDGING and entry.step is not None:
            total = entry.evidence["total"]
            asked = {side: total[side]["requests"] for side in ("candidate", "baseline")}
            share = asked["candidate"] / sum(asked.values())
            print(f"{CANARY.steps[entry.step]} % asked, {share:.1%} of {sum(asked.values())} got")
            assert abs(share - CANARY.steps[entry.step] / 100) < 4 * (0.25 / sum(asked.values())) ** 0.5


def test_a_version_that_answers_otherwise_than_in_training_gets_no_traffic(routed: Life, load: Load):
    folder = models.linear(routed.folder / "changed", 200.0)
    (folder / OUTPUT_FILE).write_bytes(output_example({"sum": [211.0, 223.0]}))
    release = canary(routed, routed.register(routed.upload(folder)))
    assert release.state is State.REJECTED
    assert "is 222.0 at place 1, and was 223.0 when the version was trained" in release.reason
    load.end()
    load.assert_right()


def test_a_version_that_answers_as_in_training_passes(routed: Life, load: Load):
    folder = models.linear(routed.folder / "same", 200.0)
    (folder / OUTPUT_FILE).write_bytes(output_example({"sum": [211.0, 222.0]}))
    assert number(routed.register(routed.upload(folder))) == 2
    assert routed.deploy(f"models:/{routed.model}/2", "run-2")["state"] == "SUCCEEDED"


def test_a_version_that_dies_when_it_is_loaded_gets_no_traffic(
    routed: Life, load: Load, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TRAINING", "here")  # only where it is made: MLflow runs the code when it saves it
    release = canary(routed, made(routed, 2, before="if not os.environ.get('TRAINING'): raise OSError('no library')"))
    assert release.state is State.REJECTED
    assert "cannot be loaded" in release.reason
    load.end()
    load.assert_right()


@pytest.mark.soak
def test_without_callers_a_release_pauses_and_goes_back_when_the_pause_is_over(routed: Life):
    routed.deploy(made(routed, 1))
    release = canary(routed, made(routed, 2))
    assert State.PAUSED in {entry.state for entry in release.entries}
    assert release.state is State.ROLLED_BACK
    assert "no clear verdict after a pause of 0:00:04: error_rate: the candidate was asked nothing" in release.reason


def test_a_version_that_was_rolled_back_is_not_released_again_unless_told_to(routed: Life, load: Load):
    worse = made(routed, 2, share=0.6)
    assert canary(routed, worse, PATIENT).state is State.ROLLED_BACK
    with pytest.raises(AirflowFailException, match="quarantined"):
        routed.deploy(worse, "run-3", strategy=CANARY, checks=CHECKS)
    with pytest.raises(AirflowFailException, match="ended ROLLED_BACK: version 2 does not answer the endpoint"):
        routed.deploy(worse, "run-4", allow_quarantined=True)


def test_an_endpoint_without_a_router_that_cannot_copy_says_so_before_anything_changes(routed: Life, tmp_path: Path):
    routed.deploy(made(routed, 1))
    generation = routed.ledger.generation()
    with pytest.raises(AirflowFailException, match="cannot copy its requests, which Shadow needs.*envoy"):
        routed.deploy(made(routed, 2), "run-2", strategy='{"name": "Shadow"}')
    assert routed.ledger.generation() == generation


def served_by_mlflow(model: str) -> Question:
    """A request of MLflow's own server; only the router knows which version answered."""

    def read(value: Any, headers: Message) -> tuple[int, bool]:
        version = int(headers["x-model-version"])
        found = [next(iter(one.values())) if isinstance(one, dict) else one for one in value["predictions"]]
        return version, found == [11.0 + 100 * version, 22.0 + 100 * version]

    rows = {"columns": ["x", "y"], "data": [[1.0, 10.0], [2.0, 20.0]]}
    return Question(f"/{model}", json.dumps({"dataframe_split": rows}), read)


def test_a_version_whose_process_dies_under_load_goes_back_and_the_old_one_never_stops(
    life: Life, mlflow_slots: SupervisorServer, haproxy_server: HaproxyServer, haproxy_connection: str, monkeypatch
):
    connection = json.loads(mlflow_slots.connection(router_conn_id=haproxy_connection))
    connection["extra"] = {**connection["extra"], "trust": "code"}
    monkeypatch.setenv("AIRFLOW_CONN_SCORER_DEFAULT", json.dumps(connection))
    life.deploy(life.version(100.0))
    dies = "os._exit(9) if next(asked) > 40 else None; return rows.x + rows.y + 200"
    folder = models.scripted(life.folder / "dies", dies, before=BEFORE)
    (folder / "input_example.json").write_text(json.dumps({"columns": ["x", "y"], "data": [[1.0, 10.0]]}))
    load = Load(haproxy_server.port, served_by_mlflow(life.model))
    load.start()
    try:
        release = canary(life, life.register(life.upload(folder)), PATIENT)
        assert release.state is State.ROLLED_BACK
        assert "error_rate: " in release.reason or "version 2 is no longer ready" in release.reason
        assert_old_version_serves(life, load)
    finally:
        load.end()
    assert {reply.version for reply in load.replies if reply.right} == {1, 2}
    failed = [reply for reply in load.replies if reply.fault]
    print(f"{release.reason}; {load.told()}; {len(failed)} were the dying version's own")
    assert all(re.match("502|503|RemoteDisconnected", str(reply.fault)) for reply in failed)
