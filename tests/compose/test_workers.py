"""Whole DAGs on two Celery workers, and what becomes of a release when one of them dies.

PostgreSQL, Redis, HDFS, MLflow, HAProxy and the scorers as docker-compose.yml has them.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.configuration import conf

from model_lifecycle.core.plan import Change
from model_lifecycle.core.release import Release, State
from model_lifecycle.hooks.registry import registry_hook
from tests.callers import Load
from tests.compose.airflow import IMPATIENT, WORKERS, NativeAirflow
from tests.compose.life import Composed
from tests.house.pages import DOCS
from tests.servers.airflow import session_members
from tests.servers.airflow_api import AirflowApi, wait_until

pytestmark = pytest.mark.timeout(900)

RETRAIN, CANARY = "retrain_flights", "canary_rollout"
FORM = {"version": "2", "steps": [20, 50], "bake": 3, "soak": 4, "min_samples": 20, "max_latency_ratio": 50}


@pytest.fixture
def api(airflow: NativeAirflow) -> AirflowApi:
    """That of an Airflow whose workers are well, both of them."""
    airflow.revive()
    api = airflow.api
    api.wait_for_dags([RETRAIN, CANARY])
    return api


@pytest.fixture
def composed(airflow: NativeAirflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Composed:
    """A model of which version 1 serves, and version 2 is as good."""
    found = Composed(airflow.native, tmp_path, monkeypatch)
    found.deploy(found.version(100.0))
    found.version(200.0)
    return found


@pytest.fixture
def load(composed: Composed) -> Iterator[Load]:
    load = Load(composed.native.ports["haproxy", 8080], composed.model, pause=0.05)
    load.start()
    yield load
    load.end()


def deploys(composed: Composed) -> list[Release]:
    """The releases of version 2, the newest first."""
    found = [one for one in composed.ledger.releases() if one.plan.change is Change.DEPLOY]
    return [one for one in found if one.plan.target.version == 2]


def walked(release: Release) -> list[str]:
    return [f"{entry.state}" + ("" if entry.step is None else f" {entry.step}") for entry in release.entries]


def come_to(composed: Composed, moment: str) -> None:
    """Wait until the release of version 2 is there."""

    def there() -> bool:
        newest = composed.ledger.newest()
        return newest is not None and newest.plan.target.version == 2 and moment in walked(newest)

    wait_until(there, 120, lambda: f"{moment} never came: {[*map(walked, deploys(composed))]}", pause=0.02)


def working(airflow: NativeAirflow) -> str:
    """The worker that runs a task, as soon as one does."""
    found: list[str] = []

    def any_does() -> bool:
        found.extend(airflow.working())
        return bool(found)

    wait_until(any_does, 60, lambda: "no worker has anything to do", pause=0.02)
    return found[0]


@pytest.mark.soak
def test_a_month_is_trained_released_and_promoted_by_the_workers(
    airflow: NativeAirflow, api: AirflowApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    flights = Composed(airflow.native, tmp_path, monkeypatch, "flights")
    api.unpause(RETRAIN)
    wait_until(lambda: bool(api.runs(RETRAIN)), 120, lambda: "the schedule began no run")
    (run,) = api.runs(RETRAIN)
    assert api.wait_for_run(RETRAIN, run["dag_run_id"])["state"] == "success"
    states = api.states(RETRAIN, run["dag_run_id"])
    assert {name for name, state in states.items() if state == "skipped"} == {"roll_back", "keep_champion"}
    assert set(states.values()) == {"success", "skipped"}
    assert flights.serving.traffic("flights") == {1: 100}
    (version,) = registry_hook("mlflow_default").search("flights")
    assert "champion" in version.aliases
    done = {name: airflow.tasks_done(name) for name in WORKERS}
    print(f"tasks of each worker: {done}")


def ended(api: AirflowApi, run: str, composed: Composed) -> tuple[str, str]:
    """How a run of the canary ended, and for whoever reads a failure the whole story."""
    state = api.wait_for_run(CANARY, run)["state"]
    tasks = {one["task_id"]: (one["state"], one["try_number"]) for one in api.tasks(CANARY, run)}
    story = f"{state}: {tasks}; {[(walked(release), release.reason) for release in deploys(composed)]}"
    return state, story


def die_at(moment: str, airflow: NativeAirflow, api: AirflowApi, composed: Composed, load: Load) -> None:
    """A canary whose worker is killed at a moment ends as if it had not been, by the other worker, once."""
    api.unpause(CANARY)
    run = api.trigger(CANARY, {**FORM, "model": composed.model, "reason": f"a worker dies at {moment}"})
    come_to(composed, moment)
    victim = working(airflow)
    airflow.native.servers[victim].kill()
    killed, traffic, left = time.monotonic(), composed.serving.traffic(composed.model), walked(deploys(composed)[0])[-1]
    (other,) = {*WORKERS} - {victim}
    wait_until(lambda: airflow.working() == {other}, 120, lambda: "nobody took over", pause=0.1)
    taken = time.monotonic() - killed
    state, story = ended(api, run, composed)
    end = time.monotonic() - killed
    load.end()
    print(f"{victim} killed at {left} with {traffic}: {other} took over after {taken:.1f} s; {state} after {end:.1f} s")
    print(load.told())

    load.assert_right()
    assert state == "success", story
    assert [release.state for release in deploys(composed)] == [State.SUCCEEDED]
    assert composed.serving.traffic(composed.model) == {2: 100}
    aliases = {
        name: one.version for one in registry_hook("mlflow_default").search(composed.model) for name in one.aliases
    }
    assert aliases == {"champion": 2, "previous": 1}


def test_a_worker_dies_amid_a_release_and_the_other_ends_it(airflow, api, composed, load):
    die_at("JUDGING 0", airflow, api, composed, load)  # callers are shared out, and the next share is about to be set


def test_the_page_names_the_settings_with_which_this_was_measured():
    row = re.compile(r"^\| `\[(\w+)\] (\w+)` \| (\S+) \| (\S+) \|", re.MULTILINE)
    rows = row.findall((DOCS / "deployment.md").read_text())
    assert {f"AIRFLOW__{section}__{name}".upper(): value for section, name, _, value in rows} == IMPATIENT
    defaults = [float(conf.get_default_value(section, name)) for section, name, _, _ in rows]
    assert defaults == [float(default) for _, _, default, _ in rows]


@pytest.mark.soak
@pytest.mark.parametrize("moment", ["VALIDATING", "SHIFTING 0", "SHIFTING 1", "PROMOTING", "SOAKING"])
def test_a_worker_dies_at_any_moment_and_the_other_ends_the_release(airflow, api, composed, load, moment):
    die_at(moment, airflow, api, composed, load)


@pytest.mark.soak
def test_a_message_that_a_dead_worker_had_taken_is_sent_again(airflow, api, composed, load):
    api.unpause(CANARY)
    first, second = WORKERS
    airflow.native.servers[second].stop()
    before = airflow.taken()
    run = api.trigger(CANARY, {**FORM, "model": composed.model, "reason": "a worker dies with a message"})
    wait_until(lambda: airflow.taken() > before, 60, lambda: "no worker took a message", pause=0.02)
    airflow.native.servers[first].kill()
    killed, states = time.monotonic(), api.states(CANARY, run)
    airflow.revive()
    wait_until(lambda: bool(airflow.working()), 240, lambda: "the message was lost")
    print(f"killed with {states}: begun after {time.monotonic() - killed:.1f} s")
    assert states["candidate"] == "queued"
    state, story = ended(api, run, composed)
    assert state == "success", story
    assert {one["try_number"] for one in api.tasks(CANARY, run)} == {1}
    load.end()
    load.assert_right()
    assert [release.state for release in deploys(composed)] == [State.SUCCEEDED]


@pytest.mark.soak
def test_a_worker_that_is_told_to_stop_ends_what_it_does(airflow, api, composed, load):
    api.unpause(CANARY)
    run = api.trigger(CANARY, {**FORM, "model": composed.model, "reason": "a worker is told to stop"})
    come_to(composed, "JUDGING 0")
    victim = working(airflow)
    os.kill(airflow.native.servers[victim].pid, signal.SIGTERM)
    state, story = ended(api, run, composed)
    assert state == "success", story
    airflow.wait_dead(victim)
    assert {one["try_number"] for one in api.tasks(CANARY, run)} == {1}
    load.end()
    load.assert_right()
    assert [release.state for release in deploys(composed)] == [State.SUCCEEDED]


@pytest.mark.soak
def test_what_a_machine_that_stops_had_begun_goes_on(airflow, api, composed, load):
    api.unpause(CANARY)
    run = api.trigger(CANARY, {**FORM, "model": composed.model, "reason": "all processes are told to stop"})
    come_to(composed, "JUDGING 0")
    victim = working(airflow)
    for pid in session_members(airflow.native.servers[victim].pid):
        os.kill(pid, signal.SIGTERM)
    state, story = ended(api, run, composed)
    print(story)
    airflow.wait_dead(victim)
    load.end()
    load.assert_right()
    assert state == "success", story
    assert composed.serving.traffic(composed.model) == {2: 100}
    assert [release.state for release in deploys(composed)] == [State.SUCCEEDED]


@pytest.mark.soak
def test_what_a_person_stops_is_put_back(airflow, api, composed, load):
    api.unpause(CANARY)
    run = api.trigger(CANARY, {**FORM, "model": composed.model, "reason": "somebody thinks better of it"})
    come_to(composed, "JUDGING 0")
    working(airflow)
    api.mark_failed(CANARY, run, "candidate")
    print(ended(api, run, composed)[1])
    wait_until(lambda: deploys(composed)[0].state.terminal, 60, lambda: "nobody ended the release")
    load.end()
    load.assert_right()
    assert composed.serving.traffic(composed.model) == {1: 100}
    assert [release.state for release in deploys(composed)] == [State.ROLLED_BACK]
