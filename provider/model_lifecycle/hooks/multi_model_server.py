"""multi-model-server 1.1, once the server of MXNet: it knows no versions, so each is a model of its own.

Version 3 of ``churn`` is the server's model ``churn~3``: no name of ours holds a ``~``. A router makes
one model of them. What the server does of itself, and what this hook does about it:

- It calls workers READY that are not up, or never will be: a version is READY once its handler has described itself.
- A request to a model whose worker cannot start is never answered: only READY versions are asked.
- A model whose workers were scaled to 0 never gets any again: it is registered anew.
- Deleting a model ends the requests it is answering with 500: the router lets them end first.
- A synchronous registration keeps its caller waiting for the worker's start: registrations are asynchronous.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from model_lifecycle.core.errors import Conflict, ModelLifecycleError, NotFound
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.answers import reading
from model_lifecycle.hooks.archive_server import PATIENCE, ArchiveServer, Judgement, fault_in, read_entry
from model_lifecycle.hooks.serving import Answer, Columns, VersionState
from model_lifecycle.hooks.session import url_path

PAGE = 100
"""The most models of one answer; the server's own limit."""
GLANCE = 2.0
"""Seconds that workers which may still be starting are given to describe themselves."""

log = logging.getLogger(__name__)


class MultiModelServerHook(ArchiveServer):
    """One server behind a connection of type ``multi_model_server``; for its fields see :class:`.ArchiveServer`.

    The extra ``router_conn_id`` names the router, without which no traffic can be set.
    """

    default_conn_name = "multi_model_server_default"
    conn_type = "multi_model_server"
    hook_name = "multi-model-server"

    def load(self, model: str, version: int) -> None:
        """Begin to load a staged version; one that is FAILED, or lost its workers, is registered anew."""
        archive, entry = self.staged(model, version), self._entry(server_name(model, version))
        if entry and (not entry["minWorkers"] or self._judge(model, version, entry)[0] is VersionState.FAILED):
            self.unload(model, version)
        wanted = {"url": archive, "model_name": server_name(model, version), "initial_workers": self.workers}
        try:
            self.manage("POST", "/models", params={**wanted, "synchronous": "false"})
        except Conflict:
            log.info("Version %s of %s is registered already", version, model)

    def unload(self, model: str, version: int) -> None:
        """Forget a version; whether it has traffic, the router knows."""
        with suppress(NotFound):
            self.manage("DELETE", url_path("models", server_name(model, version)))

    def judged(self, model: str) -> dict[int, Judgement]:
        """What the handlers of the versions' workers say of themselves."""
        found = {}
        for version in self._registered(model):
            entry = self._entry(server_name(model, version))
            if entry and entry["minWorkers"] > 0:
                found[version] = self._judge(model, version, entry)
        return found

    def described(self, model: str, version: int, patience: float) -> str | None:
        """Asked as a prediction: the server has no other call that reaches the handler."""
        path = _path(model, version)
        try:
            asked = {"json": {"describe": True}, "deadline": patience}
            return fault_in(self.infer(self.session, "POST", path, retry=False, **asked).json())
        except ModelLifecycleError:
            return None

    def predict(self, model: str, inputs: Columns, version: int | None = None) -> Answer:
        """Ask one version; who answers unversioned calls only a router knows."""
        if version is None:
            raise self._needs_router(model)
        return self.ask(self.session, self._reachable(model, version), model, inputs, {})

    def address(self, model: str, version: int) -> str:
        """The prediction call of one version; see the contract."""
        if version not in self._registered(model):
            raise NotFound("the version is not loaded", target=self.session.target, model=model, version=version)
        return self.session.url + _path(model, version)

    def _reachable(self, model: str, version: int) -> str:
        entry = self._entry(server_name(model, version))
        if entry is None or self._judge(model, version, entry)[0] is not VersionState.READY:
            raise NotFound("the version is not ready", target=self.session.target, model=model, version=version)
        return _path(model, version)

    def _judge(self, model: str, version: int, entry: Mapping[str, Any]) -> Judgement:
        late = self.is_late(entry["workers"])
        fault = self.described(model, version, PATIENCE if late else GLANCE)
        if fault is None:
            reason = f"no worker has answered after {self.load_timeout:.0f} s; the server's log tells why"
            return (VersionState.FAILED, reason) if late else (VersionState.LOADING, None)
        return (VersionState.FAILED, fault) if fault else (VersionState.READY, None)

    def _entry(self, name: str) -> Mapping[str, Any] | None:
        path = url_path("models", name)
        try:
            value = self.manage("GET", path).json()
        except NotFound:
            return None
        with reading(f"GET {path}", self.hook_name, self.management.target):
            return read_entry(value)

    def _registered(self, model: str) -> list[int]:
        prefix = f"{check_name(model, 'model name')}~"
        endings = [name.removeprefix(prefix) for name in self._names() if name.startswith(prefix)]
        return sorted(int(ending) for ending in endings if ending.isascii() and ending.isdigit())

    def _names(self) -> Iterator[str]:
        page: Any = ""
        while page is not None:
            listed = self.manage("GET", "/models", params={"limit": PAGE, "next_page_token": page or None}).json()
            with reading("GET /models", self.hook_name, self.management.target):
                names, page = [str(entry["modelName"]) for entry in listed["models"]], listed.get("nextPageToken")
            yield from names


def server_name(model: str, version: int) -> str:
    """What the server calls a version."""
    return f"{check_name(model, 'model name')}~{version}"


def _path(model: str, version: int) -> str:
    return url_path("predictions", server_name(model, version))
