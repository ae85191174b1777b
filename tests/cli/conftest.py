from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tests.cli.asking import Ask, asking
from tests.fixtures_life import new_life
from tests.operators.life import Life
from tests.servers.mlflow import MlflowServer
from tests.servers.scorer import ScorerServer


@pytest.fixture(autouse=True)
def own_process() -> Iterator[None]:
    """A command says of its process what it is; the process of the tests is another one."""
    before = os.environ.pop("_AIRFLOW_PROCESS_CONTEXT", None)
    yield
    os.environ.pop("_AIRFLOW_PROCESS_CONTEXT", None)
    if before is not None:
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = before


@pytest.fixture(scope="module")
def old(
    tmp_path_factory: pytest.TempPathFactory, scorer_server: ScorerServer, mlflow_server: MlflowServer
) -> Iterator[Life]:
    """Versions 1 to 4 were released, 5 was only registered, 6 has an alias, 7 is the newest; no test changes any."""
    with pytest.MonkeyPatch.context() as patch:
        connection = {"conn_type": "mlflow", "host": mlflow_server.url}
        patch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(connection))
        life = new_life(tmp_path_factory.mktemp("old"), scorer_server, patch)
        for run, offset in enumerate((1.0, 2.0, 3.0, 4.0)):
            life.release(offset, f"run-{run}")
        for offset in (5.0, 6.0, 7.0):
            life.version(offset)
        life.registry.set_alias(life.model, "blessed", 6)
        yield life


@pytest.fixture
def ask_old(old: Life, capsys: pytest.CaptureFixture[str]) -> Ask:
    return asking(old, capsys)


@pytest.fixture
def ask(life: Life, capsys: pytest.CaptureFixture[str]) -> Ask:
    return asking(life, capsys)
