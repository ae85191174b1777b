"""A metric system that tests share, and connections that lead to it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.servers.prometheus import Prometheus, Pushgateway
from tests.servers.scorer import ScorerServer


@pytest.fixture(scope="session")
def pushgateway_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pushgateway]:
    """One Pushgateway for the whole session; every test uses a job or a grouping of its own."""
    with Pushgateway(tmp_path_factory.mktemp("pushgateway")) as server:
        yield server


@pytest.fixture(scope="session")
def prometheus_server(
    tmp_path_factory: pytest.TempPathFactory, scorer_server: ScorerServer, pushgateway_server: Pushgateway
) -> Iterator[Prometheus]:
    """One Prometheus for the whole session, which scrapes the shared scorer and Pushgateway every second."""
    targets = {"scorer": [f"127.0.0.1:{scorer_server.port}"], "pushgateway": [pushgateway_server.address]}
    with Prometheus(tmp_path_factory.mktemp("prometheus"), scrape=targets) as server:
        yield server


@pytest.fixture
def prometheus_connection(
    prometheus_server: Prometheus, pushgateway_server: Pushgateway, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The id of an Airflow connection to the shared Prometheus and its Pushgateway."""
    extra = {"pushgateway": pushgateway_server.url, "timeout": 20}
    connection = {"conn_type": "prometheus", "host": "http://127.0.0.1", "port": prometheus_server.port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(connection))
    return "prometheus_default"
