"""The stack of docker-compose.yml with its Airflow, for the modules here that ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.compose.airflow import NativeAirflow
from tests.compose.native import WATCHERS, Native


@pytest.fixture(scope="module")
def airflow() -> Iterator[NativeAirflow]:
    """Everything but Grafana, with an Airflow that soon misses a task that is silent."""
    with Native() as native:
        native.prepare()
        with ThreadPoolExecutor(1) as pool:
            hdfs = pool.submit(native.hdfs.start)
            native.start(WATCHERS)
            hdfs.result()
        found = NativeAirflow(native)
        found.start()
        yield found
