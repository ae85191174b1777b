"""Follow a DAG's runs while a real scheduler works them off, then read what came of each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import requests
from rich.markup import escape

from demo.screen import Board, Screen
from demo.servers import Servers
from model_lifecycle.core.metrics import HIGHER_IS_BETTER
from model_lifecycle.core.models import ModelUri
from tests.servers.airflow_api import FINISHED, AirflowApi

RETRAIN, SCORE = "retrain_flights", "score_flights"
OUTCOMES = {"promote": "promoted", "roll_back": "rolled back", "keep_champion": "champion kept"}
"""The task with which a run ends, and what that means."""


def follow(screen: Screen, api: AirflowApi, dag: str, expected: int, timeout: float) -> list[dict[str, Any]]:
    """Show a DAG's runs until so many have finished, and return them.

    :raises RuntimeError: if they have not after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    with Board(screen) as board:
        while time.monotonic() < deadline:
            runs = _show(board, api, dag)
            if len(runs) >= expected and all(run["state"] in FINISHED for run in runs):
                return runs
            time.sleep(1)
    raise RuntimeError(f"{dag}: {expected} runs have not finished after {timeout:.0f} s")


def follow_one(
    screen: Screen, api: AirflowApi, dag: str, run_id: str, timeout: float, name: str = ""
) -> dict[str, Any]:
    """Show one run until it has finished, under its DAG's name or another, and return it.

    :raises RuntimeError: if it has not after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    with Board(screen) as board:
        while time.monotonic() < deadline:
            run = _retried(lambda: api.run(dag, run_id))
            if run:
                board.show(name or dag, run["state"], _doing(api, dag, run), _seconds(run))
                if run["state"] in FINISHED:
                    return run
            time.sleep(1)
    raise RuntimeError(f"{dag} {run_id} has not finished after {timeout:.0f} s")


def scored(api: AirflowApi, expected: int, timeout: float = 120) -> list[int]:
    """The champions that the DAG which waits for new ones has scored with, in the order of its runs.

    It is waited for so many runs; after ``timeout`` seconds those count that there are.
    """
    deadline = time.monotonic() + timeout
    runs: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        runs = _retried(lambda: api.runs(SCORE)) or []
        if len(runs) >= expected and all(run["state"] in FINISHED for run in runs):
            break
        time.sleep(1)
    found = [api.xcom(SCORE, run["dag_run_id"], "score") for run in runs if run["state"] == "success"]
    return [one["version"] for one in found if one]


def _show(board: Board, api: AirflowApi, dag: str) -> list[dict[str, Any]]:
    runs = _retried(lambda: api.runs(dag)) or []
    for run in runs:
        if not board.ended(month_of(run), run["state"]):
            board.show(month_of(run), run["state"], _doing(api, dag, run), _seconds(run))
    return runs


def _retried(ask: Any) -> Any:
    """A busy API server may be late once; the next look tells."""
    try:
        return ask()
    except requests.RequestException:
        return None


def _doing(api: AirflowApi, dag: str, run: dict[str, Any]) -> str:
    """The tasks that run or wait; of a failed run those that failed, of a good one what came of it."""
    tasks = _retried(lambda: api.states(dag, run["dag_run_id"])) or {}
    if run["state"] == "success":
        return _outcome(tasks)
    if run["state"] == "failed":
        return ", ".join(name for name, state in tasks.items() if state == "failed")
    waits = {"running": "", "deferred": " (waits)", "up_for_retry": " (will be tried again)"}
    return ", ".join(f"{name}{waits[state]}" for name, state in tasks.items() if state in waits)


def _outcome(tasks: Mapping[str, str | None]) -> str:
    return next((text for task, text in OUTCOMES.items() if tasks.get(task) == "success"), "")


def month_of(run: dict[str, Any]) -> str:
    """The month that a scheduled run is about, ``2013-03``; a manual run's id."""
    return str(run["logical_date"] or run["dag_run_id"])[:7]


def _seconds(run: dict[str, Any]) -> float:
    if not run["start_date"]:
        return 0.0
    end = datetime.fromisoformat(run["end_date"]) if run["end_date"] else datetime.now(UTC)
    return (end - datetime.fromisoformat(run["start_date"])).total_seconds()


def months(servers: Servers, runs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What came of each run: from Airflow what its tasks returned, from the ledger what served after it."""
    served = serving_after_runs(servers)
    found, serving = [], None
    for run in runs:
        serving = served.get(run["dag_run_id"], serving)
        found.append({**_month(servers.airflow.api, run), "serving": serving})
    return found


def _month(api: AirflowApi, run: dict[str, Any]) -> dict[str, Any]:
    run_id = run["dag_run_id"]
    uri = api.xcom(RETRAIN, run_id, "register")
    evaluated, monitored = (api.xcom(RETRAIN, run_id, task) or {} for task in ("evaluate", "monitor"))
    measured = next(iter(evaluated.get("measurements", [])), {})
    details = measured.get("details", {})
    tasks = api.tasks(RETRAIN, run_id)
    states = {task["task_id"]: task["state"] for task in tasks}
    return {
        "month": month_of(run),
        "run_id": run_id,
        "state": run["state"],
        "seconds": round(_seconds(run), 1),
        "version": ModelUri.parse(uri).version if uri else None,
        "metric": evaluated.get("metric"),
        "candidate": (details.get("candidate") or {}).get("value"),
        "rival": (details.get("champion") or {}).get("value"),
        "baseline": details.get("baseline"),
        "evaluated": evaluated.get("verdict"),
        "monitored": monitored.get("verdict"),
        "drifted": monitored.get("drifted", []),
        "outcome": _outcome(states) or "unfinished",
        "failures": failures(api, RETRAIN, run_id, tasks),
    }


def failures(api: AirflowApi, dag: str, run_id: str, tasks: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The tasks of a run that failed, and why."""
    failed = [task for task in tasks if task["state"] == "failed"]
    return {task["task_id"]: api.failure(dag, run_id, task["task_id"], task["try_number"]) for task in failed}


def serving_after_runs(servers: Servers) -> dict[str, int | None]:
    """For each run that changed the endpoint the version that served after it, as the ledger tells."""
    served: dict[str, int | None] = {}
    for release in servers.ledger.releases():
        run_id = release.entries[0].actor.get("run", "")
        serving = release.standing.serving
        served.setdefault(run_id, serving.version if serving else None)
    return served


def show_failures(screen: Screen, run: str, found: Mapping[str, str]) -> None:
    """Why tasks of a run failed, for whoever has to mend it."""
    for task, reason in found.items():
        screen.line(f"  [red]{run} {task}:[/] {escape(reason[:500])}")


def show_months(screen: Screen, found: Iterable[dict[str, Any]]) -> None:
    """The table at the end."""
    rows = [
        (
            month["month"],
            month["version"] or "-",
            _against(month),
            month["evaluated"] or "-",
            month["monitored"] or "-",
            month["outcome"],
            f"version {month['serving']}" if month["serving"] else "-",
        )
        for month in found
    ]
    metric = next((month["metric"] for month in found if month["metric"]), "metric")
    columns = ("month", "version", f"{metric} : champion's", "evaluated", "monitored", "outcome", "serves")
    screen.table(columns, rows)
    better = "more" if metric in HIGHER_IS_BETTER else "less"
    screen.line(
        f"  [dim]{metric}: {better} is better; judged on the month's own flights, which neither model has learnt[/]"
    )


def _against(month: dict[str, Any]) -> str:
    if month["candidate"] is None:
        return "-"
    if month["rival"] is None:
        return f"{month['candidate']:.4f}"
    baseline = "" if month["baseline"] == "champion" else f" ({month['baseline']})"
    return f"{month['candidate']:.4f} : {month['rival']:.4f}{baseline}"
