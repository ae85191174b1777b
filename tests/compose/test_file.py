"""What can be proven of docker-compose.yml without a Docker engine: that its parts agree with each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.compose.stack import (
    AIRFLOW,
    EXAMPLE,
    FILE,
    LISTENS,
    NAMES,
    ONCE,
    RUNNERS,
    SCORERS,
    SECRETS,
    VARIABLES,
    addresses,
    connections,
    environment,
    mounts,
    needs,
    services,
    stack,
)
from tests.house.pages import ROOT
from tests.servers.compose import config

TEXT = FILE.read_text()
PACKAGE = ROOT / "provider" / "model_lifecycle"
GRAFANA = PACKAGE / "grafana" / "provisioning"


# Secrets


@pytest.mark.parametrize("missing", VARIABLES)
def test_docker_compose_starts_nothing_without_every_secret(missing: str):
    with pytest.raises(ValueError, match=f"{missing}.*see .env.example"):
        config(FILE, {name: value for name, value in SECRETS.items() if name != missing})


def test_the_example_of_the_environment_has_every_variable_and_no_value():
    assert set(re.findall(r"\$\{(\w+)", TEXT)) | {"ALERT_SECRET"} == set(VARIABLES)
    lines = [line for line in EXAMPLE.read_text().splitlines() if line and not line.startswith("#")]
    assert all(line.endswith("=") for line in lines)


def test_no_password_stands_in_the_file():
    read = str(stack())
    for match in re.finditer(r"(?i)password[^\s'\"]*['\"]?: ['\"]([^'\"]+)['\"]", read):
        assert match[1] in SECRETS.values() or match[1].startswith("/"), match[0]
    assert "changeme" not in TEXT


def test_both_sides_of_each_secret_are_given_the_same():
    airflow = environment()
    assert f":{SECRETS['POSTGRES_PASSWORD']}@postgres:5432/" in airflow["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert f":{SECRETS['POSTGRES_PASSWORD']}@postgres:5432/" in airflow["AIRFLOW__CELERY__RESULT_BACKEND"]
    assert environment("postgres")["POSTGRES_PASSWORD"] == SECRETS["POSTGRES_PASSWORD"]
    assert f":{SECRETS['REDIS_PASSWORD']}@redis:6379/" in airflow["AIRFLOW__CELERY__BROKER_URL"]
    assert services()["redis"]["command"][-2:] == ["--requirepass", SECRETS["REDIS_PASSWORD"]]
    assert environment("redis")["REDISCLI_AUTH"] == SECRETS["REDIS_PASSWORD"]
    assert connections(airflow)["alerts_default"]["password"] == SECRETS["ALERT_SECRET"]
    assert stack()["secrets"]["alert_secret"]["environment"] == "ALERT_SECRET"


# Services


def test_the_services_are_those_whose_ports_are_known():
    quiet = {name for name in services() if name.startswith("airflow-") and name != AIRFLOW} | {ONCE}
    assert services().keys() - quiet == LISTENS.keys()


def test_whatever_is_waited_for_exists_and_can_tell_that_it_is_well():
    for name, other, condition in needs():
        assert other in services(), f"{name} waits for {other}"
        assert condition != "service_healthy" or "healthcheck" in services()[other], f"{other} has no health check"
        assert (condition == "service_completed_successfully") == (other == ONCE)


def test_nobody_waits_for_himself_whoever_he_waits_for():
    waits = {name: {other for one, other, _ in needs() if one == name} for name in services()}
    while waits:
        free = {name for name, others in waits.items() if not others & waits.keys()}
        assert free, f"these wait for each other: {sorted(waits)}"
        waits = {name: others for name, others in waits.items() if name not in free}


@pytest.mark.parametrize("name", NAMES)
def test_every_service_has_an_image_of_one_version_a_limit_and_a_way_to_tell_that_it_is_well(name: str):
    service = services()[name]
    assert re.fullmatch(r"[\w./-]+:(local|v?\d+(\.\d+)+(-alpine)?)", service["image"])
    assert int(service["mem_limit"]) >= 2**28
    assert ("healthcheck" in service) != (name == ONCE)
    assert service["restart"] == ("on-failure" if name == ONCE else "unless-stopped")


@pytest.mark.parametrize("name", list(LISTENS))
def test_a_health_check_by_http_asks_a_port_of_its_own(name: str):
    asked = re.findall(r"http://127\.0\.0\.1:(\d+)", " ".join(services()[name]["healthcheck"]["test"]))
    assert set(map(int, asked)) <= LISTENS[name]


def test_ports_are_published_on_the_machine_itself_only_once_each_and_lead_to_something():
    published = [(name, port) for name, service in services().items() for port in service.get("ports", [])]
    for name, port in published:
        assert port["host_ip"] == "127.0.0.1"
        assert port["target"] in LISTENS[name]
    assert len({port["published"] for _, port in published}) == len(published)


def test_nobody_outside_reaches_what_has_no_login_and_changes_what_serves():
    for name in (*SCORERS, "redis", "postgres"):
        assert "ports" not in services()[name]


def test_every_volume_is_declared_and_used_and_seen_at_one_path():
    seen: dict[str, set[str]] = {}
    for name in services():
        for path, one in mounts(name).items():
            if one["type"] == "volume":
                seen.setdefault(one["source"], set()).add(path)
    assert seen.keys() == stack()["volumes"].keys()
    assert {volume: paths for volume, paths in seen.items() if len(paths) > 1} == {}


def test_every_file_of_this_folder_that_a_service_is_given_exists_and_cannot_be_changed_by_it():
    for name in services():
        for one in mounts(name).values():
            if one["type"] == "bind":
                assert Path(one["source"]).exists(), f"{name}: {one['source']}"
                assert one["read_only"]


def test_volumes_that_several_services_write_are_first_mounted_by_the_one_that_runs_as_their_user():
    shared = [one["source"] for name in (*RUNNERS, AIRFLOW, "mlflow", *SCORERS) for one in mounts(name).values()]
    assert set(shared) <= {one["source"] for one in mounts(ONCE).values()}
    for name in (*RUNNERS, AIRFLOW, "mlflow", "haproxy", *SCORERS):
        assert (name, ONCE, "service_completed_successfully") in list(needs())
    made = set(re.findall(r"/opt/airflow/\w+", services()[ONCE]["build"]["dockerfile_inline"]))
    assert set(mounts(ONCE)) - {"/opt/airflow/logs"} == made  # Airflow's image has that one


@pytest.mark.parametrize("name", NAMES)
def test_every_address_that_a_service_is_given_is_one_of_another(name: str):
    service = services()[name]
    words = [word for part in ("command", "entrypoint") for word in service.get(part) or []]
    text = " ".join([*words, *environment(name).values()])
    for other, port in addresses(text):
        assert port in LISTENS[other], f"{name} is told {other}:{port}"


@pytest.mark.parametrize("file", sorted([*(PACKAGE / "prometheus").glob("*.yml"), *GRAFANA.rglob("*.yml")]), ids=str)
def test_every_address_of_a_configuration_file_is_one_of_a_service(file: Path):
    text = "\n".join(line.partition("#")[0] for line in file.read_text().splitlines())
    for other, port in addresses(text):
        assert port in LISTENS[other], f"{other}:{port}"
    for host, port in re.findall(r"https?://([\w.-]+):(\d+)", text):
        assert host in services(), f"{host}:{port}"
