"""The drill: a version with a real defect goes live and is rolled back while callers go on asking."""

from __future__ import annotations

from textwrap import shorten
from typing import Any

from rich.markup import escape

from demo.callers import Callers
from demo.readback import example
from demo.schedule import failures, follow_one, show_failures
from demo.screen import Screen
from demo.servers import MODEL, Servers
from model_lifecycle.core.release import Release, State

DRILL = "bad_release_drill"


def drill(screen: Screen, servers: Servers, timeout: float) -> dict[str, Any]:
    """Run it, show what the ledger says about it, check it, and return what happened."""
    before = servers.ledger.newest()
    if before is None or before.standing.serving is None:
        screen.check(False, "something serves before the drill")
        return {}
    served = before.standing.serving
    columns = example(servers.store, served.artifact_uri)
    api = servers.airflow.api
    api.unpause(DRILL)
    with Callers(servers.scorer.url, MODEL, columns) as callers:
        run = follow_one(screen, api, DRILL, api.trigger(DRILL), timeout)
    releases = [one for one in servers.ledger.releases() if one.opened > before.generation][::-1]
    bad = next((one.plan.target.version for one in releases), None)
    _show_releases(screen, releases)
    after = servers.ledger.newest()
    serving = after.standing.serving.version if after and after.standing.serving else None
    found = {
        "run_id": run["dag_run_id"],
        "state": run["state"],
        "bad_version": bad,
        "serving_before": served.version,
        "serving_after": serving,
        "releases": [one.to_dict() for one in releases],
        "requests": callers.requests,
        "failed_requests": callers.failed,
        "errors": callers.errors,
        "answered_by_version": dict(callers.answered),
    }
    found["failures"] = failures(api, DRILL, run["dag_run_id"], api.tasks(DRILL, run["dag_run_id"]))
    show_failures(screen, "drill", found["failures"])
    _check(screen, found, releases)
    return found


def _show_releases(screen: Screen, releases: list[Release]) -> None:
    for release in releases:
        screen.line(f"  [dim]{release.id}: {release.plan.change} version {release.plan.target.version}[/]")
        for entry in release.entries:
            reason = escape(shorten(entry.reason, 108, placeholder=" ..."))
            screen.line(f"  [dim]  {entry.at:%H:%M:%S} {entry.state:13} {reason}[/]")


def _check(screen: Screen, found: dict[str, Any], releases: list[Release]) -> None:
    bad, before, after = found["bad_version"], found["serving_before"], found["serving_after"]
    answered = found["answered_by_version"]
    screen.check(found["state"] == "success", "the drill's run succeeded", found["state"])
    screen.check(bad not in (None, before), "a version with a defect was deployed", f"version {bad}")
    screen.check(answered.get(str(bad), 0) > 0, "it answered real requests", f"{answered.get(str(bad), 0)} of them")
    rolled_back = any(release.state is State.ROLLED_BACK for release in releases)
    screen.check(rolled_back and after == before, "it was rolled back", f"version {after} serves again")
    screen.check(
        found["failed_requests"] == 0 and found["requests"] > 0,
        "callers saw no error",
        f"{found['failed_requests']} of {found['requests']} requests failed",
    )
