"""Foreign code in threads: it may raise anything and take for ever, and the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TypeVar

from model_lifecycle.core.errors import Unavailable

T = TypeVar("T")


async def finished(pool: Executor, work: Callable[[], T], timeout: float | None = None) -> Future[T]:
    """Run in a pool, wait without holding the event loop, and return the result or exception as a finished future.

    :raises Unavailable: if it takes longer than ``timeout`` seconds; the thread goes on, its result is dropped.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    future = pool.submit(work)
    # asyncio's own bridge cannot carry a StopIteration, and a model may raise anything.
    future.add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))
    try:
        await asyncio.wait_for(done.wait(), timeout)
    except TimeoutError as error:
        future.cancel()
        raise Unavailable(f"no result after {timeout:g} seconds") from error
    return future
