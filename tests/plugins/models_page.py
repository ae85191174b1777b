"""An API server with a user of every role, and a model's life behind it, for the tests of the Models page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.servers.airflow import AirflowServer

ROOT = Path(__file__).parents[2]
ROLES = ("admin", "op", "user", "viewer")
USERS = {role: ("admin" if role == "admin" else f"a-{role}") for role in ROLES}
DAGS = ("rollback_model", "promote_model")
PREFIX = "/model-lifecycle/models"


@dataclass
class ModelsPage:
    """The page as its users meet it."""

    airflow: AirflowServer
    tokens: dict[str, str]

    def headers(self, role: str) -> dict[str, str]:
        return {} if role == "nobody" else {"Authorization": f"Bearer {self.tokens[role]}"}

    def ask(self, path: str, role: str = "viewer", **params: Any) -> requests.Response:
        return requests.get(f"{self.airflow.url}{PREFIX}/{path}", headers=self.headers(role), params=params, timeout=60)

    def told(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self.ask(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def press(self, path: str, body: Any, role: str = "user", **headers: str) -> requests.Response:
        """What the page does when somebody presses."""
        sent = {"X-Model-Lifecycle": "1", "Content-Type": "application/json", **self.headers(role), **headers}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return requests.post(f"{self.airflow.url}{PREFIX}/api/{path}", data=data, headers=sent, timeout=60)

    def runs(self, dag: str = DAGS[0]) -> dict[str, dict[str, Any]]:
        return {run["dag_run_id"]: run for run in self.airflow.api.runs(dag)}


@contextmanager
def models_page(folder: Path, env: Mapping[str, str], **options: Any) -> Iterator[ModelsPage]:
    """Start it, with the DAGs that do the work."""
    dags = folder / "dags"
    dags.mkdir(parents=True)
    for dag in DAGS:
        shutil.copy(ROOT / "dags" / f"{dag}.py", dags)
    shutil.copytree(ROOT / "dags" / "flights", dags / "flights")
    users = ",".join(f"{name}:{role}" for role, name in USERS.items())
    env = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users, **env}
    with AirflowServer(folder / "airflow", dags=dags, env=env, **{"components": (), **options}) as server:
        if not server.components:
            server.command("dags", "reserialize")
        server.api.wait_for_dags(DAGS)
        for dag in DAGS:
            server.api.unpause(dag)
        passwords = json.loads((server.folder / "passwords.json").read_text())
        yield ModelsPage(server, {role: _token(server, name, passwords[name]) for role, name in USERS.items()})


def _token(server: AirflowServer, name: str, password: str) -> str:
    body = {"username": name, "password": password}
    answer = requests.post(f"{server.url}/auth/token", json=body, timeout=60)
    answer.raise_for_status()
    return str(answer.json()["access_token"])
