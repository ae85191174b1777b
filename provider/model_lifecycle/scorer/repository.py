"""Which versions are in memory, in which state, and which of them answers.

All state belongs to the event loop: it changes between two awaits or not at all, so a request sees either the old
route or the new one. Loading and predicting happen in threads that never touch it. What must survive a restart is on
disk before it takes effect.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from asyncio import Lock, Task
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from model_lifecycle.core.errors import Conflict, Corrupt, NotFound, Unavailable
from model_lifecycle.core.names import check_name
from model_lifecycle.scorer.layout import lock_folder, model_folders, version_folders
from model_lifecycle.scorer.loading import Loaded, reason_of
from model_lifecycle.scorer.metrics import Standing
from model_lifecycle.scorer.routes import Route, read_route, write_route
from model_lifecycle.scorer.threads import finished

log = logging.getLogger(__name__)


class State(StrEnum):
    """What can be said of a version."""

    LOADING = "LOADING"
    READY = "READY"
    FAILED = "FAILED"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass
class Version:
    """One version that was asked to be loaded; ``reason`` says why it is FAILED."""

    model: str
    number: int
    state: State = State.LOADING
    reason: str = ""
    loaded: Loaded | None = None

    @property
    def ready(self) -> Loaded:
        """The model in memory.

        :raises NotFound: if it is not READY.
        """
        if self.loaded is None:
            reason = f": {self.reason}" if self.reason else ""
            raise NotFound(f"version {self.number} of {self.model} is {self.state}{reason}")
        return self.loaded


@dataclass
class _Model:
    name: str
    folder: Path
    versions: dict[int, Version] = field(default_factory=dict)
    route: Route = field(default_factory=lambda: Route({}, frozenset()))
    fault: str | None = None
    lock: Lock = field(default_factory=Lock)


class Repository:
    """The models below one folder, each version at ``<root>/<model>/<version>/``; nothing is ever downloaded.

    :param load: makes a model out of a version's folder; runs in a thread, one at a time.
    :raises Conflict: if another scorer works on the folder: two would overwrite each other's routes.
    """

    def __init__(self, root: Path, load: Callable[[Path], Loaded]) -> None:
        self.root = root.resolve()
        self._load = load
        self._models: dict[str, _Model] = {}
        self._loader = ThreadPoolExecutor(1, "load")
        self._tasks: set[Task[None]] = set()
        self._started = False
        self._lock_file = lock_folder(self.root)

    async def start(self) -> None:
        """Load what served before the restart: versions with traffic first."""
        models = [_Model(path.parent.name, path.parent) for path in sorted(self.root.glob("*/route.json"))]
        for model in models:
            self._models[model.name] = model
            try:
                model.route = read_route(model.folder) or model.route
            except Corrupt as error:
                model.fault = str(error)
                log.error("%s", error)
        routed = [(model, number) for model in models for number in model.route.traffic]
        rest = [(model, number) for model in models for number in sorted(model.route.loaded - set(model.route.traffic))]
        await asyncio.gather(*(self._begin(model, number) for model, number in routed + rest))
        self._started = True

    def close(self) -> None:
        """Forget the work that has not begun and let another scorer have the folder."""
        self._loader.shutdown(wait=False, cancel_futures=True)
        os.close(self._lock_file)

    def problem(self) -> str | None:
        """Why the server as a whole is not ready, or None."""
        if not self._started:
            return "the versions that served before are being loaded"
        faults = [fault for model in self._models.values() if (fault := _fault(model))]
        return "; ".join(faults) or None

    def model_problem(self, name: str) -> str | None:
        """Why unversioned requests to a model cannot all be answered, or None.

        :raises NotFound: if no version of it has traffic.
        """
        return _fault(self._routed(name))

    def index(self) -> list[dict[str, str]]:
        """Every version on disk or in memory, as the protocol's repository extension lists them."""
        found = []
        for name in sorted({*self._models, *model_folders(self.root)}):
            known = self._models[name].versions if name in self._models else {}
            for number in sorted({*known, *version_folders(self.root / name)}):
                one = known.get(number, Version(name, number, State.UNAVAILABLE))
                found.append({"name": name, "version": str(number), "state": str(one.state), "reason": one.reason})
        return found

    def standings(self) -> Iterable[Standing]:
        """Every version that was asked to be loaded, for the metrics."""
        for model in self._models.values():
            for number, version in model.versions.items():
                yield model.name, number, version.state is State.READY, model.route.traffic.get(number, 0)

    def pick(self, name: str, number: int | None) -> Version:
        """The version that answers a request: the one asked for, or one by the model's traffic.

        :raises NotFound: if it, or any, is not there.
        """
        if number is not None:
            return self.version(name, number)
        model = self._routed(name)
        numbers = list(model.route.traffic)
        chosen = random.choices(numbers, weights=list(model.route.traffic.values()))[0] if numbers[1:] else numbers[0]  # noqa: S311
        if model.versions[chosen].loaded is None:
            raise Unavailable(f"{_fault(model)}")
        return model.versions[chosen]

    def version(self, name: str, number: int) -> Version:
        """A version that was asked to be loaded.

        :raises NotFound: if it was not.
        """
        model = self._models.get(check_name(name, "model name"))
        if model is None or number not in model.versions:
            raise NotFound(f"version {number} of {name} is not loaded")
        return model.versions[number]

    def versions(self, name: str) -> list[int]:
        """The READY versions of a model."""
        model = self._models.get(check_name(name, "model name"))
        found = model.versions.values() if model else ()
        return sorted(version.number for version in found if version.state is State.READY)

    def traffic(self, name: str) -> Mapping[int, int]:
        """Per cent by version; empty if no version of that name has traffic."""
        model = self._models.get(check_name(name, "model name"))
        return model.route.traffic if model else {}

    def load(self, name: str, number: int) -> Version:
        """Begin to load a version, unless it is READY or being loaded; FAILED is tried again.

        :raises NotFound: if it does not lie in the repository.
        """
        folder = self.root / check_name(name, "model name")
        if not (folder / str(number)).is_dir():
            raise NotFound(f"the repository holds no folder {name}/{number}")
        model = self._models.setdefault(name, _Model(name, folder))
        version = model.versions.get(number)
        if version is None or version.state is State.FAILED:
            self._begin(model, number)
        return model.versions[number]

    async def unload(self, name: str, number: int) -> None:
        """Forget a version; requests that it is answering are finished.

        :raises Conflict: if it has traffic.
        """
        model = self._models.get(check_name(name, "model name"))
        if model is None:
            return
        async with model.lock:
            if number in model.route.traffic:
                percent = model.route.traffic[number]
                raise Conflict(f"version {number} of {name} has {percent} % of the traffic", hint="route away first")
            await self._keep(model, Route.of(model.route.traffic, model.route.loaded - {number}))
            model.versions.pop(number, None)

    async def route(self, name: str, traffic: Mapping[int, int]) -> None:
        """Set a model's traffic.

        :raises Conflict: if a version is not READY; the old traffic stays.
        """
        model = self._models.get(check_name(name, "model name"))
        if model is None:
            if traffic:
                raise Conflict(f"no version of {name} is READY")
            return
        async with model.lock:
            for number in traffic:
                version = model.versions.get(number, Version(name, number, State.UNAVAILABLE))
                if version.state is not State.READY:
                    raise Conflict(f"version {number} of {name} is {version.state}, not READY", hint="load it first")
            await self._keep(model, Route.of(traffic, model.route.loaded))

    def _begin(self, model: _Model, number: int) -> Task[None]:
        version = model.versions[number] = Version(model.name, number)
        task = asyncio.create_task(self._finish(model, version))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _finish(self, model: _Model, version: Version) -> None:
        folder = model.folder / str(version.number)
        log.info("loading version %s of %s", version.number, model.name)
        future = await finished(self._loader, lambda: self._load(folder))
        if error := future.exception():
            _fail(version, "cannot be loaded", error)
            return
        trial = await finished(self._loader, future.result().warm_up)
        if error := trial.exception():
            _fail(version, "fails its own input example", error)
            return
        async with model.lock:
            if model.versions.get(version.number) is not version:
                return  # unloaded meanwhile
            try:
                if model.fault is None:
                    await self._keep(model, Route.of(model.route.traffic, {*model.route.loaded, version.number}))
            except Unavailable as error:
                _fail(version, "cannot be recorded", error)
                return
            version.loaded, version.state = future.result(), State.READY
        log.info("version %s of %s is READY", version.number, model.name)

    async def _keep(self, model: _Model, route: Route) -> None:
        if route != model.route or model.fault:
            try:
                await asyncio.to_thread(write_route, model.folder, route)
            except OSError as error:
                raise Unavailable(f"the route of {model.name} cannot be written: {error.strerror}") from error
            log.info("route of %s: traffic %s, loaded %s", model.name, dict(route.traffic), sorted(route.loaded))
        model.route, model.fault = route, None

    def _routed(self, name: str) -> _Model:
        model = self._models.get(check_name(name, "model name"))
        if model is None or not model.route.traffic:
            if model is not None and model.fault:
                raise Unavailable(model.fault)
            raise NotFound(f"no version of {name} has traffic")
        return model


def _fault(model: _Model) -> str | None:
    if model.fault:
        return model.fault
    for number in model.route.traffic:
        version = model.versions[number]
        if version.state is not State.READY:
            reason = f": {version.reason}" if version.reason else ""
            return f"version {number} of {model.name} has traffic and is {version.state}{reason}"
    return None


def _fail(version: Version, what: str, error: BaseException) -> None:
    version.state, version.reason = State.FAILED, f"{what}: {reason_of(error)}"
    log.error("version %s of %s is FAILED: %s", version.number, version.model, version.reason, exc_info=error)
