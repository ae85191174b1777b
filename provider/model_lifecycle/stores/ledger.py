"""The ledger of one endpoint, kept as an append-only log in the model store (Law 3)."""

from __future__ import annotations

from collections.abc import Iterator

from model_lifecycle.core.errors import Conflict, Corrupt
from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.release import Entry, Release
from model_lifecycle.stores.base import ModelStore


class Ledger:
    """What happened to one endpoint, the newest last."""

    def __init__(self, store: ModelStore, endpoint: Endpoint) -> None:
        self.store = store
        self.endpoint = endpoint

    def generation(self) -> int:
        """The newest generation, or 0 for an endpoint without history."""
        return max(self.store.generations(str(self.endpoint)), default=0)

    def newest(self) -> Release | None:
        """The newest release, or None for an endpoint without history."""
        return next(self.releases(), None)

    def releases(self) -> Iterator[Release]:
        """Every release, the newest first; reads no more than is asked for."""
        return map(self.release_of, self.last_entries())

    def find(self, key: str) -> Release | None:
        """The newest release that the task with this key opened or rolled back, at one read for each release."""
        return next((self.release_of(entry) for entry in self.last_entries() if entry.belongs_to(key)), None)

    def last_entries(self) -> Iterator[Entry]:
        """The newest entry of every release, the newest first, at one read for each."""
        last = self.generation()
        while last > 0:
            entry = self._read(last)
            yield entry
            last = entry.opened - 1

    def release_of(self, last: Entry) -> Release:
        """The release of which this is the newest entry."""
        entries = [self._read(generation) for generation in range(last.opened, last.generation)]
        return Release((*entries, last))

    def append(self, entry: Entry) -> None:
        """Write one entry.

        :raises Conflict: if another writer was first; nothing is overwritten.
        """
        try:
            self.store.append_exclusive(str(self.endpoint), entry.generation, entry.to_json())
        except Conflict as error:
            raise superseded(self.endpoint, entry.generation) from error

    def require_newest(self, generation: int) -> None:
        """Stop a writer that somebody has taken over from.

        :raises Conflict: if ``generation`` is no longer the newest.
        """
        if self.generation() != generation:
            raise superseded(self.endpoint, generation + 1)

    def _read(self, generation: int) -> Entry:
        entry = Entry.from_json(self.store.read_entry(str(self.endpoint), generation))
        if entry.generation != generation or not 0 < entry.opened <= generation:
            raise Corrupt(f"ledger entry {generation} holds generation {entry.generation}", target=str(self.endpoint))
        return entry


def superseded(endpoint: Endpoint, generation: int) -> Conflict:
    """The error of a writer whose release was taken over."""
    return Conflict(
        f"another writer holds generation {generation} of the ledger; this one stops here",
        target=str(endpoint),
        model=endpoint.model,
        hint="nothing of the other's is undone; look at the newest release of this endpoint",
    )
