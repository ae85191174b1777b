from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cli.asking import Ask, asking
from tests.operators.life import Life


@pytest.fixture(autouse=True)
def own_process() -> Iterator[None]:
    """A command says of its process what it is; the process of the tests is another one."""
    before = os.environ.pop("_AIRFLOW_PROCESS_CONTEXT", None)
    yield
    os.environ.pop("_AIRFLOW_PROCESS_CONTEXT", None)
    if before is not None:
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = before


@pytest.fixture
def ask(life: Life, capsys: pytest.CaptureFixture[str]) -> Ask:
    return asking(life, capsys)
