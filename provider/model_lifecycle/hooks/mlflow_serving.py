"""MLflow's own server, ``mlflow models serve``: one process for each version, run by Supervisor.

It loads what it is started with, and has no call to load, to split, or to count. So a version is a process in a slot, a
router stands before them, and Supervisor starts and stops them where they run. Ship with this package:
``servers/supervisord.conf``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from json import dumps
from pathlib import Path
from typing import Any

from airflow.sdk import Connection

from model_lifecycle.core.errors import Corrupt, Invalid, NotFound, Unavailable
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.names import MANIFEST_NAME, check_name
from model_lifecycle.hooks.answers import cause_of, one_line
from model_lifecycle.hooks.inputs import check_inputs
from model_lifecycle.hooks.router import VERSION_HEADER
from model_lifecycle.hooks.serving import Answer, Columns, RoutableHook, VersionState
from model_lifecycle.hooks.session import ConnectionSession
from model_lifecycle.hooks.slots import Slot, Slots
from model_lifecycle.hooks.staging import stage_into
from model_lifecycle.hooks.supervisor import SupervisorCalls
from model_lifecycle.hooks.tensors import to_tensors
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.folder import MLMODEL

PING_TIMEOUT = 2.0
_ALIVE = ("STARTING", "RUNNING")
_TRACEBACK = "Traceback (most recent call last):\n"


class MlflowServingHook(RoutableHook):
    """Processes of MLflow's server on one host, behind a connection of type ``mlflow_serving`` to its Supervisor.

    Host, port, login and password lead to Supervisor's ``inet_http_server``. Extras: ``repository``, the folder of the
    models, as the workers see it; ``slots``, a list with ``host:port`` of each slot; ``program``, the name of the
    program in Supervisor's configuration, ``model`` by default; ``router_conn_id``; ``verify``, ``cert``, ``key`` and
    ``timeout`` as for every server (:mod:`model_lifecycle.hooks.session`).

    :param serving_conn_id: the connection.
    """

    default_conn_name = "mlflow_serving_default"
    conn_type = "mlflow_serving"
    folders = ("repository",)
    hook_name = "MLflow models serve"

    @cached_property
    def supervisor(self) -> SupervisorCalls:
        """The calls of Supervisor; the connection is read when it is first used."""
        return SupervisorCalls(ConnectionSession(self.connection))

    @cached_property
    def slots(self) -> Slots:
        """The slots of the connection."""
        program = check_name(str(self.connection.extra_dejson.get("program") or "model"), "program")
        return Slots(self._repository, self._addresses(), program)

    def get_conn(self) -> SupervisorCalls:
        """The calls of Supervisor."""
        return self.supervisor

    def prove_connection(self) -> str:
        """Prove that Supervisor is there and has a program for each slot."""
        programs = self.supervisor.states(retry=False)
        missing = [slot.program for slot in self.slots.all if slot.program not in programs]
        if missing:
            hint = "the extra slots lists as many servers as its program has numprocs; the extra program names it"
            raise Invalid(f"Supervisor has no program {', '.join(missing)}", target=self.conn_id, hint=hint)
        return f"Supervisor {self.supervisor.version()} runs {len(self.slots.all)} slots"

    def stage(self, model: str, version: int, artifact_uri: str, store: ModelStore) -> None:
        """Fetch the artifact into the repository; see the contract."""
        stage_into(self._repository, model, version, artifact_uri, store)

    def load(self, model: str, version: int) -> None:
        """Start a process for a staged version in a free slot; see the contract.

        :raises NotFound: if it was not staged.
        :raises Invalid: if MLflow did not save it.
        :raises Conflict: if no slot is free.
        """
        staged = self._staged(model, version)
        if not staged.is_dir():
            raise NotFound("the version is not staged", target=str(self._repository), model=model, version=version)
        if not (staged / MLMODEL).is_file():
            raise Invalid(f"the artifact holds no file {MLMODEL}", target=str(staged), model=model, version=version)
        known = version in self.slots.of(model)
        slot = self.slots.take(model, version)
        alive = self._process(slot) in (*_ALIVE, "BACKOFF")
        # A program in a free slot waits for the link; one that answers there serves what somebody unlinked by hand.
        if not alive or (not known and self._answers(slot)):
            self.supervisor.restart(slot.program)

    def unload(self, model: str, version: int) -> None:
        """Stop the version's process, which ends its requests first, and free its slot; see the contract."""
        for slot in self.slots.of(check_name(model, "model name")).get(version, []):
            # The slot stays taken until the process is gone: who takes it next finds its port free.
            self.supervisor.stop(slot.program)
            self.supervisor.forget(slot.program)
            self.slots.free(slot)
            self.supervisor.start(slot.program)

    def versions(self, model: str) -> dict[int, VersionState]:
        """The versions that have a slot, and what Supervisor and the processes themselves say of them."""
        slots = self.slots.of(check_name(model, "model name"))
        states = self.supervisor.states() if slots else {}
        return {version: self._state(own[0], states) for version, own in slots.items()}

    def failure(self, model: str, version: int) -> str | None:
        """The last words of the process of a FAILED version, or None."""
        slots = self.slots.of(check_name(model, "model name"))
        if version not in slots or self.versions(model).get(version) is not VersionState.FAILED:
            return None
        program = slots[version][0].program
        said = one_line(reason_in(self.supervisor.last_words(program)))
        return said or f"{program} is {self.supervisor.states().get(program, 'unknown to Supervisor')}"

    def predict(self, model: str, inputs: Columns, version: int | None = None) -> Answer:
        """Ask a version's own process; nothing answers unversioned calls but a router."""
        check_name(model, "model name")
        if version is None:
            raise NotFound("only a router answers unversioned calls", model=model, target=self.conn_id)
        session = self._session_of(self._slot(model, version))
        answer = self.ask(session, "/invocations", model, inputs, {VERSION_HEADER: str(version)})
        return Answer(version, answer.outputs)

    def address(self, model: str, version: int) -> str:
        """Where the router finds a version; see the contract."""
        return f"http://{self._slot(model, version).address}/invocations"

    def ask(
        self, session: ConnectionSession, path: str, model: str, inputs: Columns, headers: Mapping[str, str]
    ) -> Answer:
        """Ask in MLflow's words; see the contract. Its server answers 400 also where the model fails."""
        tensors = to_tensors(inputs)
        if pinned := headers.get(VERSION_HEADER):
            check_inputs(tensors, self._signature(model, int(pinned)))
        rows = [list(row) for row in zip(*(tensor["data"] for tensor in tensors), strict=True)]
        body = {"dataframe_split": {"columns": [tensor["name"] for tensor in tensors], "data": rows}}
        check_name(model, "model name")
        response = session.call("POST", path, json=body, headers=headers, errors={500: Invalid})
        said = response.headers.get(VERSION_HEADER, "")
        return Answer(int(said) if said.isascii() and said.isdigit() else None, read_predictions(response.json()))

    def _state(self, slot: Slot, states: Mapping[str, str]) -> VersionState:
        state = states.get(slot.program)
        if state in _ALIVE:
            return VersionState.READY if self._answers(slot) else VersionState.LOADING
        return VersionState.LOADING if state == "BACKOFF" else VersionState.FAILED

    def _process(self, slot: Slot) -> str | None:
        return self.supervisor.states().get(slot.program)

    def _answers(self, slot: Slot) -> bool:
        try:
            self._session_of(slot).call("GET", "/ping", deadline=PING_TIMEOUT, retry=False, text=True)
        except Unavailable:
            return False
        return True

    def _slot(self, model: str, version: int) -> Slot:
        slots = self.slots.of(check_name(model, "model name")).get(version)
        if not slots:
            raise NotFound("the version is not loaded", target=self.conn_id, model=model, version=version)
        return slots[0]

    def _session_of(self, slot: Slot) -> ConnectionSession:
        """A session on a slot; login and password are Supervisor's, and are not sent there."""
        host, extra = f"http://{slot.address}", dumps({"timeout": self.connection.extra_dejson.get("timeout")})
        own = Connection(conn_id=self.conn_id, conn_type=self.conn_type, host=host, extra=extra)
        return ConnectionSession(own)

    def _signature(self, model: str, version: int) -> Any:
        try:
            return Manifest.from_json((self._staged(model, version) / MANIFEST_NAME).read_bytes()).signature
        except (OSError, Corrupt):
            return None

    def _staged(self, model: str, version: int) -> Path:
        return self._repository / check_name(model, "model name") / str(version)

    @property
    def _repository(self) -> Path:
        return self.folder("repository", "set it to the folder MODELS_REPOSITORY of Supervisor, as the workers see it")

    def _addresses(self) -> list[str]:
        slots = self.connection.extra_dejson.get("slots")
        if not isinstance(slots, list) or not slots or not all(_is_address(address) for address in slots):
            hint = 'list the servers of its slots by number, such as ["models:5100", "models:5101"]'
            what = "the extra slots is no list of host:port"
            raise Invalid(what, target=self.conn_id, hint=hint)
        return slots


def read_predictions(value: Any) -> dict[str, list[Any]]:
    """The output columns of an answer: rows of named values become columns, all else is one column ``predictions``.

    :raises Invalid: if it is no answer of MLflow's server.
    """
    found = value.get("predictions") if isinstance(value, dict) else None
    if isinstance(found, dict):
        return {str(name): column if isinstance(column, list) else [column] for name, column in found.items()}
    if not isinstance(found, list):
        raise Invalid("the answer is none of MLflow's server: it has no predictions")
    if found and all(isinstance(row, dict) for row in found):
        return {str(name): [row.get(name) for row in found] for name in found[0]}
    if found and all(isinstance(row, list) and len(row) == 1 for row in found):
        found = [row[0] for row in found]
    return {"predictions": found}


def reason_in(log: str) -> str:
    """Why a process ended, in what it wrote: the error of its last traceback, or its last line.

    The command line adds a traceback of its own, which says only that the server has ended.
    """
    first, *tracebacks = log.split(_TRACEBACK)
    own = [one for one in tracebacks if "returned non zero return code" not in one]
    if own:
        return cause_of(own[-1])
    return next((line for line in reversed(first.splitlines()) if line.strip()), "")


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and "/" not in value and value.rpartition(":")[2].isdecimal() and ":" in value[1:]
