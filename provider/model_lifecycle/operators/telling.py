"""Asset events: what a task has changed, told to the DAGs that wait for it.

Each operator has one outlet that nobody writes by hand, the alias :data:`~model_lifecycle.assets.model.MODEL_EVENTS`.
An alias takes assets whose names are known only when the task runs, tells nothing when nothing has changed, and fails
no task because nobody waits for an asset; a plain outlet does none of the three.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from model_lifecycle.assets.model import MODEL_EVENTS, alias, endpoint
from model_lifecycle.core.errors import ModelLifecycleError
from model_lifecycle.core.models import CHAMPION, PREVIOUS, Endpoint
from model_lifecycle.core.plan import Change
from model_lifecycle.core.release import Release, State, aliases_after

if TYPE_CHECKING:
    from airflow.sdk import Asset, Context

    from model_lifecycle.stores.ledger import Ledger

RECENT = 200
"""How many of an asset's newest events are searched for one that tells the same."""

log = logging.getLogger(__name__)


def tell(context: Context, asset: Asset, event: str, key: str, **facts: Any) -> None:
    """Add an event to those that Airflow stores when the task succeeds, unless it was ever told.

    A try that was killed after it had changed something told nothing, and the next one, which finds nothing to do,
    does; a task that is cleared and run again does not tell it twice.

    :param event: what has happened, in one word.
    :param key: names what has happened; of two events of an asset with one key only the first is told.
    :param facts: JSON values for the event's extra.
    """
    events: Any = context.get("outlet_events")
    if events is None:
        return
    if _was_told(asset, key):
        log.info("%s of %s was told before", event, asset.uri)
        return
    events[MODEL_EVENTS].add(asset, extra={"event": event, "key": key, **facts})


def tell_release(context: Context, ledger: Ledger, release: Release | str) -> None:
    """Tell of a release that is over: of its endpoint, unless it was a promotion, and of the aliases that moved.

    A ledger that cannot be read any more leaves the task as it is: what it did is done.

    :param release: the release, or the key of the task that may have made one.
    """
    try:
        found = ledger.find(release) if isinstance(release, str) else release
        if found is not None and found.state in (State.SUCCEEDED, State.ROLLED_BACK):
            _tell_release(context, found, _moved(ledger, found))
    except ModelLifecycleError as error:
        log.warning("Nobody could be told of the release: %s", error)


def _tell_release(context: Context, release: Release, moved: Mapping[str, int | None]) -> None:
    event, facts = _event(release), _facts(release)
    model = Endpoint.parse(release.plan.endpoint).model
    if event != "promotion":
        tell(context, endpoint(release.plan.endpoint), event, release.id, **facts)
    for name, version in moved.items():
        tell(context, alias(model, name), event, release.id, **{**facts, "alias": name, "version": version})


def _moved(ledger: Ledger, release: Release) -> dict[str, int | None]:
    if release.plan.change is Change.DEPLOY and release.state is State.SUCCEEDED:
        return {}
    after, before = aliases_after(_until(ledger, release.opened)), aliases_after(_until(ledger, release.opened - 1))
    if release.plan.change is Change.PROMOTE:
        return {name: version for name, version in after.items() if version is not None}
    return {name: after[name] for name in (CHAMPION, PREVIOUS) if after[name] != before[name]}


def _until(ledger: Ledger, generation: int) -> Iterator[Release]:
    return (one for one in ledger.releases() if one.opened <= generation)


def _event(release: Release) -> str:
    if release.state is State.ROLLED_BACK:
        return "rollback"
    return {Change.DEPLOY: "release", Change.PROMOTE: "promotion"}.get(release.plan.change, "rollback")


def _facts(release: Release) -> dict[str, Any]:
    serving, before = release.standing.serving, release.plan.before.serving
    verdicts = [entry.evidence["verdict"] for entry in release.entries if entry.evidence.get("verdict")]
    return {
        "release": release.id,
        "endpoint": release.plan.endpoint,
        "model": Endpoint.parse(release.plan.endpoint).model,
        "version": serving.version if serving else None,
        "digest": serving.digest if serving else None,
        "from": before.version if before else None,
        "verdict": str(verdicts[-1]) if verdicts else None,
        "reason": release.reason,
        "state": str(release.state),
    }


def _was_told(asset: Asset, key: str) -> bool:
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.context import InletEventsAccessors

    found: Any = InletEventsAccessors([asset])[asset]
    if hasattr(found, "limit"):
        found = found.ascending(False).limit(RECENT)
    try:
        return any((event.extra or {}).get("key") == key for event in found)
    except AirflowRuntimeError as error:
        log.warning("Whether it was told before cannot be found out: %s", error)
        return False
