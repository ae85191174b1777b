"""What Prometheus reads: every sample carries the model and the version that it is about.

The registry is our own: the process-wide one adds samples that belong to no version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from model_lifecycle.core.counts import BUCKETS

LABELS = ("model", "version")

Standing = tuple[str, int, bool, int]
"""A model, one of its versions, whether it is ready, and its traffic in per cent."""


class Metrics:
    """Counts of one server; ``standings`` tells what stands when it is scraped."""

    def __init__(self, standings: Callable[[], Iterable[Standing]]) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter("scorer_requests", "Infer requests answered.", LABELS, registry=self.registry)
        self._errors = Counter(
            "scorer_errors", "Infer requests not answered with 200.", (*LABELS, "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "scorer_request_seconds", "Time to answer.", LABELS, buckets=BUCKETS, registry=self.registry
        )
        self._in_flight = Gauge("scorer_in_flight", "Infer requests being answered.", LABELS, registry=self.registry)
        self._rows = Counter("scorer_log_rows", "Rows in the prediction log.", LABELS, registry=self.registry)
        self._dropped = Counter(
            "scorer_log_dropped", "Rows not logged, though of the share.", (*LABELS, "reason"), registry=self.registry
        )
        self.registry.register(_Standings(standings))

    @contextmanager
    def request(self, model: str, version: int) -> Iterator[None]:
        """Count and time one request, whatever becomes of it."""
        labels = (model, str(version))
        began = perf_counter()
        with self._in_flight.labels(*labels).track_inprogress():
            try:
                yield
            finally:
                self._requests.labels(*labels).inc()
                self._seconds.labels(*labels).observe(perf_counter() - began)

    def error(self, model: str, version: int, status: int) -> None:
        """Count one request that was not answered with 200."""
        self._errors.labels(model, str(version), str(status)).inc()

    def logged(self, model: str, version: int, rows: int) -> None:
        """Count rows that are in the prediction log."""
        self._rows.labels(model, str(version)).inc(rows)

    def dropped(self, model: str, version: int, reason: str, rows: int) -> None:
        """Count rows that should be in the prediction log and never will be."""
        self._dropped.labels(model, str(version), reason).inc(rows)

    def text(self) -> bytes:
        """The exposition format, version 0.0.4."""
        return generate_latest(self.registry)


class _Standings(Collector):
    def __init__(self, standings: Callable[[], Iterable[Standing]]) -> None:
        self._standings = standings

    def collect(self) -> Iterator[GaugeMetricFamily]:
        ready = GaugeMetricFamily("scorer_ready", "1 if the version can answer, else 0.", labels=LABELS)
        traffic = GaugeMetricFamily("scorer_traffic_percent", "Share of unversioned requests.", labels=LABELS)
        for model, version, is_ready, percent in self._standings():
            ready.add_metric((model, str(version)), float(is_ready))
            traffic.add_metric((model, str(version)), float(percent))
        yield ready
        yield traffic
