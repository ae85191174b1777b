"""The prediction log of a running scorer: a thread that writes, and a door that never makes an answer wait or fail.

Answers are handed over and forgotten. Whatever cannot be kept (memory bound reached, disk full, HDFS gone, a value
that Parquet cannot carry) is dropped and counted. Files are written beside their name and renamed when they are whole,
so a killed scorer leaves no half file under a name that readers look at, and loses at most what it had not written.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from secrets import token_hex
from time import monotonic
from typing import Protocol

from model_lifecycle.core.errors import Invalid, ModelLifecycleError
from model_lifecycle.core.prediction_log import ENDING, hour_folder, is_sampled
from model_lifecycle.scorer.log_tables import Layout, Record, to_parquet
from model_lifecycle.stores.filesystem import Filesystem
from model_lifecycle.stores.layout import temporary

log = logging.getLogger(__name__)

MAX_HELD = 64 * 2**20
"""Bytes of requests that wait for the writer or for their file to be full."""
FULL, UNWRITABLE, UNUSABLE = "queue_full", "unwritable", "unusable"
"""Why rows are dropped."""


@dataclass(frozen=True)
class LogSettings:
    """What the command line says of the log.

    :param target: a folder, or ``webhdfs://host:port/path``.
    :param share: of the requests to log, above 0 to 1, chosen by their id.
    :param rows: in one file, at most about; a request is never cut.
    :param seconds: after which a file is written, however few rows it has.
    :param pinned: whether requests whose path names a version are callers' requests too, as behind a router.
    """

    target: str
    share: float = 0.1
    rows: int = 10_000
    seconds: float = 60.0
    pinned: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or self.rows < 1 or not self.seconds > 0:
            raise Invalid("a prediction log needs a share above 0 and up to 1, and rows and seconds above 0")


class Counting(Protocol):
    """What is told how many rows became of what."""

    def logged(self, model: str, version: int, rows: int) -> None:
        """So many rows are in the log."""

    def dropped(self, model: str, version: int, reason: str, rows: int) -> None:
        """So many rows will never be."""


@dataclass
class _Open:
    """The rows of a file that is not full."""

    began: float
    records: list[Record] = field(default_factory=list)
    rows: int = 0


Key = tuple[str, int, str, Layout]
"""Model, version, folder and columns of a file."""


class PredictionLog:
    """The writer of one process.

    :param files: where to write.
    :param count: told what was written and what was dropped.
    """

    def __init__(self, settings: LogSettings, files: Filesystem, count: Counting) -> None:
        self.settings, self.files, self.count = settings, files, count
        self.writer = f"{re.sub(r'[^A-Za-z0-9]+', '-', socket.gethostname())[:60]}-{os.getpid()}-{token_hex(4)}"
        self._queue: SimpleQueue[Record | None] = SimpleQueue()
        self._open: dict[Key, _Open] = {}
        self._held, self._written = 0, 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self, timeout: float) -> None:
        """Write what is held, for so many seconds at most."""
        self._queue.put(None)
        self._thread.join(timeout)
        if self._thread.is_alive():
            log.warning("the prediction log was not finished after %g seconds; its last rows are lost", timeout)

    def offer(self, record: Record) -> None:
        """Take a record if it is of the share and there is room; never waits, never raises."""
        if not is_sampled(record.request_id, self.settings.share):
            return
        with self._lock:
            room = self._held + record.size <= MAX_HELD and self._thread.is_alive()
            self._held += record.size if room else 0
        if room:
            self._queue.put(record)
        else:
            self._drop([record], FULL)

    def _run(self) -> None:
        while True:
            try:
                record = self._queue.get(timeout=self._patience())
            except Empty:
                self._write(key for key, one in list(self._open.items()) if self._due(one))
                continue
            if record is None:
                break
            self._take(record)
        self._write(list(self._open))

    def _patience(self) -> float | None:
        """Seconds until the oldest file is due; None if none is open."""
        oldest = min((one.began for one in self._open.values()), default=None)
        return None if oldest is None else max(0.0, oldest + self.settings.seconds - monotonic())

    def _due(self, one: _Open) -> bool:
        return monotonic() >= one.began + self.settings.seconds

    def _take(self, record: Record) -> None:
        try:
            key = (record.model, record.version, hour_folder(record.model, record.at), record.layout())
        except (ModelLifecycleError, KeyError, IndexError) as error:
            log.warning("%s", error)
            self._release([record])
            self._drop([record], UNUSABLE)
            return
        one = self._open.setdefault(key, _Open(monotonic()))
        one.records.append(record)
        one.rows += record.rows
        if one.rows >= self.settings.rows or self._due(one):
            self._write([key])
        elif self._held > MAX_HELD // 2:
            self._write(list(self._open))

    def _write(self, keys: Iterable[Key]) -> None:
        for key in keys:
            records = self._open.pop(key).records
            try:
                self._store(key, records)
            except (ModelLifecycleError, OSError, MemoryError) as error:
                log.warning("%d requests are not logged: %s", len(records), error)
                self._drop(records, UNWRITABLE)
            self._release(records)

    def _store(self, key: Key, records: list[Record]) -> None:
        model, version, folder, layout = key
        good, data = self._encoded(records, layout)
        if not good:
            return
        self._written += 1
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{self.writer}-{self._written:06d}{ENDING}"
        unfinished = temporary(folder, "entry")
        try:
            self.files.put_bytes(unfinished, data)
            self.files.rename_exclusive(unfinished, f"{folder}/{name}")
        except ModelLifecycleError:
            with suppress(ModelLifecycleError):
                self.files.remove(unfinished)
            raise
        self.count.logged(model, version, sum(record.rows for record in good))

    def _encoded(self, records: list[Record], layout: Layout) -> tuple[list[Record], bytes]:
        """The records that can be written, and their file; what Arrow refuses is found one by one."""
        try:
            return records, to_parquet(records, layout, self.settings.share)
        except Invalid:
            good = [record for record in records if self._encodes(record, layout)]
            return good, to_parquet(good, layout, self.settings.share) if good else b""

    def _encodes(self, record: Record, layout: Layout) -> bool:
        try:
            to_parquet([record], layout, self.settings.share)
        except Invalid as error:
            log.warning("%s", error)
            self._drop([record], UNUSABLE)
            return False
        return True

    def _release(self, records: list[Record]) -> None:
        with self._lock:
            self._held -= sum(record.size for record in records)

    def _drop(self, records: list[Record], reason: str) -> None:
        rows: defaultdict[tuple[str, int], int] = defaultdict(int)
        for record in records:
            rows[record.model, record.version] += record.rows
        for (model, version), count in rows.items():
            self.count.dropped(model, version, reason, count)
