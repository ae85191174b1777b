"""The wait between two steps of a release, in the triggerer: it looks, and wakes the task when there is work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from model_lifecycle.core.actions import Wait
from model_lifecycle.core.errors import Rejected, Unavailable
from model_lifecycle.releases.opening import open_rollout
from model_lifecycle.releases.rollout import Rollout
from model_lifecycle.triggers.threads import ask_aside

SHORTEST = 1.0
"""Seconds between two looks at least; Airflow 3.3 loses an event of the second in which its task was deferred."""
AGAIN = 5.0
"""Seconds until a system that did not answer is asked again."""


class ReleaseTrigger(BaseTrigger):
    """Looks at a waiting release as often as its strategy says; changes nothing.

    The event holds what was seen, for the task that goes on. It comes when a check has decided, when the wait is over,
    when a version is lost, or when somebody else has written into the ledger. Killed and started again it loses no
    request: the counts at the step's beginning stand in the ledger.

    :param generation: of the newest ledger entry when the wait began.
    :param writer: the token of the execution that waits.
    :param watched: what that execution has seen so far.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        store: str,
        registry_conn_id: str,
        generation: int,
        writer: str,
        actor: Mapping[str, str],
        inputs: Mapping[str, Any] | None = None,
        trust: Mapping[str, Any] | str | None = None,
        watched: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.names: dict[str, Any] = {
            "endpoint": endpoint,
            "store": store,
            "registry_conn_id": registry_conn_id,
            "writer": writer,
            "actor": dict(actor),
            "inputs": inputs,
            "trust": trust,
            "watched": watched,
        }
        self.generation = generation

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as they go into Airflow's database: names and counts, no secret."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {**self.names, "generation": self.generation}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the release needs its task."""
        pause = SHORTEST
        while True:
            await asyncio.sleep(pause)
            try:
                wait = await ask_aside(self.names["endpoint"], self._look)
            except Unavailable as error:
                self.log.warning("Looking again in %s s: %s", AGAIN, error)
                pause = AGAIN
                continue
            except Rejected as error:
                self.log.warning("The task has to look itself: %s", error)
                wait = None
            if wait is None:
                yield TriggerEvent({"watched": self.names["watched"]})
                return
            pause = _until(wait)

    async def on_kill(self) -> None:
        """Roll back at once: somebody has marked the waiting task as failed, or cleared it (Airflow 3.3)."""
        await sync_to_async(self._abandon, thread_sensitive=False)()

    def _look(self) -> Wait | None:
        """Look once, and keep what was seen but no connection: there may be a thousand waits."""
        rollout = self._open()
        try:
            return rollout.idle(self.generation)
        finally:
            self.names["watched"] = rollout.watched() or self.names["watched"]

    def _open(self) -> Rollout:
        return open_rollout(**self.names)

    def _abandon(self) -> None:
        rollout = self._open()
        newest = rollout.ledger.newest()
        if newest is not None and newest.generation == self.generation:
            rollout.abandon(newest, "the task that waited was stopped")


def _until(wait: Wait) -> float:
    return max(SHORTEST, (wait.until - datetime.now(UTC)).total_seconds())
