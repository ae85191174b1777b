"""What docs/for-authors.md and docs/cli.md show: parsed, run, and named by Airflow."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from airflow.serialization.serialized_objects import DagSerialization

from model_lifecycle.cli.definition import get_cli_commands
from model_lifecycle.retries import MODEL_LIFECYCLE_RETRY_POLICY, RETRIES
from tests.house.pages import DOCS
from tests.operators.life import context

FOLDER = Path(__file__).parent / "authors"


def dags(file: str):
    spec = importlib.util.spec_from_file_location(file, FOLDER / f"{file}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {dag.dag_id: dag for dag in vars(module).values() if hasattr(dag, "dag_id") and hasattr(dag, "task_dict")}


def test_the_gate_of_the_page_passes_and_has_the_retries():
    found = dags("for_authors")["score"]
    gate = found.get_task("small_enough")
    assert gate.execute({**context("small_enough"), "task": gate, "dag": found})["verdict"] == "PASS"
    assert (gate.retries, gate.retry_policy) == (RETRIES, MODEL_LIFECYCLE_RETRY_POLICY)


def test_the_deadline_of_the_page_is_kept_by_airflow():
    """That it calls, and whom, is seen in tests/dags/test_in_airflow.py."""
    assert DagSerialization.to_dict(dags("release_in_time")["release_in_time"])["dag"]["deadline"]


def test_the_page_names_every_command_and_every_option():
    page = (DOCS / "cli.md").read_text()
    (group,) = get_cli_commands()
    assert [one.name for one in group.subcommands if f"`{one.name}" not in page] == []
    flags = {flag for one in group.subcommands for arg in one.args for flag in arg.flags if flag.startswith("--")}
    assert [flag for flag in sorted(flags) if flag not in page] == []
