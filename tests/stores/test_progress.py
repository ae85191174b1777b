"""Progress in the task's log: now and then, and once at the end."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_lifecycle.stores import progress
from model_lifecycle.stores.progress import Transfer, amount


@pytest.fixture(autouse=True)
def _informed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger=progress.__name__)


class Clock:
    """A double of the clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(progress, "monotonic", lambda: self.now)


def test_a_line_comes_every_few_seconds_with_rate_and_remaining_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(monkeypatch)
    with Transfer("upload", "store/flights", 10 * 2**20) as transfer:
        transfer.keep(2 * 2**20)
        for _ in range(8):
            clock.now += 2
            transfer.add(2**20)
    assert caplog.messages == [
        "upload of store/flights: 5.0 MiB of 10.0 MiB, 512.0 KiB/s, 10 s left",
        "upload of store/flights: 8.0 MiB of 10.0 MiB, 512.0 KiB/s, 4 s left",
        "upload of store/flights is done: 8.0 MiB moved in 16.0 s (512.0 KiB/s), 2.0 MiB already there",
    ]


def test_a_file_that_starts_over_is_counted_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(monkeypatch)
    with Transfer("upload", "x", 100) as transfer:
        transfer.add(80)
        clock.now += 10
        transfer.add(-80)
        transfer.add(100)
    assert caplog.messages[0] == "upload of x: 0 B of 100 B, 0 B/s, unknown time left"
    assert transfer.moved == 100


def test_a_transfer_that_failed_is_not_called_done(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="broken"), Transfer("upload", "x", 1):
        raise ValueError("broken")
    assert caplog.messages == []


def test_many_threads_lose_no_byte() -> None:
    transfer = Transfer("upload", "x", 80_000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [transfer.add(1) for _ in range(10_000)], range(8)))
    assert transfer.moved == 80_000


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1.5 * 2**30, "1.5 GiB"), (2**50, "1024.0 TiB"), (-5, "-5 B")],
)
def test_bytes_are_told_for_people(count: float, text: str) -> None:
    assert amount(count) == text
