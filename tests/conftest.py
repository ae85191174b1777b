"""Servers that many tests share. A server that a test asks for and that cannot start is a failure, never a skip."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from uuid import uuid4

import hypothesis
import pytest
from packaging.version import Version

from tests.fixtures_archives import (  # noqa: F401
    mms,
    mms_connection,
    onnx,
    torchscript,
    torchserve,
    torchserve_connection,
)
from tests.fixtures_life import life, scorer_server  # noqa: F401
from tests.fixtures_metrics import prometheus_connection, prometheus_server, pushgateway_server  # noqa: F401
from tests.fixtures_mlflow import mlflow_connection, mlflow_server  # noqa: F401
from tests.fixtures_routers import (  # noqa: F401
    connect_router,
    envoy_connection,
    envoy_server,
    haproxy_connection,
    haproxy_server,
    own_model,
    small_backend,
)
from tests.fixtures_serving import mlflow_slots, mlserver_server, supervisor_server  # noqa: F401
from tests.servers.hdfs import HdfsCluster

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")  # no test asserts a time


@pytest.fixture(scope="session")
def hdfs_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HdfsCluster]:
    """One NameNode and one DataNode for the whole session; nobody kills them or sets a quota outside their own root."""
    with HdfsCluster(tmp_path_factory.mktemp("hdfs")) as cluster:
        yield cluster


@pytest.fixture
def hdfs_root() -> str:
    """A folder of HDFS that no other test uses; it does not exist yet."""
    return f"/tests/{uuid4().hex}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what this Airflow has not got; nothing, with the newest."""
    here = Version(version("apache-airflow-core"))
    newer = [item for item in items if any(Version(mark.args[0]) > here for mark in item.iter_markers("since"))]
    config.hook.pytest_deselected(items=newer)
    items[:] = [item for item in items if item not in newer]
