"""What TorchServe and multi-model-server have in common: two APIs, model archives, and workers that load them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.extras import changed
from model_lifecycle.hooks.model_archive import archive_name, stage_archive
from model_lifecycle.hooks.serving import Answer, Columns, RoutableHook, VersionState
from model_lifecycle.hooks.session import ConnectionSession
from model_lifecycle.hooks.tensors import to_tensors
from model_lifecycle.stores.base import ModelStore

if TYPE_CHECKING:
    import requests

MANAGEMENT_PORT = 8081
LOAD_TIMEOUT = 120.0
"""Seconds after which workers that do not run are FAILED; as long as TorchServe itself waits for a start."""
PATIENCE = 10.0
"""Seconds that a running worker is given to describe itself; requests before it come first."""

Judgement = tuple[VersionState, str | None]
"""The state of a version, and why it is FAILED."""


class ArchiveServer(RoutableHook):
    """One such server behind a connection.

    Host and port lead to the inference API; login and password as for every server. Extras: ``management``, the URL
    of the management API (same host, port 8081); ``archives``, the server's model store as the workers see it;
    ``workers`` of each version (1); ``load_timeout`` in seconds (120); ``verify``, ``cert``, ``key`` and ``timeout``
    (:mod:`model_lifecycle.hooks.session`). Worker and server clocks are compared: keep them in step.

    :param serving_conn_id: the connection.
    """

    folders = ("archives",)

    @cached_property
    def session(self) -> ConnectionSession:
        """The HTTP session on the inference API; the connection is read when it is first used."""
        return ConnectionSession(self.connection)

    @cached_property
    def management(self) -> ConnectionSession:
        """The HTTP session on the management API."""
        parts = urlsplit(self.session.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        url = self.connection.extra_dejson.get("management") or f"{parts.scheme}://{host}:{MANAGEMENT_PORT}"
        return ConnectionSession(changed(self.connection, host=str(url), port=None))

    def get_conn(self) -> ConnectionSession:
        """The HTTP session on the inference API."""
        return self.session

    def prove_connection(self) -> str:
        """Prove that both APIs are there and let us in."""
        answer = self.manage("GET", "/models", params={"limit": 1}, retry=False).json()
        if not isinstance(answer, dict) or "models" not in answer:
            message = f"the answer to GET /models is none of {self.hook_name}'s"
            raise Invalid(message, target=self.management.target, hint="is this the right port, of its management API?")
        self.infer(self.session, "GET", "/ping", retry=False)
        return f"{self.hook_name} is ready"

    def stage(self, model: str, version: int, artifact_uri: str, store: ModelStore) -> None:
        """Build the version's archive from the artifact; see :func:`~.model_archive.stage_archive` and the contract."""
        stage_archive(self.archives, model, version, artifact_uri, store)

    def versions(self, model: str) -> dict[int, VersionState]:
        """The versions that have workers, or should have."""
        return {version: state for version, (state, _) in self.judged(model).items()}

    def failure(self, model: str, version: int) -> str | None:
        """Why a version is FAILED, or None."""
        return self.judged(model).get(version, (None, None))[1]

    def ask(
        self, session: ConnectionSession, path: str, model: str, inputs: Columns, headers: Mapping[str, str]
    ) -> Answer:
        """Send ``{"inputs": {column: values}}``; see the contract."""
        check_name(model, "model name")
        body = {"inputs": {tensor["name"]: tensor["data"] for tensor in to_tensors(inputs)}}
        response = self.infer(session, "POST", path, json=body, headers=headers, errors={500: Invalid})
        return to_answer(response, session.target)

    def manage(self, method: str, path: str, **more: Any) -> requests.Response:
        """Call the management API."""
        return self.management.call(method, path, **more)

    def infer(self, session: ConnectionSession, method: str, path: str, **more: Any) -> requests.Response:
        """Call the inference API, directly or through a router."""
        return session.call(method, path, **more)

    @abstractmethod
    def judged(self, model: str) -> dict[int, Judgement]:
        """Each version that has workers or should have, with why it is FAILED."""

    @abstractmethod
    def described(self, model: str, version: int, patience: float) -> str | None:
        """The fault that the handler of running workers tells, empty if it has none, None if it says nothing."""

    @property
    def archives(self) -> Path:
        """The server's model store, as this worker sees it.

        :raises Invalid: if the connection does not name it.
        """
        return self.folder("archives", "set it to the folder of the server's model store, as the workers see it")

    @property
    def workers(self) -> int:
        """How many workers a version gets."""
        return int(self.number("workers", 1))

    @property
    def load_timeout(self) -> float:
        """Seconds after which workers that do not run are given up."""
        return self.number("load_timeout", LOAD_TIMEOUT)

    def staged(self, model: str, version: int) -> str:
        """The name of a version's archive.

        :raises NotFound: if it was not staged.
        """
        name = archive_name(model, version)
        if not (self.archives / name).is_file():
            hint = "stage it first"
            raise NotFound(f"there is no {self.archives / name}", model=model, version=version, hint=hint)
        return name

    def judge_workers(self, workers: list[Mapping[str, Any]], wanted: int) -> Judgement:
        """What the list of a version's workers tells: READY if as many as are wanted run."""
        ready = sum(worker.get("status") == "READY" for worker in workers)
        if ready >= wanted:
            return VersionState.READY, None
        if not self.is_late(workers):
            return VersionState.LOADING, None
        reason = f"{ready} of {wanted} workers run after {self.load_timeout:.0f} s; the server's log tells why"
        return VersionState.FAILED, reason

    def is_late(self, workers: list[Mapping[str, Any]]) -> bool:
        """Whether the youngest of the workers has had its time to load."""
        started = [datetime.fromisoformat(str(worker["startTime"])) for worker in workers if worker.get("startTime")]
        return bool(started) and (datetime.now(UTC) - max(started)).total_seconds() > self.load_timeout


def to_answer(response: requests.Response, target: str) -> Answer:
    """What the handler of an archive answered.

    :raises Invalid: if it is another handler's answer.
    """
    value = response.json()
    if not isinstance(value, dict) or not isinstance(value.get("outputs"), dict):
        raise Invalid("the answer is not of a handler that this package put into the archive", target=target)
    said = str(value.get("model_version") or response.headers.get("x-model-version") or "")
    return Answer(int(said) if said.isascii() and said.isdigit() else None, value["outputs"])


def read_entry(value: Any) -> dict[str, Any]:
    """How many workers a version should have, and those that it has, as both servers describe them.

    :raises TypeError: or LookupError or ValueError, if it is no such description.
    """
    workers = [{"status": str(one["status"]), "startTime": one.get("startTime")} for one in value["workers"]]
    return {"minWorkers": int(value["minWorkers"]), "workers": workers}


def fault_in(value: Any) -> str | None:
    """What a handler of ours says when it is asked to describe itself, or None if it is no such handler."""
    fault = value.get("fault") if isinstance(value, Mapping) else None
    return fault if isinstance(fault, str) else None
