"""The stack of docker-compose.yml, for the modules here that ask for it: with Airflow, or all but Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.compose.airflow import NativeAirflow
from tests.compose.native import WATCHERS, Native


@pytest.fixture(scope="module")
def native() -> Iterator[Native]:
    """What needs neither a database nor a queue."""
    with Native() as found:
        found.prepare()
        with ThreadPoolExecutor(1) as pool:
            hdfs = pool.submit(found.hdfs.start)
            found.start(WATCHERS)
            hdfs.result()
        yield found


@pytest.fixture(scope="module")
def airflow(native: Native) -> NativeAirflow:
    """Everything but Grafana, with an Airflow that soon misses a task that is silent; it ends with the stack."""
    found = NativeAirflow(native)
    found.start()
    return found
