"""Waiting for what was decided about a window of data."""

from __future__ import annotations

import json
from typing import Any

from model_lifecycle.core.errors import Corrupt, NotFound
from model_lifecycle.core.windows import parse_start, verdict_folder, window_id
from model_lifecycle.hooks.store import open_store
from model_lifecycle.triggers.poll import PollTrigger


def ask_verdict(*, store: str, name: str, window_start: str, window: str) -> dict[str, Any] | None:
    """The newest verdict about a window, once there is one."""
    opened, moment = open_store(store), window_id(parse_start(window_start))
    try:
        uri = opened.newest_document(verdict_folder(name, moment, window))
    except NotFound:
        return None
    try:
        kept = json.loads(opened.read_document(uri))
        return {"window": moment, **{key: kept[key] for key in ("failed", "persisted", "drifted", "verdicts")}}
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"the verdict of {moment} cannot be read: {error!r}", target=uri) from error


class DriftTrigger(PollTrigger):
    """Waits for a window's verdict; see :class:`model_lifecycle.sensors.drift.ModelDriftSensor`."""

    ask = staticmethod(ask_verdict)
    asked = "store"
