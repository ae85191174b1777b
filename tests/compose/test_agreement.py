"""What the services of docker-compose.yml are told of each other, held against what they are."""

from __future__ import annotations

import re
from importlib import import_module
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from airflow.configuration import conf
from airflow.sdk import Connection

from model_lifecycle.get_provider_info import get_provider_info
from model_lifecycle.scorer.__main__ import _parser
from tests.compose.stack import (
    AIRFLOW,
    LISTENS,
    ONCE,
    RAW,
    RUNNERS,
    SCORERS,
    connections,
    environment,
    flags,
    mounts,
    services,
    stack,
)
from tests.house.pages import ROOT

PACKAGE = ROOT / "provider" / "model_lifecycle"
PROMETHEUS = yaml.safe_load((PACKAGE / "prometheus" / "prometheus.yml").read_text())
ALERTMANAGER = yaml.safe_load((PACKAGE / "prometheus" / "alertmanager.yml").read_text())
GRAFANA = PACKAGE / "grafana" / "provisioning"
INFO = get_provider_info()


def targets(jobs: list[dict]) -> set[str]:
    return {target for job in jobs for group in job["static_configs"] for target in group["targets"]}


# Airflow


@pytest.mark.parametrize("name", [name for name in RAW["x-airflow"]["environment"] if name.startswith("AIRFLOW__")])
def test_every_option_of_airflow_is_one_it_knows(name: str):
    _, section, option = name.split("__")
    declared = {"model_lifecycle": {"options": INFO["config"]["model_lifecycle"]["options"]}}
    known = conf.configuration_description | declared
    assert option.lower() in known[section.lower()]["options"]


def test_the_connections_are_of_types_that_have_a_hook_and_lead_to_services():
    types = {entry["connection-type"] for entry in INFO["connection-types"]} | {"webhdfs"}
    for name, value in connections(environment()).items():
        connection = Connection.from_json(environment()[f"AIRFLOW_CONN_{name.upper()}"], conn_id=name)
        assert connection.conn_type in types
        if connection.host:
            host = connection.host.removeprefix("http://")
            assert connection.port in LISTENS[host]
        kinds = [one for one in INFO["connection-types"] if one["connection-type"] == connection.conn_type]
        assert all(value.get("extra", {}).keys() <= kind["conn-fields"].keys() for kind in kinds)


def test_every_connection_that_is_named_anywhere_is_there():
    found, airflow = connections(environment()), environment()
    named = {one["extra"]["router_conn_id"] for one in found.values() if "router_conn_id" in one.get("extra", {})}
    named |= {endpoint.partition("/")[0] for endpoint in found["alerts_default"]["extra"]["endpoints"].values()}
    named |= {airflow["AIRFLOW__MODEL_LIFECYCLE__METRICS_CONN_ID"]}
    named |= set(re.findall(r"\w+://(\w+)@", airflow["AIRFLOW__MODEL_LIFECYCLE__STORE"]))
    options = INFO["config"]["model_lifecycle"]["options"]
    named |= {options[name]["default"] for name in ("registry_conn_id", "alerts_conn_id")}
    assert named <= found.keys()


def test_every_process_of_airflow_has_the_same_configuration():
    first = environment()
    for name in [name for name in services() if name.startswith("airflow-") or name == ONCE]:
        assert {**environment(name), "DUMB_INIT_SETSID": "0"} == first, name


def test_the_dags_are_in_the_image_and_with_them_the_one_that_an_alert_starts():
    folder = Path(environment()["AIRFLOW__CORE__DAGS_FOLDER"])
    dockerfile = services()[ONCE]["build"]["dockerfile_inline"]
    copied = re.search(r"^COPY --chown=airflow:0 \. (\S+)$", dockerfile, re.MULTILINE)
    assert copied
    assert (ROOT / folder.relative_to(copied[1])).is_dir()
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {"dags", "provider", "pyproject.toml", "constraints.txt", "README.md"} & set(ignored)
    assert ".env" in ignored, "secrets would lie in the image"
    started = INFO["config"]["model_lifecycle"]["options"]["alert_dag"]["default"]
    assert started in {import_module(path.stem).dag.dag_id for path in (ROOT / "dags").glob("*.py")}


def test_all_that_run_tasks_see_the_same_folders():
    assert {tuple(sorted(mounts(name))) for name in RUNNERS} == {tuple(sorted(mounts(RUNNERS[0])))}
    assert environment()["FLIGHTS_FOLDER"] in mounts(RUNNERS[0])


# The scorers and HAProxy


@pytest.mark.parametrize(("name", "conn_id"), [("scorer-1", "scorer_default"), ("scorer-2", "scorer_second")])
def test_each_scorer_has_a_folder_of_its_own_that_its_connection_names(name: str, conn_id: str, tmp_path: Path):
    repository, connection = flags(name)["repository"], connections(environment())[conn_id]
    command = [word.replace(repository, str(tmp_path)) for word in services()[name]["command"]]
    parsed = _parser().parse_args(command)
    store = urlsplit(environment()["AIRFLOW__MODEL_LIFECYCLE__STORE"])
    assert parsed.log_predictions == f"webhdfs://namenode:9870{store.path}"
    assert environment(name)["HADOOP_USER_NAME"] == connections(environment())[store.username or ""]["login"]
    assert (connection["host"], connection["port"]) == (f"http://{name}", parsed.port)
    assert connection["extra"]["repository"] == repository
    assert str(Path(repository).parent) in mounts(name)
    assert f"mkdir -p {' '.join(flags(one)['repository'] for one in SCORERS)}" in " ".join(services()[ONCE]["command"])


def test_the_scorers_keep_the_addresses_at_which_haproxy_knows_their_versions():
    subnet = ip_network(stack()["networks"]["default"]["ipam"]["config"][0]["subnet"])
    found = [ip_address(services()[name]["networks"]["default"]["ipv4_address"]) for name in SCORERS]
    assert len(set(found)) == 2
    assert all(address in subnet for address in found)


def test_the_workers_reach_the_socket_and_the_maps_that_haproxy_was_told():
    told, extra = environment("haproxy"), connections(environment())["haproxy_default"]["extra"]
    assert (told["MODELS_SOCKET"], told["MODELS_MAPS"]) == (extra["socket"], extra["maps"])
    assert told["MODELS_BIND"] == ":8080"
    for name in ("haproxy", *RUNNERS):
        assert extra["maps"] in mounts(name)
    assert services()["haproxy"]["user"] == "50000:0"  # AIRFLOW_UID of the image of Airflow
    prepared = " ".join(services()[ONCE]["command"])
    assert all(f"{extra['maps']}/{name}.map" in prepared for name in ("traffic", "targets"))


# Prometheus, Alertmanager, Grafana


def test_prometheus_scrapes_both_scorers_the_pushgateway_and_nobody_that_is_not_there():
    found = targets(PROMETHEUS["scrape_configs"])
    assert {f"{name}:8081" for name in SCORERS} | {"pushgateway:9091"} <= found
    assert {name for name, _ in (one.split(":") for one in found)} <= {*services(), "localhost"}


def test_what_was_pushed_keeps_its_own_labels():
    job = next(job for job in PROMETHEUS["scrape_configs"] if "pushgateway:9091" in targets([job]))
    assert job["honor_labels"] is True


def test_prometheus_finds_its_rules_and_alertmanager_where_the_stack_has_them():
    assert flags("prometheus")["config.file"] == "/etc/prometheus/prometheus.yml"
    folder = Path(mounts("prometheus")["/etc/prometheus"]["source"])
    for pattern in PROMETHEUS["rule_files"]:
        assert list(folder.glob(pattern)), pattern
    assert targets(PROMETHEUS["alerting"]["alertmanagers"]) == {"alertmanager:9093"}


def test_alertmanager_tells_the_receiver_of_airflow_with_the_secret_that_it_is_given():
    hooks = [hook for one in ALERTMANAGER["receivers"] for hook in one.get("webhook_configs", [])]
    assert {hook["url"] for hook in hooks} == {f"http://{AIRFLOW}:8080/model-lifecycle/alerts/alertmanager"}
    files = {hook["http_config"]["authorization"]["credentials_file"] for hook in hooks}
    assert files == {services()["alertmanager"]["secrets"][0]["target"]}
    assert flags("alertmanager")["config.file"] in mounts("alertmanager")


def test_grafana_asks_the_prometheus_of_the_stack_and_finds_the_dashboards():
    source = yaml.safe_load((GRAFANA / "datasources" / "prometheus.yml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090"
    provider = yaml.safe_load((GRAFANA / "dashboards" / "model-lifecycle.yml").read_text())["providers"][0]
    shown = Path(mounts("grafana")[provider["options"]["path"]]["source"])
    assert len(list(shown.glob("*.json"))) == 3
    assert Path(mounts("grafana")["/etc/grafana/provisioning"]["source"]) == GRAFANA
    assert source["jsonData"]["timeInterval"] == PROMETHEUS["global"]["scrape_interval"]


# HDFS


def test_hdfs_has_as_many_datanodes_as_replicas_each_at_the_name_that_it_is_asked_by():
    datanodes = [name for name in services() if name.startswith("datanode")]
    assert environment("namenode")["HDFS-SITE.XML_dfs.replication"] == str(len(datanodes)) == "3"
    for name in datanodes:
        assert services()[name]["hostname"] == environment(name)["HDFS-SITE.XML_dfs.datanode.hostname"] == name
        assert environment(name)["CORE-SITE.XML_fs.defaultFS"] == "hdfs://namenode:8020"
    assert len({next(iter(mounts(name).values()))["source"] for name in datanodes}) == 3
