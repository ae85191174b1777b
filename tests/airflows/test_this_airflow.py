"""What must hold on every Airflow that the provider supports; ``test_older_airflows`` runs it on those before this."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import airflow.sdk
import mlflow  # noqa: F401 (it imports a module of ours, and not the other way round)
import pytest
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
from airflow.cli import cli_parser
from airflow.triggers.base import BaseTrigger

import model_lifecycle
from model_lifecycle.operators.approval import PARKS
from model_lifecycle.retries import MODEL_LIFECYCLE_RETRY_POLICY

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "versions.md"
HERE = version("apache-airflow-core").rpartition(".")[0]
ELSEWHERE = ("model_lifecycle.handlers.", "model_lifecycle.scorer.")
"""What runs in servers that know no Airflow."""
SHARED = find_spec("airflow.triggers.shared_stream") is not None
MODULES = [
    module.name
    for module in walk_packages(model_lifecycle.__path__, "model_lifecycle.")
    if not module.name.startswith(ELSEWHERE) and (SHARED or module.name != "model_lifecycle.triggers.looks")
]

NEWER: dict[str, Callable[[], bool]] = {
    "`airflow model-lifecycle`": lambda: "model-lifecycle" in cli_parser.ALL_COMMANDS_DICT,
    "connection forms": lambda: bool(form("torchserve").extra_fields),
    "deadline": lambda: hasattr(airflow.sdk, "DeadlineAlert"),
    "`MODEL_LIFECYCLE_RETRY_POLICY`": lambda: MODEL_LIFECYCLE_RETRY_POLICY is not None,
    "stopped in the UI": lambda: hasattr(BaseTrigger, "on_kill"),
    "share one poll": lambda: SHARED,
    "holds no trigger": lambda: PARKS,
}
"""Words of the page's rows, each with the question whether this Airflow can have what the row is about."""


def form(kind: str) -> Any:
    """What Airflow shows of a connection type."""
    return next(one for one in HookMetaService.hook_meta_data() if one.connection_type == kind)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_that_an_airflow_may_import_can_be_imported_without_a_warning(name: str):
    import_module(name)


def test_every_example_dag_is_taken_by_airflow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "false")
    place = "airflow.dag_processing.dagbag" if find_spec("airflow.dag_processing.dagbag") else "airflow.models.dagbag"
    bag = import_module(place).DagBag(ROOT / "dags")
    assert bag.import_errors == {}
    files = {path.stem for path in (ROOT / "dags").glob("*.py") if "DAG(" in path.read_text()}
    assert set(bag.dags) == files


@pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated")  # Airflow 3.2 of itself
@pytest.mark.parametrize("words", NEWER)
def test_the_page_says_what_this_airflow_has(words: str):
    [row] = [cells(line) for line in PAGE.read_text().splitlines() if line.startswith("|") and words in line]
    column = cells(next(line for line in PAGE.read_text().splitlines() if line.startswith("| |"))).index(HERE)
    assert re.match(r"yes|no", row[column])
    assert row[column].startswith("yes") is NEWER[words]()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
