"""What somebody does by hand in a demo that stays up, through Airflow's REST API, and what comes of it."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import requests

from demo.readback import registry_aliases, traffic
from demo.schedule import SCORE, failures
from demo.servers import ENDPOINT
from model_lifecycle.stores.hdfs import hdfs_store
from model_lifecycle.stores.ledger import Ledger
from tests.demo.in_browser import in_browser
from tests.servers.airflow_api import AirflowApi, wait_until


class Look:
    """Somebody who looks around in a demo that stays up: asks each system by itself, and presses Airflow's buttons."""

    def __init__(self, summary: dict[str, Any]) -> None:
        at = {name: "http://" + urlsplit(url).netloc for name, url in summary["urls"].items()}
        store = hdfs_store([at["HDFS"]], "/models", uri=summary["store"], user=getpass.getuser())
        self.ledger = Ledger(store, ENDPOINT)
        self.scorer, self.mlflow = SimpleNamespace(url=at["Scorer"]), SimpleNamespace(url=at["MLflow"])
        self.password = json.loads(Path(summary["login"]["password_file"]).read_text())["admin"]
        self.api = AirflowApi(at["Airflow"], "admin", self.password)

    def run(self, dag: str, conf: dict[str, Any]) -> dict[str, Any]:
        """Fill in the form and press the button; what came of it, and how everything stands then."""
        return self.finished(dag, self.api.trigger(dag, conf))

    def finished(self, dag: str, run_id: str) -> dict[str, Any]:
        run = self.api.wait_for_run(dag, run_id)
        tasks = {task["task_id"]: task for task in self.api.tasks(dag, run_id)}
        return {
            **{name: run[name] for name in ("state", "run_type", "conf")},
            "tasks": {name: task["state"] for name, task in tasks.items()},
            "results": {name: self.api.xcom(dag, run_id, name) for name in tasks},
            "failures": failures(self.api, dag, run_id, tasks.values()),
            **self.standing(),
        }

    def standing(self) -> dict[str, Any]:
        release = self.ledger.newest()
        assert release is not None
        assert release.standing.serving is not None
        return {
            "release": release,
            "serving": release.standing.serving.version,
            "traffic": traffic(self),
            "aliases": registry_aliases(self),
        }

    def refusal(self, dag: str, conf: dict[str, Any]) -> str:
        """What a form says that is filled in wrongly; nothing if it is taken."""
        try:
            self.api.trigger(dag, conf)
        except RuntimeError as error:
            return str(error)
        return ""

    def newest(self, dag: str) -> str:
        """The id of the run that was started last, once it was."""
        return max(self.api.runs(dag), key=lambda run: str(run["queued_at"]))["dag_run_id"]

    def first(self, dag: str, *, scheduled: bool) -> str:
        """The id of a DAG's first run that was scheduled, or asked for, once there is one."""

        def ids() -> list[str]:
            return [run["dag_run_id"] for run in self.api.runs(dag) if (run["run_type"] == "scheduled") == scheduled]

        wait_until(lambda: bool(ids()), 120, lambda: f"{dag} has no such run")
        return ids()[0]


WRONG = [
    ("rollback_model", {}, "reason"),
    ("rollback_model", {"reason": ""}, "too short|non-empty"),
    ("promote_model", {"reason": "why", "version": "../3"}, "does not match"),
    ("monitor_flights", {"month": 13}, "greater than the maximum"),
]


def by_hand(summary: dict[str, Any], pictures: Path) -> dict[str, Any]:
    """What somebody does who looks around: one step after the other, each finding what the one before has left."""
    look, bad = Look(summary), str(summary["drill"]["bad_version"])
    done: dict[str, Any] = {
        "password": look.password,
        "pages": {url: requests.get(url, timeout=30).status_code for url in summary["urls"].values()},
        "refused": [look.refusal(dag, conf) for dag, conf, _ in WRONG],
    }
    done["scored"] = [
        {"run_type": run["run_type"], **look.api.xcom(SCORE, run["dag_run_id"], "score")}
        for run in look.api.runs(SCORE)
    ]
    done |= in_browser(look, str(look.standing()["aliases"]["previous"]), bad, pictures)
    done["promoted"] = look.run("promote_model", {"version": bad, "reason": "looks good", "allow_quarantined": True})
    look.api.unpause("monitor_flights")
    done["monitored"] = look.finished("monitor_flights", look.first("monitor_flights", scheduled=True))
    done["retrained"] = look.finished("retrain_flights", look.first("retrain_flights", scheduled=False))
    return done
