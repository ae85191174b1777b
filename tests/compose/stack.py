"""docker-compose.yml as Docker Compose reads it, and what each service listens on."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from tests.house.pages import ROOT
from tests.servers.compose import config

FILE = ROOT / "docker-compose.yml"
EXAMPLE = ROOT / ".env.example"
RAW = yaml.safe_load(FILE.read_text())
NAMES = list(RAW["services"])
"""The services, known without asking Docker Compose."""

VARIABLES = re.findall(r"^(\w+)=$", EXAMPLE.read_text(), re.MULTILINE)
SECRETS = {name: f"{name.lower().replace('_', '-')}-made-up-for-tests-{'0' * 24}" for name in VARIABLES}
SECRETS["FERNET_KEY"] = urlsafe_b64encode(bytes(32)).decode()
AIRFLOW = "airflow-apiserver"
SCORERS = ("scorer-1", "scorer-2")
ONCE = "prepare"
"""The service that runs to its end before the others."""

RUNNERS = ("airflow-worker-1", "airflow-worker-2", "airflow-triggerer")
"""Where operators and triggers run."""

LISTENS = {
    "postgres": {5432},
    "redis": {6379},
    AIRFLOW: {8080},
    "namenode": {8020, 9870},
    **{f"datanode-{number}": {9864, 9866, 9867} for number in (1, 2, 3)},
    "mlflow": {5000},
    "scorer-1": {8081},
    "scorer-2": {8081},
    "haproxy": {8080, 8405},
    "prometheus": {9090},
    "alertmanager": {9093},
    "pushgateway": {9091},
    "grafana": {3000},
}
"""The ports of each service: by its own flags where the file gives any, else those of the program."""

Json = dict[str, Any]


@cache
def stack() -> Json:
    """The whole file, with :data:`SECRETS` for its variables."""
    return config(FILE, SECRETS)


def services() -> Json:
    """Each service by its name."""
    return dict(stack()["services"])


def environment(service: str = RUNNERS[0]) -> dict[str, str]:
    """What a service's processes are given."""
    return dict(services()[service].get("environment", {}))


def connections(values: dict[str, str]) -> dict[str, Json]:
    """The connections among environment variables, by their ids."""
    prefix = "AIRFLOW_CONN_"
    found = {name: value for name, value in values.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix).lower(): json.loads(value) for name, value in found.items()}


def mounts(service: str) -> dict[str, Json]:
    """What a service sees of volumes and of this folder, by the path at which it sees it."""
    return {one["target"]: one for one in services()[service].get("volumes", [])}


def addresses(text: str) -> Iterator[tuple[str, int]]:
    """Every ``name:port`` in a text whose name is that of a service."""
    for name, port in re.findall(r"(?<![\w.-])([a-z][a-z0-9-]*):(\d{2,5})\b", text):
        if name in services():
            yield name, int(port)


def needs() -> Iterator[tuple[str, str, str]]:
    """Who waits for whom, and until when."""
    for name, service in services().items():
        for other, how in service.get("depends_on", {}).items():
            yield name, other, how["condition"]


def flags(service: str) -> dict[str, str]:
    """The flags ``--name=value`` of a service's command."""
    words = [word.removeprefix("--").partition("=") for word in services()[service]["command"]]
    return {name: value for name, _, value in words}
