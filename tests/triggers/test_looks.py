from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from airflow.triggers.shared_stream import AdvanceItem, AdvanceOutcome

from model_lifecycle.triggers.looks import Looks
from model_lifecycle.triggers.watch import Look


async def two() -> AsyncIterator[Look]:
    for found in (1, 2):
        yield Look(found)


def test_a_look_is_told_when_every_watcher_has_told_it():
    async def marks() -> list[bool]:
        looks = Looks(two())
        found = [look async for _, look in looks.open_stream()]
        outcomes = [AdvanceOutcome(acked=2, failed=0), AdvanceOutcome(acked=1, failed=1)]
        await looks.advance([AdvanceItem(look, outcome) for look, outcome in zip(found, outcomes, strict=True)])
        return [look.told.is_set() for look in found]

    assert asyncio.run(marks()) == [True, False]
