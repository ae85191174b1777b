"""What can be proven of docker-compose.yml without a Docker engine; it was never started."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.configuration import conf
from airflow.sdk import Connection

from model_lifecycle.get_provider_info import get_provider_info
from model_lifecycle.scorer.__main__ import _parser

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
STACK: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
AIRFLOW: dict[str, str] = STACK["x-airflow"]["environment"]


def needs() -> Iterator[tuple[str, str, str]]:
    for name, service in SERVICES.items():
        wanted = service.get("depends_on", {})
        for other in wanted:
            yield name, other, wanted[other]["condition"] if isinstance(wanted, dict) else "service_started"


def test_every_secret_has_no_default_and_stands_in_the_example_of_the_environment():
    asked = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert asked == set(re.findall(r"\$\{(\w+)", TEXT)), "a variable without :? would be silently empty"
    assert asked == set(re.findall(r"^(\w+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_whatever_is_waited_for_exists_and_can_tell_that_it_is_well():
    for name, other, condition in needs():
        assert other in SERVICES, f"{name} waits for {other}"
        assert condition != "service_healthy" or "healthcheck" in SERVICES[other], f"{other} has no health check"


def test_every_volume_is_declared():
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == set(STACK["volumes"])


def test_ports_are_published_on_the_machine_itself_only():
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_the_connections_are_of_types_that_have_a_hook_and_lead_to_services():
    types = {entry["connection-type"] for entry in get_provider_info()["connection-types"]} | {"webhdfs"}
    found = {name: value for name, value in AIRFLOW.items() if name.startswith("AIRFLOW_CONN_")}
    assert len(found) == 3
    for name, value in found.items():
        connection = Connection.from_json(value, conn_id=name.lower())
        assert connection.conn_type in types
        assert connection.host.removeprefix("http://") in SERVICES


@pytest.mark.parametrize("name", [name for name in AIRFLOW if name.startswith("AIRFLOW__")])
def test_every_option_of_airflow_is_one_it_knows(name: str):
    _, section, option = name.split("__")
    declared = get_provider_info()["config"]["model_lifecycle"]["options"]
    known = conf.configuration_description.get(section.lower(), {"options": declared})["options"]
    assert option.lower() in known


def test_the_scorer_is_started_with_flags_that_it_has(tmp_path: Path):
    command = [str(tmp_path) if word == "/opt/airflow/repository" else word for word in SERVICES["scorer"]["command"]]
    parsed = _parser().parse_args(command)
    connection = json.loads(AIRFLOW["AIRFLOW_CONN_SCORER_DEFAULT"])
    assert parsed.port == connection["port"]
    assert connection["extra"]["repository"] in SERVICES["scorer"]["command"]
