"""What an asset's events tell, each fact once.

Every event that a task or a watcher of ours tells carries a key in its extra, or in its payload, that is equal whenever
the same fact is told. A triggerer that is killed after Airflow has stored an event, and before the watcher was told so,
tells it once more: Airflow 3.3 gives a trigger no way to read what is stored. A task can.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Asset, Context

RECENT = 200
"""How many of an asset's newest events are searched for one that tells the same."""


def new_events(asset: Asset, context: Context | None = None) -> list[dict[str, Any]]:
    """The facts of an asset that started this run, oldest first: each once, and none that an earlier event told.

    Empty if the run was started by a repetition, or by other assets only. A task that is cleared and runs again gets
    the same answer.

    :param context: the task's context; that of the running task by default.
    :returns: what a task told as the event's extra, or a watcher as its payload.
    :raises AirflowRuntimeError: if Airflow does not say what was told before.
    """
    from airflow.sdk import get_current_context

    told = (context or get_current_context())["triggering_asset_events"].get(asset, ())
    ours = sorted(told, key=lambda event: event.timestamp)
    if not ours:
        return []
    known = {fact(event).get("key") for event in recent_events(asset) if event.timestamp < ours[0].timestamp}
    found = []
    for event in ours:
        one = fact(event)
        key = one.get("key")
        if key is None or key not in known:
            found.append(one)
            known.add(key)
    return found


def fact(event: Any) -> dict[str, Any]:
    """What an event tells, whoever told it: its extra, or the payload in it where a watcher told it."""
    extra = dict(event.extra or {})
    payload = extra.get("payload")
    return dict(payload) if extra.get("from_trigger") and isinstance(payload, Mapping) else extra


def recent_events(asset: Asset) -> list[Any]:
    """The newest events of an asset that Airflow has stored, newest first where it can sort them."""
    from airflow.sdk.execution_time.context import InletEventsAccessors

    found: Any = InletEventsAccessors([asset])[asset]
    return list(found.ascending(False).limit(RECENT) if hasattr(found, "limit") else found)
