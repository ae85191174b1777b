"""What MLflow tells of a registered model, and what of it an asset event carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_lifecycle.core.alerts import plain
from model_lifecycle.core.names import check_name

MODEL_ENTITIES = ("registered_model", "model_version", "model_version_tag", "model_version_alias")
"""The rest (prompts, budgets) is no model's."""


def event_of(payload: Mapping[str, Any]) -> tuple[str, dict[str, str]] | None:
    """The model, and what happened to it; None for an event that is about no model.

    Descriptions, tags and sources are left out: whoever needs them asks the registry, which asks who they are.

    :raises Invalid: if the model's name is not allowed.
    """
    if payload["entity"] not in MODEL_ENTITIES:
        return None
    data = payload["data"]
    model = check_name(data.get("name"), "the model's name")
    shown = {"version": "version", "alias": "alias", "about": "key"}
    kept = {name: plain(data[key], 128) for name, key in shown.items() if isinstance(data.get(key), str)}
    return model, {"event": f"{payload['entity']}.{payload['action']}", "model": model, **kept}
