"""Serving systems that are not ours, one of each for the whole session; every test uses model names of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.mlserver import MLServerServer


@pytest.fixture(scope="session")
def mlserver_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLServerServer]:
    """One MLServer that loads in the process that answers."""
    with MLServerServer(tmp_path_factory.mktemp("mlserver")) as server:
        yield server
