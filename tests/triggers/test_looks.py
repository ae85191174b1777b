from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from model_lifecycle.triggers.watch import Look


async def two() -> AsyncIterator[Look]:
    for found in (1, 2):
        yield Look(found)


@pytest.mark.since("3.3")
def test_a_look_is_told_when_every_watcher_has_told_it():
    from airflow.triggers.shared_stream import AdvanceItem, AdvanceOutcome

    from model_lifecycle.triggers.looks import Looks

    async def marks() -> list[bool]:
        looks = Looks(two())
        found = [look async for _, look in looks.open_stream()]
        outcomes = [AdvanceOutcome(acked=2, failed=0), AdvanceOutcome(acked=1, failed=1)]
        await looks.advance([AdvanceItem(look, outcome) for look, outcome in zip(found, outcomes, strict=True)])
        return [look.told.is_set() for look in found]

    assert asyncio.run(marks()) == [True, False]
