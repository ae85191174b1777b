"""TorchServe 0.12: versions, a default version that answers unversioned calls, and keys that change while we work.

What the server does of itself, and what this hook does about it:

- The first version of a model gets all traffic. So before it, a version ``parked`` without workers is registered and
  made the default: without traffic, unversioned calls find nobody (503).
- A synchronous registration stalls every prediction on the server: registrations are asynchronous.
- A request to a version whose workers died is never answered: only READY versions are asked.
- Deleting a version leaves its requests unanswered: it is deleted once its workers have answered what they had.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import Conflict, Denied, Invalid, ModelLifecycleError, NotFound, Rejected
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.answers import reading
from model_lifecycle.hooks.archive_server import PATIENCE, ArchiveServer, Judgement, fault_in, read_entry
from model_lifecycle.hooks.extras import changed, extras
from model_lifecycle.hooks.model_archive import write_archive
from model_lifecycle.hooks.router import check_traffic
from model_lifecycle.hooks.serving import Answer, Columns, VersionState
from model_lifecycle.hooks.session import ConnectionSession, url_path

if TYPE_CHECKING:
    import requests
    from airflow.sdk import Connection

PARKED = "parked"
PARKED_ARCHIVE = "_parked.mar"
"""No model's archive is called so: names do not begin with an underscore."""
DRAIN = 30.0
"""Seconds that a version is given to answer what it was asked before it is deleted all the same."""
SETTLE = 1.0
"""Seconds between the last request that can have chosen a version and the look whether it is done."""
KEY_LOOKS, KEY_PAUSE = 4, 0.25
"""How often a refused key is read again, and the seconds in between."""
_PARKED_HANDLER = '''"""A version without workers, which is the default while no version has traffic."""


def handle(data, context):
    raise RuntimeError("this version answers nobody: route the traffic to another one")
'''

log = logging.getLogger(__name__)


class TorchServeHook(ArchiveServer):
    """One TorchServe behind a connection of type ``torchserve``; for its fields see :class:`.ArchiveServer`.

    One extra more: ``key_file``, the server's ``key_file.json`` as the workers see it, read again when a key is refused
    because it expired; without it the password is the key of both APIs, as behind a gateway. The server must have been
    started with ``--enable-model-api``. Versions registered by others are seen if they are whole numbers.
    """

    default_conn_name = "torchserve_default"
    conn_type = "torchserve"
    hook_name = "TorchServe"

    def __init__(self, serving_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(serving_conn_id, **kwargs)
        self._keys: dict[str, str] | None = None

    def load(self, model: str, version: int) -> None:
        """Begin to load a staged version; one that is FAILED, or lost its workers, gets new ones."""
        archive = self.staged(model, version)
        if self._default(model) is None:
            self._register(model, self._parked_archive(), 0)
        try:
            self._register(model, archive, self.workers)
        except Rejected:
            self._forget_parked(model)
            raise
        entry = self._entries(model).get(version)
        if entry and entry["minWorkers"] and self._judge(model, version, entry)[0] is VersionState.FAILED:
            self._scale(model, version, 0)
            entry = {"minWorkers": 0}
        if entry and entry["minWorkers"] < self.workers:
            self._scale(model, version, self.workers)

    def unload(self, model: str, version: int) -> None:
        """Let it answer what it was asked, then forget it; see the contract."""
        if version in self.traffic(model):
            raise Conflict("the version has traffic", target=self.session.target, model=model, version=version)
        entry = self._entries(model).get(version)
        if entry is None:
            return
        if self._default(model) == str(version):
            self._park(model)
        self._drain(model, version, entry)
        self._delete(model, str(version))
        self._forget_parked(model)

    def judged(self, model: str) -> dict[int, Judgement]:
        """From the workers' states, and from what the handler of running ones tells."""
        entries = {version: entry for version, entry in self._entries(model).items() if entry["minWorkers"] > 0}
        return {version: self._judge(model, version, entry) for version, entry in entries.items()}

    def described(self, model: str, version: int, patience: float) -> str | None:
        """Asked through the management API; a handler that is not ours says nothing."""
        path, asked = _path(model) + url_path(version), {"customized": "true"}
        try:
            value = self.manage("GET", path, params=asked, deadline=patience, retry=False).json()
            return fault_in(value[0]["customizedMetadata"])
        except (ModelLifecycleError, LookupError):
            return None

    def predict(self, model: str, inputs: Columns, version: int | None = None) -> Answer:
        """Ask for a prediction; see the contract."""
        path = _path(model, "predictions")
        asked = next(iter(self.traffic(model)), None) if version is None else version
        if asked is None:
            raise NotFound("no version has traffic", target=self.session.target, model=model)
        entry = self._entries(model).get(asked)
        if entry is None or self._judge(model, asked, entry)[0] is not VersionState.READY:
            raise NotFound("the version is not ready", target=self.session.target, model=model, version=asked)
        pinned = path if version is None else path + url_path(version)
        return self.ask(self.session, pinned, model, inputs, {})

    def address(self, model: str, version: int) -> str:
        """The prediction call of one version; see the contract."""
        if version not in self._entries(model):
            raise NotFound("the version is not loaded", target=self.session.target, model=model, version=version)
        return self.session.url + _path(model, "predictions") + url_path(version)

    def traffic(self, model: str) -> dict[int, int]:
        """All to the default version, or nothing."""
        default = self._default(model) or ""
        entry = self._entries(model).get(int(default)) if _is_number(default) else None
        return {int(default): 100} if entry and entry["minWorkers"] > 0 else {}

    def route(self, model: str, traffic: Mapping[int, int]) -> None:
        """Make a version the default; see the contract."""
        path = _path(model)
        check_traffic(traffic, self.session.target)
        chosen = [version for version, share in traffic.items() if share]
        if len(chosen) > 1:
            hint = "name a router, of type haproxy or envoy, in the extra router_conn_id of the connection"
            raise Invalid("TorchServe gives all traffic to one version", target=self.session.target, hint=hint)
        if not chosen:
            return self._park(model) if self._default(model) else None
        if self.versions(model).get(chosen[0]) is not VersionState.READY:
            raise Conflict("the version is not ready", target=self.session.target, model=model, version=chosen[0])
        self.manage("PUT", path + url_path(chosen[0], "set-default"))
        return None

    def manage(self, method: str, path: str, **more: Any) -> requests.Response:
        """Call the management API with its key.

        :raises Invalid: also if the server lets nobody load and unload.
        """
        try:
            return self._with_key("management", self.management, method, path, more)
        except Invalid as error:
            response = _answer_of(error)
            if response is not None and response.status_code == 405:
                error.hint = "start TorchServe with --enable-model-api"
            raise

    def infer(self, session: ConnectionSession, method: str, path: str, **more: Any) -> requests.Response:
        """Call the inference API with its key, directly or through a router."""
        return self._with_key("inference", session, method, path, more)

    @cached_property
    def connection(self) -> Connection:
        """The connection; without its password where a file holds the keys."""
        found = super().connection
        return changed(found, login=None, password=None) if extras(found).get("key_file") else found

    def _judge(self, model: str, version: int, entry: Mapping[str, Any]) -> Judgement:
        state, reason = self.judge_workers(entry["workers"], max(entry["minWorkers"], 1))
        fault = self.described(model, version, PATIENCE) if state is VersionState.READY else None
        return (VersionState.FAILED, fault) if fault else (state, reason)

    def _registered(self, model: str) -> dict[str, Mapping[str, Any]]:
        try:
            listed = self.manage("GET", _path(model) + "/all").json()
        except NotFound:
            return {}
        with reading(f"GET {_path(model)}/all", self.hook_name, self.management.target):
            return {str(entry["modelVersion"]): read_entry(entry) for entry in listed}

    def _entries(self, model: str) -> dict[int, Mapping[str, Any]]:
        return {int(version): entry for version, entry in self._registered(model).items() if _is_number(version)}

    def _default(self, model: str) -> str | None:
        try:
            listed = self.manage("GET", _path(model)).json()
        except NotFound:
            return None
        with reading(f"GET {_path(model)}", self.hook_name, self.management.target):
            return str(listed[0]["modelVersion"])

    def _register(self, model: str, archive: str, workers: int) -> None:
        """Ask for it and return; what is registered already stays as it is."""
        wanted = {"url": archive, "model_name": model, "initial_workers": workers, "synchronous": "false"}
        try:
            self.manage("POST", "/models", params=wanted)
        except Conflict:
            log.info("%s is registered already", archive)

    def _scale(self, model: str, version: int, workers: int) -> None:
        wanted = {"min_worker": workers, "max_worker": workers, "synchronous": "false"}
        self.manage("PUT", _path(model) + url_path(version), params=wanted)

    def _delete(self, model: str, version: str) -> None:
        try:
            self.manage("DELETE", _path(model) + url_path(version), errors={403: Conflict})
        except NotFound:
            log.info("Version %s of %s is not registered", version, model)

    def _park(self, model: str) -> None:
        self._register(model, self._parked_archive(), 0)
        self.manage("PUT", _path(model) + url_path(PARKED, "set-default"))

    def _forget_parked(self, model: str) -> None:
        if set(self._registered(model)) == {PARKED}:
            self._delete(model, PARKED)

    def _parked_archive(self) -> str:
        if not (self.archives / PARKED_ARCHIVE).exists():
            write_archive(self.archives / PARKED_ARCHIVE, PARKED, PARKED, _PARKED_HANDLER)
        return PARKED_ARCHIVE

    def _drain(self, model: str, version: int, entry: Mapping[str, Any]) -> None:
        """A worker answers in order: once it has described itself, it has answered everything before."""
        if self.judge_workers(entry["workers"], 1)[0] is VersionState.READY:
            time.sleep(SETTLE)
            self.described(model, version, DRAIN)

    def _with_key(
        self, api: str, session: ConnectionSession, method: str, path: str, more: Mapping[str, Any]
    ) -> requests.Response:
        refused: Invalid | None = None
        for _ in range(KEY_LOOKS):
            try:
                return session.call(
                    method, path, **{**more, "headers": {**(more.get("headers") or {}), **self._key(api)}}
                )
            except Invalid as error:
                if not _is_key_refused(error):
                    raise
                refused = error
            if not self._key_file:
                break
            # The server refuses the old key a moment before it has written the new one.
            time.sleep(KEY_PAUSE)
            self._keys = self._read_keys()
        hint = "set the extra key_file to the server's key_file.json, or the password to its key"
        raise Denied(f"TorchServe refused the {api} key", target=session.target, hint=hint) from refused

    def _key(self, api: str) -> dict[str, str]:
        if self._key_file and self._keys is None:
            self._keys = self._read_keys()
        key = (self._keys or {}).get(api)
        return {"Authorization": f"Bearer {key}"} if key else {}

    @property
    def _key_file(self) -> Path | None:
        named = self.connection.extra_dejson.get("key_file")
        return Path(str(named)) if named else None

    def _read_keys(self) -> dict[str, str]:
        """The keys by API; none while the server is writing the file."""
        try:
            value = json.loads(self._key_file.read_bytes()) if self._key_file else {}
            return {api: str(value[api]["key"]) for api in ("management", "inference")}
        except (ValueError, LookupError, TypeError):
            return {}
        except OSError as error:
            raise Denied(f"cannot read the extra key_file: {error.strerror}", target=self.conn_id) from error


def _path(model: str, api: str = "models") -> str:
    return url_path(api, check_name(model, "model name"))


def _is_number(version: str) -> bool:
    return version.isascii() and version.isdigit()


def _answer_of(error: ModelLifecycleError) -> requests.Response | None:
    return getattr(error.__cause__, "response", None)


def _is_key_refused(error: ModelLifecycleError) -> bool:
    response = _answer_of(error)
    return response is not None and response.status_code == 400 and b"InvalidKeyException" in response.content
