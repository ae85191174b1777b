"""SIGKILL at every call with which a deploy, a promotion or a rollback sees or changes the world.

A fork runs the operators' tasks and is killed at the N-th HTTP send, answer, ledger append or fsync, before or after
it, for every N until it gets through, while callers go on asking. After each kill they are answered rightly, the
ledger can be read and no alias names what cannot serve; the same tasks run again leave exactly one release each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from model_lifecycle.core import rollout
from model_lifecycle.core.models import CHAMPION, PREVIOUS
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.strategy import BlueGreen
from model_lifecycle.hooks.serving import VersionState
from model_lifecycle.operators.base import task_key
from tests.callers import Load
from tests.forks import Forks
from tests.operators.life import Life, context
from tests.servers.scorer import ScorerServer

SENDS = ("before-send", "before-answer", "after-answer")
WRITES = ("before-append", "after-append", "before-fsync", "after-fsync")
RECENT = 8
"""Releases that are read after each kill, more than one point of a sweep makes; all of them are read at its end."""
HERE = "tests.faults.test_release_kill_sweep"


PATIENCE = timedelta(milliseconds=20)
"""How often these tests look whether a version is loaded; a sweep makes hundreds of releases."""


def deploy_and_promote(folder: str, model: str, store: str, repository: str, uri: str, run: str) -> None:
    """The tasks of one DAG run that releases a version; run in a fork."""
    rollout.LOAD_POLL = PATIENCE
    life = Life(Path(folder), model, store, Path(repository))
    life.deploy(uri, run, allow_quarantined=True)
    life.promote(uri, run)


def roll_back(folder: str, model: str, store: str, repository: str, leaving: str, run: str) -> None:
    """The task that leaves a version; run in a fork."""
    rollout.LOAD_POLL = PATIENCE
    Life(Path(folder), model, store, Path(repository)).roll_back(run, leaving=leaving)


@dataclass
class Endpoint:
    """An endpoint with two versions that take turns, its callers, and somebody who kills who changes it."""

    life: Life
    forks: Forks
    load: Load
    uris: dict[int, str]
    kills: Counter[str] = field(default_factory=Counter)

    def serving(self) -> int:
        (version,) = self.life.serving.traffic(self.life.model)
        return version

    def other(self) -> int:
        return 3 - self.serving()

    def killed(self, point: str, number: int, work: str, *arguments: object) -> bool:
        life = self.life
        place = (str(life.folder), life.model, life.store_uri, str(life.repository))
        killed = self.forks.killed(point, number, f"{HERE}:{work}", *place, *arguments)
        self.kills[point] += killed
        return killed

    def assert_nothing_half(self) -> None:
        """Whoever looks now, before anybody has tried again, sees a whole state: the one before or the one after."""
        life = self.life
        answers = {life.answer() for _ in range(3)}
        assert answers <= {111.0, 211.0}
        traffic, ready = life.serving.traffic(life.model), life.serving.versions(life.model)
        assert list(traffic.values()) == [100]
        assert ready[self.serving()] is VersionState.READY
        releases = list(islice(life.ledger.releases(), RECENT))
        assert sum(not release.state.terminal for release in releases) <= 1, "two releases are open"
        for alias, version in life.aliases().items():
            assert ready.get(version) is VersionState.READY, f"{alias} names version {version}, which cannot serve"

    def releases_of(self, run: str, task: str) -> list[Release]:
        key = task_key(context(task, run))
        return [release for release in islice(self.life.ledger.releases(), RECENT) if release.plan.key == key]

    def assert_one(self, run: str, task: str, state: State) -> None:
        """The task of this run has exactly one release, however often it was tried."""
        assert [release.state for release in self.releases_of(run, task)] == [state]

    def assert_serves(self, version: int, aliases: dict[str, int], loaded: set[int]) -> None:
        life = self.life
        assert life.serving.traffic(life.model) == {version: 100}
        assert {life.answer() for _ in range(3)} == {11.0 + 100 * version}
        assert life.aliases() == aliases
        assert life.serving.versions(life.model) == dict.fromkeys(loaded, VersionState.READY)
        assert {one.version for one in life.registry.search(life.model)} == {1, 2}


@pytest.fixture
def endpoint(
    life: Life, scorer_server: ScorerServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Endpoint]:
    monkeypatch.setattr(rollout, "LOAD_POLL", PATIENCE)
    uris = {1: life.release(100.0, "first"), 2: life.version(200.0)}
    # Patient callers: on a machine of two cores they shall be there at every moment, not take it all.
    load = Load(scorer_server.port, life.model, pause=0.1)
    with Forks(tmp_path / "forks.log") as forks:
        load.start()
        yield Endpoint(life, forks, load, uris)
        load.end()


def released(endpoint: Endpoint, point: str, number: int) -> bool:
    """Kill a deploy with its promotion once, look, and run the tasks again."""
    life, old, new, run = endpoint.life, endpoint.serving(), endpoint.other(), f"{point}-{number}"
    killed = endpoint.killed(point, number, "deploy_and_promote", endpoint.uris[new], run)
    endpoint.assert_nothing_half()
    result = life.deploy(endpoint.uris[new], run, try_number=2, allow_quarantined=True)
    assert (result["state"], result["serving_version"], result["fallback_version"]) == ("SUCCEEDED", new, old)
    life.promote(endpoint.uris[new], run)
    endpoint.assert_one(run, "deploy", State.SUCCEEDED)
    endpoint.assert_one(run, "promote", State.SUCCEEDED)
    endpoint.assert_serves(new, {CHAMPION: new, PREVIOUS: old}, {old, new})
    return killed


def rolled_back(endpoint: Endpoint, point: str, number: int) -> bool:
    """Kill a rollback of what serves once, look, and run it again."""
    life, run = endpoint.life, f"{point}-{number}"
    old, new = endpoint.serving(), endpoint.other()
    life.deploy(endpoint.uris[new], run, allow_quarantined=True)
    life.promote(endpoint.uris[new], run)
    killed = endpoint.killed(point, number, "roll_back", endpoint.uris[new], run)
    endpoint.assert_nothing_half()
    result = life.roll_back(run, leaving=endpoint.uris[new])
    assert (result["state"], result["serving_version"], result["abandons"]) == ("ROLLED_BACK", old, new)
    endpoint.assert_one(run, "roll_back", State.ROLLED_BACK)
    endpoint.assert_serves(old, {CHAMPION: old}, {old})
    assert life.newest().standing.quarantined == (new,)
    return killed


def interrupted(endpoint: Endpoint, point: str, number: int) -> bool:
    """Kill a rollback of a release that is under way once, look, and run it again."""
    life, run = endpoint.life, f"{point}-{number}"
    old, new = endpoint.serving(), endpoint.other()
    with pytest.raises(TaskDeferred):
        life.deploy(
            endpoint.uris[new], run, allow_quarantined=True, deferrable=True, strategy=BlueGreen(timedelta(hours=1))
        )
    killed = endpoint.killed(point, number, "roll_back", endpoint.uris[new], run)
    endpoint.assert_nothing_half()
    result = life.roll_back(run, leaving=endpoint.uris[new])
    assert (result["state"], result["serving_version"], result["abandons"]) == ("ROLLED_BACK", old, new)
    assert endpoint.releases_of(run, "roll_back") == [], "the release that was interrupted tells it all"
    endpoint.assert_one(run, "deploy", State.ROLLED_BACK)
    endpoint.assert_serves(old, {CHAMPION: old}, {old})
    return killed


CHANGES = {"a release": released, "a rollback": rolled_back, "an interruption": interrupted}


def sweep(endpoint: Endpoint, change: str, steps: dict[str, int]) -> Counter[str]:
    """Visit every n-th call of each kind; how many kills there were of each."""
    for point, step in steps.items():
        for number in range(1, 2000, step):
            try:
                killed = CHANGES[change](endpoint, point, number)
            except BaseException as error:
                said = endpoint.forks.log.read_text()[-3000:]
                error.add_note(f"{change} killed at {point} {number}; the attempts said:\n{said}")
                raise
            if not killed:
                break
        else:
            raise AssertionError(f"{change} never got through")
    endpoint.load.end()
    endpoint.load.assert_right()
    assert all(release.state.terminal for release in endpoint.life.ledger.releases())
    print(f"\n{change}: {sum(endpoint.kills.values())} kills {dict(endpoint.kills)}; {endpoint.load.told()}")
    return endpoint.kills


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_killed_here_and_there_is_noticed_by_nobody_and_converges(endpoint: Endpoint, change: str) -> None:
    kills = sweep(endpoint, change, {"before-answer": 42, "after-answer": 53, "after-fsync": 35})
    assert sum(kills.values()) >= 2


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_killed_at_every_point(endpoint: Endpoint, change: str) -> None:
    kills = sweep(endpoint, change, dict.fromkeys((*SENDS, *WRITES), 1))
    assert min(kills.values()) >= 2
    assert sum(kills.values()) > 100
