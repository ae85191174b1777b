"""Polls that watchers share, with Airflow's word that the events drawn from them are stored (Airflow 3.3 only)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

if TYPE_CHECKING:
    from model_lifecycle.triggers.watch import Look


class Looks(SharedStreamProducer):
    """Passes looks on, and marks each as told once every watcher is past it and its events are in the database."""

    def __init__(self, looks: AsyncIterator[Look]) -> None:
        self.looks = looks

    async def open_stream(self) -> AsyncIterator[tuple[Look, Look]]:
        """The looks; each is its own receipt."""
        async for look in self.looks:
            yield look, look

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Mark what was told; a look that some watcher could not tell stays unmarked, and is told again."""
        for look, outcome in batch:
            if outcome.is_clean:
                look.told.set()
