"""Questions to systems that may hang, asked for a page: each waited for a while, none asked twice at once (Law 9).

Every system has threads of its own, so that one that hangs keeps nobody from hearing of the others; and a question
that is still open is not asked again, so that a page that is loaded over and over does not pile up threads.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Overdue
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

from model_lifecycle.core.errors import ModelLifecycleError

log = logging.getLogger(__name__)
T = TypeVar("T")
PATIENCE = 3.0
"""Seconds that one page waits for all of its answers."""
KEEP = 2.0
"""Seconds that an answer is given again: a page that many look at asks no more than one."""
THREADS = 6
MOST = 2000


@dataclass(frozen=True)
class Asked(Generic[T]):
    """A question that was asked at a moment."""

    at: float
    future: Future[T]


@dataclass(frozen=True)
class Told(Generic[T]):
    """An answer, or why there is none."""

    value: T | None = None
    problem: str = ""


class Lookups:
    """Open and newest answers, by system and question."""

    def __init__(self, patience: float = PATIENCE, keep: float = KEEP) -> None:
        self.patience, self.keep = patience, keep
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._asked: dict[Hashable, Asked[Any]] = {}
        self._lock = Lock()

    def ask(self, system: str, question: Hashable, call: Callable[[], T]) -> Asked[T]:
        """Begin to ask, unless the same question is open or was just answered."""
        now, key = time.monotonic(), (system, question)
        with self._lock:
            known = self._asked.get(key)
            if known is not None and (not known.future.done() or now - known.at < self.keep):
                return known
            self._forget(now)
            pool = self._pools.setdefault(system, ThreadPoolExecutor(THREADS, thread_name_prefix="models-page"))
            asked = self._asked[key] = Asked(now, pool.submit(call))
            return asked

    def deadline(self) -> float:
        """Until when a page that begins now waits."""
        return time.monotonic() + self.patience

    def told(self, system: str, asked: Asked[T], deadline: float) -> Told[T]:
        """The answer, as soon as it is there and not after the deadline; nobody waits for what is overdue already."""
        until = min(deadline, asked.at + self.patience)
        try:
            return Told(asked.future.result(max(0.0, until - time.monotonic())))
        except ModelLifecycleError as error:
            return Told(problem=f"{system}: {error}")
        except (KeyError, TypeError, ValueError) as error:
            log.warning("%s gave an answer that cannot be read", system, exc_info=error)
            return Told(problem=f"{system} gave an answer that cannot be read ({type(error).__name__})")
        except Overdue:
            return Told(problem=f"{system} did not answer within {self.patience:g} s")

    def _forget(self, now: float) -> None:
        if len(self._asked) > MOST:
            kept = {key: one for key, one in self._asked.items() if not one.future.done() or now - one.at < self.keep}
            self._asked = kept
