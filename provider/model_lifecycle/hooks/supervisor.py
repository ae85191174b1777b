"""Supervisor's XML-RPC interface: programs are started, stopped and asked after."""

from __future__ import annotations

import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from xml.parsers.expat import ExpatError

from model_lifecycle.core.errors import Conflict, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.hooks.session import ConnectionSession

# The numbers of Supervisor's faults; what is not in the table is Invalid.
_FAULTS: dict[int, type[ModelLifecycleError]] = {6: Unavailable, 10: NotFound, 20: NotFound, 60: Conflict, 70: Conflict}
_TAIL = 8192


class SupervisorCalls:
    """The calls that we need, by the full names of programs (``group:name``)."""

    def __init__(self, session: ConnectionSession) -> None:
        self.session = session

    def states(self, *, retry: bool = True) -> dict[str, str]:
        """The state of every program: RUNNING, STARTING, BACKOFF, STOPPED, EXITED, FATAL ..."""
        with self._reading("getAllProcessInfo"):
            found = self._call("getAllProcessInfo", retry=retry)
            return {f"{one['group']}:{one['name']}": str(one["statename"]) for one in found}

    def version(self) -> str:
        """The version of Supervisor."""
        return str(self._call("getSupervisorVersion"))

    def stop(self, program: str) -> None:
        """Stop a program and wait until it has ended; nothing happens if it does not run."""
        self._changed("stopProcess", program, True)

    def start(self, program: str) -> None:
        """Start a program and return at once; nothing happens if it runs."""
        self._changed("startProcess", program, False)

    def forget(self, program: str) -> None:
        """Empty its logs."""
        self._call("clearProcessLogs", program)

    def restart(self, program: str) -> None:
        """Stop it, forget what it wrote, and start it."""
        self.stop(program)
        self.forget(program)
        self.start(program)

    def last_words(self, program: str) -> str:
        """The end of what a program wrote to its standard error; nothing if Supervisor keeps no log of it."""
        try:
            return str(self._call("readProcessStderrLog", program, -_TAIL, 0))
        except NotFound:
            return ""

    def _changed(self, method: str, program: str, wait: bool) -> None:
        with suppress(Conflict):  # it is already as asked for
            self._call(method, program, wait)

    def _call(self, method: str, *arguments: Any, retry: bool = True) -> Any:
        name = f"supervisor.{method}"
        content = xmlrpc.client.dumps(arguments, name).encode()
        headers = {"Content-Type": "text/xml"}
        response = self.session.call("POST", "/RPC2", content=content, headers=headers, text=True, retry=retry)
        with self._reading(name):
            (value,), _ = xmlrpc.client.loads(response.content)
            return value

    @contextmanager
    def _reading(self, method: str) -> Iterator[None]:
        target = self.session.target
        try:
            yield
        except xmlrpc.client.Fault as fault:
            kind = _FAULTS.get(fault.faultCode, Invalid)
            raise kind(f"{method}: {fault.faultString}", target=target) from fault
        except (ExpatError, xmlrpc.client.Error, LookupError, TypeError, ValueError) as error:
            raise Invalid(f"the answer to {method} is none of Supervisor's", target=target) from error
