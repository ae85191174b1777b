"""Opening the driver of an endpoint's releases from names alone, in a worker or in the triggerer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import conf
from airflow.sdk import BaseHook

from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.trust import TrustPolicy
from model_lifecycle.hooks.registry import registry_hook
from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.hooks.store import open_store
from model_lifecycle.releases.rollout import Rollout
from model_lifecycle.stores.trusted import TrustedStore


def open_rollout(
    endpoint: str,
    *,
    store: str,
    registry_conn_id: str,
    actor: Mapping[str, str],
    trust: Any = None,
    **more: Any,
) -> Rollout:
    """The driver of this endpoint's releases, with everything it needs opened.

    :param store: the URI of the model store that holds the ledger.
    :param trust: what an artifact may hold, as :meth:`TrustPolicy.parse` reads it; by default what the serving
        connection's extra ``trust`` says, or else ``[model_lifecycle] trust``.
    :raises Invalid: if a connection, the store or the policy cannot be used.
    """
    name = Endpoint.parse(endpoint)
    serving = serving_hook(name.conn_id)
    return Rollout(
        name,
        store=TrustedStore(open_store(store), _policy(name.conn_id, trust)),
        serving=serving,
        registry=registry_hook(registry_conn_id),
        actor=actor,
        **more,
    )


def _policy(conn_id: str, trust: Any) -> TrustPolicy:
    said = trust or BaseHook.get_connection(conn_id).extra_dejson.get("trust")
    return TrustPolicy.parse(said or conf.get("model_lifecycle", "trust", fallback=None))
