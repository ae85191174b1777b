"""Wait until a window of data was judged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from model_lifecycle.core.windows import check_kind
from model_lifecycle.sensors.base import ModelSensor
from model_lifecycle.triggers.drift import DriftTrigger


class ModelDriftSensor(ModelSensor):
    """Wait until :class:`~model_lifecycle.operators.drift.ModelDriftOperator`, in whichever DAG, has judged a window.

    :param name: under which its windows are kept: the model's name, unless another was given there.
    :param store: URI of the model store.
    :param window_start: when the window begins; the data interval's start by default.
    :param window: what it was compared with.
    :returns: ``window``, ``failed``, ``persisted``, ``drifted`` (columns) and ``verdicts`` by check.
    """

    template_fields: Sequence[str] = ("name", "store", "window_start", "window")
    trigger_class = DriftTrigger

    def __init__(
        self,
        *,
        name: str,
        store: str,
        window_start: str | datetime = "{{ data_interval_start.isoformat() }}",
        window: str = "training",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.store = store
        self.window_start = window_start
        self.window = window

    def question(self) -> dict[str, Any]:
        """What to ask the store."""
        start = self.window_start.isoformat() if isinstance(self.window_start, datetime) else self.window_start
        return {"store": self.store, "name": self.name, "window_start": start, "window": check_kind(self.window)}
