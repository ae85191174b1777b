"""Clear finished runs and run them again, training included: nothing may change."""

from __future__ import annotations

from typing import Any

from demo.readback import standing
from demo.schedule import RETRAIN, failures, follow_one, month_of, show_failures
from demo.screen import Screen
from demo.servers import Servers


def rerun(screen: Screen, servers: Servers, run_ids: list[str], timeout: float) -> dict[str, Any]:
    """Repeat whole runs, compare what stands before and after, and return both."""
    api = servers.airflow.api
    before = standing(servers)
    repeated = {}
    for run_id in run_ids:
        tried = {task["task_id"]: task["try_number"] for task in api.tasks(RETRAIN, run_id)}
        cleared = api.clear(RETRAIN, run_id)
        run = follow_one(screen, api, RETRAIN, run_id, timeout, name=month_of(api.run(RETRAIN, run_id)))
        again = [task["task_id"] for task in api.tasks(RETRAIN, run_id) if task["try_number"] > tried[task["task_id"]]]
        show_failures(screen, run_id, failures(api, RETRAIN, run_id, api.tasks(RETRAIN, run_id)))
        repeated[run_id] = {"state": run["state"], "cleared": cleared, "ran_again": sorted(again)}
        well = run["state"] == "success" and "train" in again
        screen.check(well, f"{month_of(run)} ran again", f"{len(again)} tasks, {run['state']}")
    after = standing(servers)
    for name, value in before.items():
        shown = len(value) if isinstance(value, list) else value
        screen.check(after[name] == value, f"running again changed nothing: {name.replace('_', ' ')}", shown)
    return {"runs": repeated, "before": before, "after": after}
