"""What a watcher has seen, kept beyond the end of its triggerer."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from hashlib import sha256
from typing import Any

from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowRuntimeError
from asgiref.sync import sync_to_async

AGAIN = 5.0
"""Seconds until a store that did not answer is asked again."""

log = logging.getLogger(__name__)


class Seen:
    """One value under one key: in Airflow's store of asset state, or in a Variable where there is none.

    Where it cannot be written the watcher goes on, and after a restart tells again what it has told since.

    :ivar number: how often a value was kept.
    :param store: the trigger's ``asset_state_store``, or None before Airflow 3.3. Airflow makes one trigger of equal
        watchers of several assets, whose state belongs to no single asset: it lies in a Variable, too.
    """

    def __init__(self, store: Any, key: str) -> None:
        self.store, self.key, self.number = store, key, 0
        self._waiting: set[asyncio.Task[None]] = set()
        self._last = self._written = 0
        self._named: Counter[str] = Counter()

    async def read(self) -> Any:
        """What was seen, or None if nothing ever was; asks until it is answered, for who forgets loses events."""
        while True:
            try:
                kept = await self._read()
            except AirflowRuntimeError as error:
                log.warning("Asking again in %s s what was seen: %s", AGAIN, error)
                await asyncio.sleep(AGAIN)
                continue
            if not isinstance(kept, dict):
                return None
            self.number = int(kept.get("number", 0))
            return kept["seen"]

    def name(self, fact: str) -> str:
        """A key of a fact that is told since the last value was kept; equal when it is told again after a restart."""
        self._named[fact] += 1  # an alias may move the same way twice
        return sha256(f"{self.key} {self.number} {fact} {self._named[fact]}".encode()).hexdigest()[:24]

    async def write(self, value: Any) -> None:
        """Keep what was seen."""
        number = self.number + 1
        kept = {"seen": value, "number": number}
        try:
            if self.store is not None:
                await self.store.aset(self.key, kept)
            else:
                await sync_to_async(Variable.set, thread_sensitive=False)(self.key, kept, serialize_json=True)
        except AirflowRuntimeError as error:
            log.warning("What was seen cannot be kept: %s", error)
            return
        self.number = number
        self._named.clear()

    def write_after(self, told: asyncio.Event, value: Any) -> None:
        """Keep what was seen once it was told; an older value never replaces a newer one."""
        self._last += 1
        task = asyncio.get_running_loop().create_task(self._write_after(told, value, self._last))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    def close(self) -> None:
        """Forget what waits to be told: whoever watches next tells it."""
        for task in self._waiting:
            task.cancel()

    async def _write_after(self, told: asyncio.Event, value: Any, number: int) -> None:
        await told.wait()
        if number > self._written:
            self._written = number
            await self.write(value)

    async def _read(self) -> Any:
        if self.store is not None:
            try:
                return await self.store.aget(self.key)
            except ValueError as error:
                log.info("What was seen lies in a Variable: %s", error)
                self.store = None
        return await sync_to_async(_variable, thread_sensitive=False)(self.key)


def _variable(key: str) -> Any:
    return Variable.get(key, default=None, deserialize_json=True)
