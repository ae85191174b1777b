"""Serving systems that are not ours, one of each for the whole session; every test uses model names of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import models
from tests.servers.mlserver import MLServerServer


@pytest.fixture(scope="session")
def mlserver_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLServerServer]:
    """One MLServer that loads in the process that answers; what its runtime imports is behind it when it starts."""
    server = MLServerServer(tmp_path_factory.mktemp("mlserver"))
    server.add_model("warm", models.linear(server.repository / "warm", 0, outputs=True))
    with server:
        yield server
