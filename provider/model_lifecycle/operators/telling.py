"""Asset events: what a task has changed, told to the DAGs that wait for it.

Each operator has one outlet that nobody writes by hand, the alias :data:`~model_lifecycle.assets.model.MODEL_EVENTS`.
An alias takes assets whose names are known only when the task runs, tells nothing when nothing has changed, and fails
no task because nobody waits for an asset; a plain outlet does none of the three.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRuntimeError

from model_lifecycle.assets.events import fact, recent_events
from model_lifecycle.assets.model import MODEL_EVENTS, alias, champion, endpoint
from model_lifecycle.core.errors import ModelLifecycleError
from model_lifecycle.core.models import CHAMPION, PREVIOUS, Endpoint
from model_lifecycle.core.plan import Change
from model_lifecycle.core.release import Release, State, aliases_after
from model_lifecycle.operators.base import task_key

if TYPE_CHECKING:
    from airflow.sdk import Asset, Context

    from model_lifecycle.stores.ledger import Ledger

REMEMBERED = timedelta(days=1)
"""How old the end of a release may be to be told still: Airflow may have forgotten what it stored before."""

OTHERS = timedelta(minutes=1)
"""How long a task whose release is over may take to succeed, and so to tell of it, before others do."""

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
    try:
        told = _told(asset)
    except AirflowRuntimeError as error:
        log.warning("Whether it was told before cannot be found out: %s", error)
        told = set()
    if key in told:
        log.info("%s of %s was told before", event, asset.uri)
        return
    events[MODEL_EVENTS].add(asset, extra={"event": event, "key": key, **facts})


def tell_releases(context: Context, open_ledger: Callable[[], Ledger]) -> None:
    """Tell of an endpoint's releases that are over: of the endpoint unless it was a promotion, of aliases that moved.

    Also of those that others drove and could not tell of, such as a release that its own checks rolled back: Airflow
    stores no event of a task that fails. Where the ledger, or Airflow, cannot be read any more the task stays as it is:
    what it did is done, and the next one tells.

    :param open_ledger: of the endpoint; what it raises is the task's failure as little as what reading it raises.
    """
    events: Any = context.get("outlet_events")
    if events is None:
        return
    try:
        ledger = open_ledger()
        for release in reversed(list(_untold(ledger, task_key(context)))):
            for asset, extra in _events(ledger, release):
                events[MODEL_EVENTS].add(asset, extra=extra)
    except (ModelLifecycleError, AirflowRuntimeError) as error:
        log.warning("Nobody could be told of the releases: %s", error)


def _untold(ledger: Ledger, key: str) -> Iterator[Release]:
    """The releases that are over, not long ago, and that no event tells of; the newest first.

    :param key: of the task that tells. What another task is about to tell is left to it for a while.
    """
    told = _told(endpoint(str(ledger.endpoint))) | _told(champion(ledger.endpoint.model))
    now = datetime.now(UTC)
    for entry in ledger.last_entries():
        if entry.at < now - REMEMBERED:
            return
        if entry.state in (State.SUCCEEDED, State.ROLLED_BACK) and entry.release not in told:
            release = ledger.release_of(entry)
            if entry.belongs_to(key) or entry.at < now - OTHERS or _has_failed_its_task(release):
                yield release


def _has_failed_its_task(release: Release) -> bool:
    return release.plan.change is Change.DEPLOY and release.state is State.ROLLED_BACK and not release.last.asked_by


def _told(asset: Asset) -> set[Any]:
    """The keys of what was told of an asset."""
    return {fact(event).get("key") for event in recent_events(asset)}


def _events(ledger: Ledger, release: Release) -> Iterator[tuple[Asset, dict[str, Any]]]:
    model = Endpoint.parse(release.plan.endpoint).model
    extra = {"event": _event(release), "key": release.id, **_facts(release)}
    if extra["event"] != "promotion":
        yield endpoint(release.plan.endpoint), extra
    for name, version in _moved(ledger, release).items():
        yield alias(model, name), {**extra, "alias": name, "version": version}


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
        "abandons": release.plan.abandons if release.state is State.ROLLED_BACK else None,
        "verdict": str(verdicts[-1]) if verdicts else None,
        "reason": release.reason,
        "state": str(release.state),
    }
