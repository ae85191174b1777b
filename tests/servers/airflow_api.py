"""Airflow's REST API as the tests and the demo use it: start runs, watch them, read what the tasks returned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import requests

FINISHED = frozenset({"success", "failed"})
Json = dict[str, Any]


class AirflowApi:
    """A client that logs in by itself, and again when its token has run out.

    :param timeout: seconds that one call may take.
    """

    def __init__(self, url: str, user: str, password: str, timeout: float = 60) -> None:
        self.url, self.timeout = url, timeout
        self._login = {"username": user, "password": password}
        self._session = requests.Session()
        self._session.trust_env = False

    def healthy(self, component: str | None = None) -> bool:
        """Whether the API server answers, or whether it believes another component to be alive."""
        answer = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=5)
        if component is None or answer.status_code != 200:
            return answer.status_code == 200
        return answer.json().get(component.replace("-", "_"), {}).get("status") == "healthy"

    def dags(self) -> set[str]:
        """The DAGs that Airflow has parsed."""
        return {dag["dag_id"] for dag in self.get("dags", limit=100)["dags"]}

    def import_errors(self) -> dict[str, str]:
        """The DAG files that cannot be parsed, and why."""
        return {error["filename"]: error["stack_trace"] for error in self.get("importErrors")["import_errors"]}

    def wait_for_dags(self, names: Iterable[str], timeout: float = 120) -> None:
        """Wait until DAGs are known.

        :raises RuntimeError: as soon as a file cannot be parsed, with the reason, or when the time is over.
        """
        wanted = set(names)

        def known() -> bool:
            if wanted <= self.dags():
                return True
            if errors := self.import_errors():
                raise RuntimeError("\n".join(f"{file}: {trace}" for file, trace in errors.items()))
            return False

        wait_until(known, timeout, lambda: f"Airflow knows {sorted(self.dags())}, not {sorted(wanted - self.dags())}")

    def unpause(self, dag: str) -> None:
        """Let the scheduler run a DAG."""
        self._call("PATCH", f"dags/{dag}", json={"is_paused": False})

    def pause(self, dag: str) -> None:
        """Stop the scheduler from starting runs of a DAG."""
        self._call("PATCH", f"dags/{dag}", json={"is_paused": True})

    def trigger(self, dag: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a manual run and return its id; ``conf`` holds its params."""
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self._call("POST", f"dags/{dag}/dagRuns", json=body)["dag_run_id"])

    def runs(self, dag: str) -> list[Json]:
        """The runs of a DAG, the oldest logical date first."""
        return list(self.get(f"dags/{dag}/dagRuns", limit=100, order_by="run_after")["dag_runs"])

    def run(self, dag: str, run_id: str) -> Json:
        """One run."""
        return self.get(f"dags/{dag}/dagRuns/{run_id}")

    def wait_for_run(self, dag: str, run_id: str, timeout: float = 300) -> Json:
        """Wait until a run has finished, well or badly, and return it."""
        found: Json = {}

        def finished() -> bool:
            found.update(self.run(dag, run_id))
            return found["state"] in FINISHED

        wait_until(finished, timeout, lambda: f"{dag} {run_id} is {found.get('state')}: {self.states(dag, run_id)}")
        return found

    def tasks(self, dag: str, run_id: str) -> list[Json]:
        """The task instances of a run."""
        return list(self.get(f"dags/{dag}/dagRuns/{run_id}/taskInstances", limit=100)["task_instances"])

    def states(self, dag: str, run_id: str) -> dict[str, str | None]:
        """The state of each task of a run; of a mapped task the last one's."""
        return {task["task_id"]: task["state"] for task in self.tasks(dag, run_id)}

    def clear(self, dag: str, run_id: str, tasks: Iterable[str] | None = None) -> list[str]:
        """Clear finished tasks of a run, all of them by default, so that they run again; returns which."""
        body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "reset_dag_runs": True}
        if tasks is not None:
            body["task_ids"] = list(tasks)
        cleared = self._call("POST", f"dags/{dag}/clearTaskInstances", json=body)["task_instances"]
        return sorted(task["task_id"] for task in cleared)

    def mark_failed(self, dag: str, run_id: str, task: str) -> None:
        """Stop a task as somebody does in the UI."""
        self._call("PATCH", f"dags/{dag}/dagRuns/{run_id}/taskInstances/{task}", json={"new_state": "failed"})

    def xcom(self, dag: str, run_id: str, task: str, key: str = "return_value") -> Any:
        """What a task returned, or None if it returned nothing."""
        path = f"dags/{dag}/dagRuns/{run_id}/taskInstances/{task}/xcomEntries/{key}"
        answer = self._request("GET", path, params={"deserialize": "true"})
        return None if answer.status_code == 404 else _json(answer)["value"]

    def log(self, dag: str, run_id: str, task: str, attempt: int = 1) -> str:
        """The log of one try of a task, one event a line."""
        path = f"dags/{dag}/dagRuns/{run_id}/taskInstances/{task}/logs/{attempt}"
        events = self.get(path).get("content", [])
        return "\n".join(str(event.get("event", event)) if isinstance(event, dict) else str(event) for event in events)

    def failure(self, dag: str, run_id: str, task: str, attempt: int) -> str:
        """Why one try of a task failed: the last exception in its log."""
        path = f"dags/{dag}/dagRuns/{run_id}/taskInstances/{task}/logs/{attempt}"
        details = [event.get("error_detail") for event in self.get(path).get("content", []) if isinstance(event, dict)]
        errors = [f"{error['exc_type']}: {error['exc_value']}" for detail in details if detail for error in detail[:1]]
        return errors[-1] if errors else "its log names no exception"

    def get(self, path: str, **params: Any) -> Json:
        """A GET below ``/api/v2``."""
        return self._call("GET", path, params=params)

    def _call(self, method: str, path: str, **options: Any) -> Json:
        return _json(self._request(method, path, **options))

    def _request(self, method: str, path: str, **options: Any) -> requests.Response:
        if "Authorization" not in self._session.headers:
            self._log_in()
        answer = self._session.request(method, f"{self.url}/api/v2/{path}", timeout=self.timeout, **options)
        if answer.status_code == 401:
            self._log_in()
            answer = self._session.request(method, f"{self.url}/api/v2/{path}", timeout=self.timeout, **options)
        return answer

    def _log_in(self) -> None:
        answer = self._session.post(f"{self.url}/auth/token", json=self._login, timeout=self.timeout)
        self._session.headers["Authorization"] = f"Bearer {_json(answer)['access_token']}"


def wait_until(done: Callable[[], bool], timeout: float, story: Callable[[], str], pause: float = 0.5) -> None:
    """Ask until ``done``; network errors count as "not yet".

    :raises RuntimeError: when the time is over, with the story.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            if done():
                return
        except requests.RequestException:
            pass
        time.sleep(pause)
    raise RuntimeError(f"not after {timeout:.0f} s: {story()}")


def _json(answer: requests.Response) -> Json:
    if not answer.ok:
        raise RuntimeError(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:2000]}")
    value: Json = answer.json()
    return value
