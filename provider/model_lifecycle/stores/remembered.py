"""A ledger for readers who come back every few seconds: what was read once is not read again."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.release import Entry, Release
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.ledger import Ledger

KEEP = 300.0
"""Seconds. An entry never changes (Law 3); but somebody may empty a store that is only for trials."""
MOST = 5000

Memory = OrderedDict[tuple[str, str, int], tuple[float, Entry]]
_MEMORY: Memory = OrderedDict()
_LOCK = threading.Lock()


class RememberedLedger(Ledger):
    """For reading only: who decides by the ledger reads the ledger itself."""

    def __init__(self, store: ModelStore, endpoint: Endpoint, memory: Memory | None = None) -> None:
        super().__init__(store, endpoint)
        self._memory = _MEMORY if memory is None else memory

    def release(self, opened: int) -> Release | None:
        """The release that this generation opened, or None if it opened none."""
        newest = self.generation()
        if not 0 < opened <= newest:
            return None
        entries = [self._read(opened)]
        if entries[0].plan is None:
            return None
        for generation in range(opened + 1, newest + 1):
            entry = self._read(generation)
            if entry.opened != opened:
                break
            entries.append(entry)
        return Release(tuple(entries))

    def page(self, before: int | None, limit: int) -> tuple[list[Release], int | None]:
        """So many releases that opened before a generation, the newest first, and what to ask for next."""
        last = self.generation() if before is None else min(before - 1, self.generation())
        found: list[Release] = []
        while last > 0 and len(found) < limit:
            found.append(self.release_of(self._read(last)))
            last = found[-1].opened - 1
        return found, found[-1].opened if found and last > 0 else None

    def _read(self, generation: int) -> Entry:
        key = (self.store.uri, str(self.endpoint), generation)
        with _LOCK:
            at, known = self._memory.get(key, (0.0, None))
        if known is not None and time.monotonic() - at < KEEP:
            return known
        entry = super()._read(generation)
        with _LOCK:
            self._memory[key] = (time.monotonic(), entry)
            while len(self._memory) > MOST:
                self._memory.popitem(last=False)
        return entry
