"""Which versions are in memory and which of them answers. The loader is a double that the test holds back or breaks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model_lifecycle.core.errors import Conflict, Invalid, NotFound, Unavailable
from model_lifecycle.scorer.repository import Repository, State
from model_lifecycle.scorer.routes import ROUTE_FILE, Route, read_route, write_route


class Double:
    """Loads nothing: names its folder. ``faults`` are raised for a version, ``gate`` holds every load back."""

    def __init__(self) -> None:
        self.faults: dict[int, BaseException] = {}
        self.cold: dict[int, BaseException] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.order: list[str] = []

    def __call__(self, folder: Path) -> Any:
        self.gate.wait(20)
        self.order.append(f"{folder.parent.name}/{folder.name}")
        if error := self.faults.get(int(folder.name)):
            raise error
        return Model(folder, self.cold.get(int(folder.name)))


class Model:
    def __init__(self, folder: Path, cold: BaseException | None) -> None:
        self.folder, self.cold = folder, cold

    def warm_up(self) -> None:
        if self.cold:
            raise self.cold


@pytest.fixture
def load() -> Double:
    return Double()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for version in (1, 2, 3):
        (tmp_path / "churn" / str(version)).mkdir(parents=True)
    (tmp_path / "flights" / "1").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def run(root: Path, load: Double) -> Iterator[Callable[..., None]]:
    """Run a coroutine with a repository that has started, as often as the test likes: each is a restart."""
    opened: list[Repository] = []

    def run(work: Callable[[Repository], Awaitable[None]], start: bool = True) -> None:
        async def main() -> None:
            repository = Repository(root, load)
            opened.append(repository)
            if start:
                await repository.start()
            await work(repository)

        try:
            asyncio.run(main())
        finally:
            opened.pop().close()

    yield run
    load.gate.set()


async def settled(repository: Repository, *numbers: int, model: str = "churn") -> None:
    while any(repository.version(model, number).state is State.LOADING for number in numbers):
        await asyncio.sleep(0.001)


async def bring(repository: Repository, *numbers: int, model: str = "churn") -> None:
    for number in numbers:
        repository.load(model, number)
    await settled(repository, *numbers, model=model)


def states(repository: Repository, model: str = "churn") -> dict[str, str]:
    return {one["version"]: one["state"] for one in repository.index() if one["name"] == model}


def test_a_version_serves_only_after_it_is_loaded(run, load):
    async def work(repository: Repository) -> None:
        load.gate.clear()
        assert repository.load("churn", 1).state is State.LOADING
        assert states(repository) == {"1": "LOADING", "2": "UNAVAILABLE", "3": "UNAVAILABLE"}
        with pytest.raises(NotFound, match="version 1 of churn is LOADING"):
            repository.pick("churn", 1).ready  # noqa: B018
        with pytest.raises(Conflict, match="version 1 of churn is LOADING, not READY"):
            await repository.route("churn", {1: 100})
        load.gate.set()
        await settled(repository, 1)
        assert repository.pick("churn", 1).ready.folder.name == "1"
        with pytest.raises(NotFound, match="no version of churn has traffic"):
            repository.pick("churn", None)

    run(work)


def test_loading_what_is_loaded_or_loading_is_loading_once_and_what_failed_is_tried_again(run, load):
    async def work(repository: Repository) -> None:
        repository.load("churn", 1)
        await bring(repository, 1)
        await bring(repository, 1)
        assert load.order == ["churn/1"]
        load.faults[2] = ValueError("not now")
        await bring(repository, 2)
        assert repository.version("churn", 2).reason == "cannot be loaded: ValueError: not now"
        del load.faults[2]
        await bring(repository, 2)
        assert repository.version("churn", 2).state is State.READY
        assert repository.versions("churn") == [1, 2]

    run(work)


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), StopIteration(), MemoryError(), KeyboardInterrupt()])
def test_whatever_a_model_raises_it_is_failed_and_the_old_one_serves(run, load, error):
    async def work(repository: Repository) -> None:
        await bring(repository, 1)
        await repository.route("churn", {1: 100})
        load.faults[2] = load.cold[3] = error
        await bring(repository, 2, 3)
        assert states(repository) == {"1": "READY", "2": "FAILED", "3": "FAILED"}
        assert repository.version("churn", 3).reason.startswith("fails its own input example")
        assert repository.pick("churn", None).number == 1
        assert repository.problem() is None
        for number in (2, 3):
            with pytest.raises(Conflict, match="is FAILED, not READY"):
                await repository.route("churn", {number: 100})
        assert repository.traffic("churn") == {1: 100}

    run(work)


def test_what_is_not_in_the_repository_is_not_found(run):
    async def work(repository: Repository) -> None:
        for model, number in (("churn", 9), ("other", 1)):
            with pytest.raises(NotFound, match="holds no folder"):
                repository.load(model, number)
            with pytest.raises(NotFound):
                repository.pick(model, number)
            assert repository.traffic("other") == {}
        with pytest.raises(Conflict, match="no version of other is READY"):
            await repository.route("other", {1: 100})
        await repository.route("other", {})
        await repository.unload("other", 1)

    run(work)


@pytest.mark.parametrize("name", ["..", "a/b", "", "\x00", "a%2e"])
def test_a_name_outside_the_allow_list_is_invalid(run, name):
    async def work(repository: Repository) -> None:
        for verb in (repository.load, repository.version, repository.pick):
            with pytest.raises(Invalid):
                verb(name, 1)
        for refused in (repository.unload(name, 1), repository.route(name, {})):
            with pytest.raises(Invalid):
                await refused

    run(work)


def test_traffic_is_split_and_a_pinned_request_ignores_it(run):
    async def work(repository: Repository) -> None:
        await bring(repository, 1, 2, 3)
        await repository.route("churn", {1: 90, 2: 10})
        picked = [repository.pick("churn", None).number for _ in range(2000)]
        assert set(picked) == {1, 2}
        assert 100 < picked.count(2) < 320
        assert repository.pick("churn", 3).number == 3
        assert sorted(repository.standings()) == [
            ("churn", 1, True, 90),
            ("churn", 2, True, 10),
            ("churn", 3, True, 0),
        ]

    run(work)


def test_a_version_with_traffic_is_not_unloaded_and_without_it_is(run):
    async def work(repository: Repository) -> None:
        await bring(repository, 1, 2)
        await repository.route("churn", {1: 100})
        with pytest.raises(Conflict, match="version 1 of churn has 100 % of the traffic"):
            await repository.unload("churn", 1)
        held = repository.pick("churn", None)
        await repository.route("churn", {2: 100})
        await repository.unload("churn", 1)
        assert states(repository)["1"] == "UNAVAILABLE"
        assert held.ready.folder.name == "1"  # a request that was being answered goes on
        with pytest.raises(NotFound):
            repository.pick("churn", 1)

    run(work)


def test_what_is_unloaded_while_it_loads_does_not_come_back(run, load, root):
    async def work(repository: Repository) -> None:
        load.gate.clear()
        repository.load("churn", 1)
        await repository.unload("churn", 1)
        load.gate.set()
        await bring(repository, 2)  # loads are one at a time: when this is there, the other has ended
        await asyncio.sleep(0.01)
        assert states(repository) == {"1": "UNAVAILABLE", "2": "READY", "3": "UNAVAILABLE"}
        assert read_route(root / "churn").loaded == {2}

    run(work)


def test_what_served_is_loaded_again_first_and_routed_before_the_server_is_ready(run, load, root):
    async def before(repository: Repository) -> None:
        await bring(repository, 1, 2, 3)
        await bring(repository, 1, model="flights")
        await repository.route("flights", {1: 100})
        await repository.route("churn", {2: 100})
        await repository.unload("churn", 1)

    async def after(repository: Repository) -> None:
        load.gate.clear()
        start = asyncio.create_task(repository.start())
        await asyncio.sleep(0)
        assert repository.problem() == "the versions that served before are being loaded"
        assert repository.traffic("churn") == {2: 100}
        with pytest.raises(Unavailable, match="version 2 of churn has traffic and is LOADING"):
            repository.pick("churn", None)
        load.gate.set()
        await start
        assert repository.problem() is None
        assert repository.pick("churn", None).ready.folder.name == "2"
        assert states(repository) == {"1": "UNAVAILABLE", "2": "READY", "3": "READY"}

    run(before)
    load.order.clear()
    run(after, start=False)
    assert load.order == ["churn/2", "flights/1", "churn/3"]


def test_a_routed_version_that_no_longer_loads_is_why_the_server_is_not_ready(run, load, root):
    async def before(repository: Repository) -> None:
        await bring(repository, 1, 2)
        await repository.route("churn", {1: 100})

    async def after(repository: Repository) -> None:
        problem = "version 1 of churn has traffic and is FAILED: cannot be loaded: OSError: disk"
        assert repository.problem() == repository.model_problem("churn") == problem
        with pytest.raises(Unavailable, match="disk"):
            repository.pick("churn", None)
        assert read_route(root / "churn") == Route.of({1: 100}, {1, 2})  # asked for still
        await repository.route("churn", {2: 100})
        assert repository.problem() is None
        assert repository.pick("churn", None).number == 2

    run(before)
    load.faults[1] = OSError("disk")
    run(after)


def test_a_loaded_version_that_no_longer_loads_does_not_hold_the_others_up(run, load):
    async def before(repository: Repository) -> None:
        await bring(repository, 1, 2)
        await repository.route("churn", {1: 100})

    async def after(repository: Repository) -> None:
        assert repository.problem() is None
        assert states(repository) == {"1": "READY", "2": "FAILED", "3": "UNAVAILABLE"}

    run(before)
    load.faults[2] = OSError("disk")
    run(after)


def test_a_route_file_that_cannot_be_read_is_said_and_kept_until_somebody_routes(run, root):
    async def work(repository: Repository) -> None:
        assert "route.json holds no route" in repository.problem()
        with pytest.raises(Unavailable, match="holds no route"):
            repository.pick("churn", None)
        await bring(repository, 1)
        assert (root / "churn" / ROUTE_FILE).read_text() == "{"
        await repository.route("churn", {1: 100})
        assert repository.problem() is None
        assert read_route(root / "churn") == Route.of({1: 100}, {1})

    (root / "churn" / ROUTE_FILE).write_text("{")
    run(work)


def test_a_route_that_cannot_be_written_changes_nothing(run, root):
    async def work(repository: Repository) -> None:
        await bring(repository, 1, 2)
        await repository.route("churn", {1: 100})
        (root / "churn" / f".{ROUTE_FILE}.part").mkdir()
        for refused in (repository.route("churn", {2: 100}), repository.unload("churn", 2)):
            with pytest.raises(Unavailable, match="the route of churn cannot be written"):
                await refused
        await bring(repository, 3)
        assert repository.version("churn", 3).reason.startswith("cannot be recorded")
        assert repository.traffic("churn") == {1: 100}
        assert states(repository) == {"1": "READY", "2": "READY", "3": "FAILED"}
        assert read_route(root / "churn") == Route.of({1: 100}, {1, 2})

    run(work)


def test_a_route_is_on_disk_before_it_takes_effect(run, root, monkeypatch):
    async def work(repository: Repository) -> None:
        await bring(repository, 1, 2)
        await repository.route("churn", {1: 100})
        seen = []

        def spy(folder: Path, route: Route) -> None:
            write_route(folder, route)
            seen.append((dict(read_route(folder).traffic), dict(repository.traffic("churn"))))

        monkeypatch.setattr("model_lifecycle.scorer.repository.write_route", spy)
        await repository.route("churn", {2: 100})
        await repository.route("churn", {2: 100})
        assert seen == [({2: 100}, {1: 100})]

    run(work)


def test_many_verbs_at_once_leave_memory_and_disk_in_agreement(run, root):
    async def work(repository: Repository) -> None:
        await bring(repository, 1, 2, 3)
        routes = [repository.route("churn", {number: 100}) for number in (1, 2, 3) * 5]
        unloads = [repository.unload("churn", number) for number in (1, 2, 3) * 5]
        await asyncio.gather(*routes, *unloads, return_exceptions=True)
        route = read_route(root / "churn")
        assert route.traffic == repository.traffic("churn")
        assert sorted(route.loaded) == repository.versions("churn")
        assert repository.problem() is None
        assert repository.pick("churn", None).ready

    run(work)
