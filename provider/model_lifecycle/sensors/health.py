"""Wait until a model has been healthy for a while."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

from model_lifecycle.core.spans import bound
from model_lifecycle.hooks.metrics import DEFAULT_CONNECTION, metrics_connection
from model_lifecycle.sensors.base import ModelSensor
from model_lifecycle.triggers.health import HealthTrigger

SLACK = 10.0
"""Seconds before the time-out in which the last look must end."""


class ModelHealthSensor(ModelSensor):
    """Wait until a number of a metric system has stayed within its limits for a while, and not only at one instant.

    A number out of its limits, or a gap of more than two steps, begins the wait anew. No data is never health, and a
    metric system that is away is asked again; the last look before the time-out fails the task and says which it was.

    :param query: an expression that has one series at most.
    :param minimum: the least it may be. :param maximum: the most.
    :param lasting: for how long.
    :param step: between two numbers; the interval of the scrapes, or more.
    :param metrics_conn_id: the connection of the metric system; ``[model_lifecycle] metrics_conn_id`` or
        ``prometheus_default`` by default.
    :returns: the span with its lowest and highest number, JSON.
    """

    template_fields: Sequence[str] = ("query", "minimum", "maximum", "metrics_conn_id")
    trigger_class = HealthTrigger

    def __init__(
        self,
        *,
        query: str,
        minimum: float | str | None = None,
        maximum: float | str | None = None,
        lasting: timedelta = timedelta(minutes=5),
        step: timedelta = timedelta(seconds=15),
        metrics_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.query = query
        self.minimum = minimum
        self.maximum = maximum
        self.lasting = lasting
        self.step = step
        self.metrics_conn_id = metrics_conn_id

    def question(self) -> dict[str, Any]:
        """What to ask the metric system."""
        return {
            "metrics_conn_id": metrics_connection(self.metrics_conn_id) or DEFAULT_CONNECTION,
            "query": self.query,
            "minimum": bound(self.minimum, "minimum"),
            "maximum": bound(self.maximum, "maximum"),
            "lasting": self.lasting.total_seconds(),
            "step": self.step.total_seconds(),
            "deadline": self._deadline,
        }

    @cached_property
    def _deadline(self) -> float:
        """When no further look fits before the time-out."""
        timeout = float(self.timeout)
        return time.time() + max(timeout - float(self.poke_interval) - SLACK, timeout / 2)
