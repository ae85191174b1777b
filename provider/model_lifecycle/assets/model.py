"""The scheme ``model://``: the assets of a model, on which DAGs are scheduled.

==========================================  ==========================================================================
``model://<model>``                         its versions; an event says that one was registered
``model://<model>/<alias>``                 what an alias names; an event says that it was moved
``model://<model>/endpoints/<conn_id>``     the endpoint ``<conn_id>/<model>``; an event says that what serves changed
``model://<model>/events/artifacts``        its artifacts in the model store; an event says that one was published
``model://<model>/events/registry``         what was seen to change in the registry, whoever changed it
``model://<model>/events/alerts``           alerts about it
==========================================  ==========================================================================

An asset's name is its URI. Names keep their letters' case and are those of :mod:`model_lifecycle.core.names`, so an
asset that is spelt wrong is an import error of its DAG and not a DAG that never runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow.sdk import Asset, AssetAlias

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.models import CHALLENGER, CHAMPION, PREVIOUS, Endpoint
from model_lifecycle.core.names import check_name

try:
    from airflow.sdk.definitions.asset import Model
except ImportError:  # an Airflow that knows assets only
    Model = Asset  # type: ignore[misc,assignment]

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.sdk import AssetWatcher

SCHEME = "model"
ARTIFACTS, REGISTRY, ALERTS = "artifacts", "registry", "alerts"
ENDPOINTS, EVENTS = "endpoints", "events"

MODEL_EVENTS = AssetAlias("model-lifecycle")
"""Every event that our tasks tell has this alias; a DAG scheduled on it runs after any change of any model."""


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """What Airflow calls for every asset whose URI has the scheme ``model``.

    :raises ValueError: if the URI is none of the table above, or holds a name outside the allow-list.
    """
    parts = [part for part in uri.path.split("/") if part]
    try:
        if uri.query or uri.fragment or len(parts) > 2:
            raise Invalid("it has more parts than a model has assets")
        check_name(uri.netloc, "model name")
        _check_parts(parts)
    except Invalid as error:
        hint = "model://<model>, model://<model>/<alias> or model://<model>/endpoints/<conn_id>"
        raise ValueError(f"{ascii(uri.geturl())[:200]} is no asset of a model: {error}; write {hint}") from error
    return uri._replace(path="".join(f"/{part}" for part in parts))


def _check_parts(parts: list[str]) -> None:
    if len(parts) == 1:
        if parts[0] in (ENDPOINTS, EVENTS):
            raise Invalid(f"{parts[0]} is no alias")
        check_name(parts[0], "alias")
    elif parts and parts[0] == ENDPOINTS:
        check_name(parts[1], "serving connection")
    elif parts and (parts[0] != EVENTS or parts[1] not in (ARTIFACTS, REGISTRY, ALERTS)):
        raise Invalid(f"{'/'.join(parts)} is nothing that a model has")


def asset_uri(model: str, *parts: str) -> str:
    """The URI of an asset of a model.

    :raises Invalid: if it is none of the table above, or a name is not allowed.
    """
    named = [check_name(part, "name in an asset's URI") for part in parts]
    uri = "/".join((f"{SCHEME}://{check_name(model, 'model name')}", *named))
    try:
        return sanitize_uri(urlsplit(uri)).geturl()
    except ValueError as error:
        raise Invalid(str(error)) from error


def create_asset(
    *, model: str, alias: str | None = None, endpoint: str | None = None, extra: dict[str, Any] | None = None
) -> Asset:
    """What Airflow calls for hook lineage: the asset of a model's versions, of an alias, or of an endpoint.

    :param endpoint: the serving connection of the endpoint.
    """
    parts = (ENDPOINTS, endpoint) if endpoint else (alias,) if alias else ()
    return _asset(model, *parts, extra=extra)


def convert_asset_to_openlineage(asset: Asset, lineage_context: object) -> Dataset:
    """The asset as OpenLineage names it: namespace ``model``, name ``<model>`` and what of it.

    :param lineage_context: the hook or operator that Airflow hands over; the name does not depend on it.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset

    return Dataset(namespace=SCHEME, name=asset.uri.removeprefix(f"{SCHEME}://"))


def versions(model: str, watchers: Sequence[AssetWatcher] = ()) -> Asset:
    """The versions of a model: a DAG scheduled on it runs when one of our tasks has registered one."""
    return _asset(model, watchers=watchers)


def alias(model: str, name: str, watchers: Sequence[AssetWatcher] = ()) -> Asset:
    """What an alias of a model names: a DAG scheduled on it runs when one of our tasks has moved it."""
    return _asset(model, name, watchers=watchers)


def champion(model: str, watchers: Sequence[AssetWatcher] = ()) -> Asset:
    """The champion of a model: a DAG scheduled on it runs after a promotion, and after a rollback of the champion."""
    return alias(model, CHAMPION, watchers)


def challenger(model: str, watchers: Sequence[AssetWatcher] = ()) -> Asset:
    """The version that is to become champion."""
    return alias(model, CHALLENGER, watchers)


def previous(model: str, watchers: Sequence[AssetWatcher] = ()) -> Asset:
    """The version that a rollback would bring back."""
    return alias(model, PREVIOUS, watchers)


def endpoint(name: str, watchers: Sequence[AssetWatcher] = ()) -> Asset:
    """An endpoint, ``<serving_conn_id>/<model>``: a DAG scheduled on it runs when what serves there has changed."""
    found = Endpoint.parse(name)
    return _asset(found.model, ENDPOINTS, found.conn_id, watchers=watchers)


def artifacts(model: str, watchers: Sequence[AssetWatcher] = ()) -> Asset:
    """The artifacts of a model: a DAG scheduled on it runs when one was published."""
    return _asset(model, EVENTS, ARTIFACTS, watchers=watchers)


def registry_changes(model: str, watchers: Sequence[AssetWatcher] = ()) -> Asset:
    """What changes in the registry, whoever changes it: told by watchers and by MLflow's webhooks."""
    return _asset(model, EVENTS, REGISTRY, watchers=watchers)


def alerts(model: str, watchers: Sequence[AssetWatcher] = ()) -> Asset:
    """Alerts about a model that ask for no rollback."""
    return _asset(model, EVENTS, ALERTS, watchers=watchers)


def _asset(
    model: str, *parts: str, extra: dict[str, Any] | None = None, watchers: Sequence[AssetWatcher] = ()
) -> Asset:
    uri = asset_uri(model, *parts)
    return Model(name=uri, uri=uri, extra=extra, watchers=list(watchers))
