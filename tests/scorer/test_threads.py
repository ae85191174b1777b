"""Foreign code in threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_lifecycle.core.errors import Unavailable
from model_lifecycle.scorer.threads import finished


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_a_result_comes_back(pool):
    assert asyncio.run(finished(pool, lambda: 7)).result() == 7


@pytest.mark.parametrize("error", [ValueError("x"), StopIteration(3), StopAsyncIteration(), SystemExit(1), KeyError()])
def test_whatever_is_raised_comes_back_as_a_value(pool, error):
    def work() -> None:
        raise error

    assert asyncio.run(finished(pool, work)).exception() is error


def test_what_takes_too_long_is_unavailable_and_the_loop_goes_on(pool):
    go = threading.Event()

    async def main() -> None:
        with pytest.raises(Unavailable, match="no result after 0.05 seconds"):
            await finished(pool, go.wait, timeout=0.05)
        go.set()
        assert (await finished(pool, lambda: 1)).result() == 1

    asyncio.run(main())
