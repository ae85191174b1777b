"""The contract of whatever counts the requests of an endpoint, version by version."""

from __future__ import annotations

from abc import ABC, abstractmethod

from model_lifecycle.core.counts import Counts


class MetricsHook(ABC):
    """A source of numbers about versions: a router, a model server that counts by version, a metric system.

    A gate compares two versions that serve at the same time, so what it needs of a source is the counts of both at
    one instant, not one number.
    """

    @abstractmethod
    def counts(self, model: str) -> dict[int, Counts]:
        """What each version was asked since its counter began; a version that was never asked may be missing.

        Counters only rise, and begin again at zero when their system is restarted.

        :raises Unavailable: if the system does not answer; no data is not the same (Law 6).
        """
