"""How far a transfer is, told in the task's log."""

from __future__ import annotations

import logging
from threading import Lock
from time import monotonic
from types import TracebackType

log = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds between two lines."""


class Transfer:
    """Counts the bytes of one transfer from many threads: a line every few seconds and one at the end.

    :param verb: what is being done, such as ``"upload"``.
    :param what: to what, such as the artifact's URI.
    :param total: the bytes of everything, moved or already there.
    """

    def __init__(self, verb: str, what: str, total: int) -> None:
        self.verb, self.what, self.total = verb, what, total
        self.moved = self.kept = 0
        self._started = self._told = monotonic()
        self._lock = Lock()

    def __enter__(self) -> Transfer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            seconds = monotonic() - self._started
            log.info(
                "%s of %s is done: %s moved in %.1f s (%s/s), %s already there",
                *(self.verb, self.what, amount(self.moved), seconds, amount(self.moved / max(seconds, 1e-3))),
                amount(self.kept),
            )

    def add(self, count: int) -> None:
        """Count bytes that were moved; less than nothing where a file starts over."""
        with self._lock:
            self.moved += count
            due = monotonic() - self._told >= EVERY
            self._told = monotonic() if due else self._told
        if due:
            self._tell()

    def keep(self, count: int) -> None:
        """Count bytes that were proven to be there already."""
        with self._lock:
            self.kept += count

    def _tell(self) -> None:
        rate = self.moved / max(monotonic() - self._started, 1e-3)
        left = max(self.total - self.kept - self.moved, 0)
        log.info(
            "%s of %s: %s of %s, %s/s, %s left",
            *(self.verb, self.what, amount(self.moved + self.kept), amount(self.total), amount(rate)),
            f"{left / rate:.0f} s" if rate > 0 else "unknown time",
        )


def amount(count: float) -> str:
    """Bytes for people: ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
