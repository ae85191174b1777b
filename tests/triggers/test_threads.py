from __future__ import annotations

import asyncio
import threading

from model_lifecycle.triggers.threads import THREADS, ask_aside


def test_a_thousand_waits_for_a_system_that_hangs_take_few_threads_and_keep_nobody_else_from_asking():
    release = threading.Event()
    before = threading.active_count()

    async def ask() -> tuple[list[str], int]:
        hanging = [asyncio.create_task(ask_aside("hanging", release.wait, 60)) for _ in range(1000)]
        others = [
            await ask_aside(system, str, number) for number, system in enumerate(("a/model", "a/other", "file:///x"))
        ]
        counted = threading.active_count()
        release.set()
        await asyncio.gather(*hanging)
        return others, counted

    others, counted = asyncio.run(ask())
    assert others == ["0", "1", "2"]
    assert counted - before <= THREADS + 2, "those of an endpoint are those of its connection"


def test_what_a_question_raises_is_raised_where_it_was_asked():
    async def ask() -> str:
        try:
            return await ask_aside("a", int, "x")  # type: ignore[return-value]
        except ValueError as error:
            return str(error)

    assert "invalid literal" in asyncio.run(ask())
