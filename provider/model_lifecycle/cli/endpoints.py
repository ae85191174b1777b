"""``status`` and ``history``: what the ledger says, beside what can be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from model_lifecycle.cli.frame import Row, command, store_of
from model_lifecycle.core.errors import ModelLifecycleError, NotFound
from model_lifecycle.core.history import serving_since, timeline
from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.telling import health
from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.ledger import Ledger


@command
def status(args: Any) -> Sequence[Row]:
    """Every endpoint of the store, or those named; one that cannot be asked is a row that says so."""
    store = store_of(args)
    return [endpoint_row(store, Endpoint.parse(name)) for name in args.endpoint or sorted(store.logs())]


@command
def history(args: Any) -> Sequence[Row]:
    """The entries of the newest releases, oldest first."""
    releases = Ledger(store_of(args), Endpoint.parse(args.endpoint)).releases()
    found = list(islice(releases, max(1, args.limit)))
    if not found:
        raise NotFound("nothing was ever released on this endpoint", target=args.endpoint)
    return [row for release in reversed(found) for row in timeline(release)]


def endpoint_row(store: ModelStore, endpoint: Endpoint) -> dict[str, Any]:
    """What serves on one endpoint by the ledger, what its serving system says now, and how well the two agree."""
    ledger = Ledger(store, endpoint)
    newest = ledger.newest()
    if newest is None:
        raise NotFound("nothing was ever released on this endpoint", target=str(endpoint))
    serving, since = newest.standing.serving, serving_since(ledger.releases())
    traffic, states, problem = _seen(endpoint)
    found = health(newest, traffic, states, problem)
    back = newest.standing.below(serving.version) if serving else None
    return {
        "endpoint": str(endpoint),
        "serves": serving.version if serving else None,
        "since": since.isoformat(timespec="seconds") if since else None,
        "traffic": None if traffic is None else {str(version): share for version, share in sorted(traffic.items())},
        "newest_release": f"{newest.plan.change} {newest.plan.target.version}: {newest.state}",
        "reason": newest.reason,
        "way_back": back.version if back else None,
        "health": found["word"],
        "problems": found["reasons"],
    }


def _seen(endpoint: Endpoint) -> tuple[Mapping[int, int] | None, Mapping[int, str] | None, str]:
    """Traffic and states by version, or why they are not known."""
    try:
        hook = serving_hook(endpoint.conn_id)
        states = {version: str(state) for version, state in hook.versions(endpoint.model).items()}
        return hook.traffic(endpoint.model), states, ""
    except ModelLifecycleError as error:
        return None, None, str(error)
