"""Servers that load and unload a model, not one version of it: each version is a model of its own there.

MLServer knows versions, but a load brings every version of the name that lies on its disk, loads those again that are
loaded already, stops at the first that it cannot load, and its index tells the state of the newest only. KServe knows
no versions. So version 3 of ``churn`` is the server's model ``churn.3``, and a router makes one model of them.

In the model repository, which workers and server share::

    .staged/churn/3/            the artifact, proven; servers look into no folder that begins with a dot
    .staged/churn/3.json        while it is being loaded, or why it could not be
    churn.3/model-settings.json MLServer: that it is to be loaded, also when the server starts
    churn.3 -> .staged/churn/3  KServe: the same
"""

from __future__ import annotations

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from model_lifecycle.core.errors import Corrupt, Denied, ModelLifecycleError, NotFound, Rejected, Unavailable
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.names import MANIFEST_NAME, check_name
from model_lifecycle.hooks.answers import one_line, reading
from model_lifecycle.hooks.open_inference_rest import InferenceCalls, RestCalls
from model_lifecycle.hooks.serving import VersionState
from model_lifecycle.hooks.session import url_path
from model_lifecycle.hooks.staging import stage_into, writing
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.disk import replace_file

STAGED = ".staged"
GRACE = 30.0
"""Seconds that a load whose end nobody heard of may take beyond the read time-out, as clocks and servers go."""

_GONE = "the server went away while it loaded this version"
_UNHEARD = "the server does not have it, and nobody heard how its load ended; its log tells"


class NamedVersions(ABC):
    """The versions of models on such a server.

    :param repository: the server's model repository, as this worker sees it.
    :param calls: what is asked of the server.
    """

    def __init__(self, repository: Path, calls: InferenceCalls) -> None:
        self.repository, self.calls = repository, calls

    def name(self, model: str, version: int) -> str:
        """What the server calls a version."""
        return f"{check_name(model, 'model name')}.{version}"

    def stage(self, model: str, version: int, artifact_uri: str, store: ModelStore) -> None:
        """Fetch the artifact to where no server looks by itself."""
        if self.repository.is_dir():
            with writing(self.repository / STAGED):
                (self.repository / STAGED).mkdir(exist_ok=True)
        stage_into(self.repository / STAGED, model, version, artifact_uri, store)

    def load(self, model: str, version: int) -> None:
        """Load a staged version and no other, and keep the reason if the server cannot.

        :raises NotFound: if it was not staged, or the server does not see the repository.
        """
        name = self.name(model, version)
        if not self.staged(model, version).is_dir():
            raise NotFound("the version is not staged", target=str(self.repository), model=model, version=version)
        if self._serving(model).get(version) is VersionState.READY:
            return
        self._write(model, version, VersionState.LOADING)
        with writing(self.repository / name):
            self.enable(model, version)
        try:
            self.calls.load(name)
        except (Denied, NotFound):
            self._forget(model, version)
            raise
        except (Rejected, Unavailable) as error:
            self._note(model, version, error)
        else:
            self._settle(model, version)

    def unload(self, model: str, version: int) -> None:
        """Forget a version; nothing happens if it is not loaded."""
        with suppress(NotFound):
            self.calls.unload(self.name(model, version))
        self._forget(model, version)

    def versions(self, model: str) -> dict[int, VersionState]:
        """What the server has, and what it could not load."""
        return {version: state for version, (state, _) in self._known(model).items()}

    def failure(self, model: str, version: int) -> str | None:
        """Why a version is FAILED, or None."""
        return self._known(model).get(version, (None, None))[1]

    def signature(self, model: str, version: int) -> Any:
        """The signature of a staged version; None if this worker cannot read it."""
        try:
            return Manifest.from_json((self.staged(model, version) / MANIFEST_NAME).read_bytes()).signature
        except (OSError, Corrupt):
            return None

    def staged(self, model: str, version: int) -> Path:
        """Where the artifact of a version lies."""
        return self.repository / STAGED / check_name(model, "model name") / str(version)

    @abstractmethod
    def enable(self, model: str, version: int) -> None:
        """Let the server find the version, now and when it starts."""

    @abstractmethod
    def disable(self, model: str, version: int) -> None:
        """Let the server find it no longer; nothing happens if it does not."""

    @abstractmethod
    def entries(self) -> Iterator[tuple[str, VersionState]]:
        """The server's models by its own names, those that are READY or LOADING."""

    def _known(self, model: str) -> dict[int, tuple[VersionState, str | None]]:
        serving = self._serving(model)
        known: dict[int, tuple[VersionState, str | None]] = {}
        for path in (self.repository / STAGED / model).glob("*.json"):
            if path.stem.isascii() and path.stem.isdigit() and (found := self._read(path)):
                known[int(path.stem)] = found
        for version, state in serving.items():
            known[version] = (state, None)
        return known

    def _serving(self, model: str) -> dict[int, VersionState]:
        prefix = f"{check_name(model, 'model name')}."
        found = {}
        for name, state in self.entries():
            version = name.removeprefix(prefix)
            if name.startswith(prefix) and version.isascii() and version.isdigit():
                found[int(version)] = state
        return found

    def _note(self, model: str, version: int, error: ModelLifecycleError) -> None:
        """Keep what became of a load: the server forgets it, and other workers ask, too.

        A version that ended the server must not be found when it starts again, or it would end it for ever.
        """
        if isinstance(error, Unavailable) and _timed_out(error):
            return  # it goes on, and shows as LOADING
        with writing(self.repository / self.name(model, version)):
            self.disable(model, version)
        reason = error.message if isinstance(error, Rejected) else f"{_GONE}: {error.message}"
        self._write(model, version, VersionState.FAILED, reason)

    def _forget(self, model: str, version: int) -> None:
        with writing(self.repository / self.name(model, version)):
            self.disable(model, version)
        self._settle(model, version)

    def _settle(self, model: str, version: int) -> None:
        with writing(self._state_file(model, version)):
            self._state_file(model, version).unlink(missing_ok=True)

    def _state_file(self, model: str, version: int) -> Path:
        return self.repository / STAGED / check_name(model, "model name") / f"{version}.json"

    def _write(self, model: str, version: int, state: VersionState, reason: str | None = None) -> None:
        with writing(self._state_file(model, version)):
            value = {"state": state, "reason": reason, "at": time.time()}
            replace_file(self._state_file(model, version), json.dumps(value))

    def _read(self, path: Path) -> tuple[VersionState, str | None] | None:
        try:
            value = json.loads(path.read_bytes())
            state, reason, at = VersionState(value["state"]), value["reason"], float(value["at"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            return VersionState.FAILED, f"{path} cannot be read ({type(error).__name__}); unload the version"
        if state is VersionState.LOADING and time.time() - at > self.calls.timeout + GRACE:
            return VersionState.FAILED, _UNHEARD
        return state, reason


class MlServerVersions(NamedVersions):
    """Versions on an MLServer.

    :param implementation: the class that loads the artifacts in the server.
    """

    def __init__(self, repository: Path, calls: InferenceCalls, implementation: str) -> None:
        super().__init__(repository, calls)
        self.implementation = implementation

    def enable(self, model: str, version: int) -> None:
        """Write the settings that make the artifact a model; the artifact itself stays as it is."""
        name = self.name(model, version)
        folder = self.repository / name
        folder.mkdir(exist_ok=True)
        uri = f"../{STAGED}/{model}/{version}"  # the server may see the repository under another path
        parameters = {"version": str(version), "uri": uri}
        settings = {"name": name, "implementation": self.implementation, "parameters": parameters}
        replace_file(folder / "model-settings.json", json.dumps(settings))

    def disable(self, model: str, version: int) -> None:
        """Remove the settings."""
        (self.repository / self.name(model, version) / "model-settings.json").unlink(missing_ok=True)

    def entries(self) -> Iterator[tuple[str, VersionState]]:
        """What the index says; it calls UNKNOWN what is not ready yet."""
        states = {"READY": VersionState.READY, "UNKNOWN": VersionState.LOADING, "LOADING": VersionState.LOADING}
        for entry in self.calls.index():
            if state := states.get(str(entry.get("state"))):
                yield str(entry.get("name")), state


class KServeVersions(NamedVersions):
    """Versions on a model server of the KServe SDK; it has no index, but a list of what is loaded."""

    calls: RestCalls

    def enable(self, model: str, version: int) -> None:
        """Link the artifact under the name that the server's repository is asked for."""
        link = self.repository / self.name(model, version)
        beside = self._state_file(model, version).with_suffix(f".{token_hex(8)}")
        beside.symlink_to(Path(STAGED) / model / str(version))
        os.replace(beside, link)

    def disable(self, model: str, version: int) -> None:
        """Remove the link."""
        (self.repository / self.name(model, version)).unlink(missing_ok=True)

    def entries(self) -> Iterator[tuple[str, VersionState]]:
        """What is loaded, and whether it is ready."""
        session, path = self.calls.session, url_path("v2", "models")
        listed = session.call("GET", path).json()
        with reading(f"GET {path}", "KServe", session.target):
            names = [str(name) for name in listed["models"]]
        for name in names:
            with suppress(NotFound):  # it was unloaded meanwhile
                yield name, self._state(name)

    def _state(self, name: str) -> VersionState:
        try:
            self.calls.session.call("GET", url_path("v2", "models", name, "ready"), retry=False)
        except Unavailable:
            return VersionState.LOADING
        return VersionState.READY


def _timed_out(error: Unavailable) -> bool:
    """Whether the server took the request and is still silent; all else ended the connection, or never made one."""
    import requests

    cause: Any = error.__cause__
    if isinstance(cause, requests.RequestException):
        return isinstance(cause, requests.ReadTimeout)
    return "DEADLINE_EXCEEDED" in one_line(error.message)
