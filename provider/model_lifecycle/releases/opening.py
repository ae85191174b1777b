"""Opening the driver of an endpoint's releases from names alone, in a worker or in the triggerer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_lifecycle.core.models import Endpoint
from model_lifecycle.hooks.registry import registry_hook
from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.hooks.store import open_store
from model_lifecycle.releases.rollout import Rollout


def open_rollout(endpoint: str, *, store: str, registry_conn_id: str, actor: Mapping[str, str], **more: Any) -> Rollout:
    """The driver of this endpoint's releases, with everything it needs opened.

    :param store: the URI of the model store that holds the ledger.
    :raises Invalid: if a connection or the store cannot be used.
    """
    name = Endpoint.parse(endpoint)
    return Rollout(
        name,
        store=open_store(store),
        serving=serving_hook(name.conn_id),
        registry=registry_hook(registry_conn_id),
        actor=actor,
        **more,
    )
