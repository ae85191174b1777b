"""What the pages name is there: modules, classes, files, options, connection types, commands and their flags."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import pytest
from airflow.cli import cli_parser

from model_lifecycle.cli.definition import get_cli_commands
from model_lifecycle.get_provider_info import get_provider_info
from tests.house.pages import DOCS, README

PAGES = sorted([*DOCS.glob("*.md"), README])
PACKAGE = Path(str(files("model_lifecycle")))
INFO = get_provider_info()
OPTIONS = INFO["config"]["model_lifecycle"]["options"].keys()
TYPES = {one["connection-type"] for one in INFO["connection-types"]} | {"aws", "http"}
COMMANDS = {
    command.name: {flag for arg in command.args for flag in arg.flags if flag.startswith("--")}
    for command in get_cli_commands()[0].subcommands
}
# Airflow 3.1 has not got ours.
AIRFLOWS = {"model-lifecycle"} | {
    name
    for action in cli_parser.get_parser()._subparsers._group_actions  # type: ignore[union-attr]
    for name in action.choices or {}
}


@cache
def written() -> str:
    """Every text of the package that is no page: code, rules, schemas."""
    kinds = (".py", ".yml", ".yaml", ".json")
    return "\n".join(file.read_text() for file in sorted(PACKAGE.rglob("*")) if file.suffix in kinds)


@cache
def classes() -> set[str]:
    trees = (ast.parse(file.read_text()) for file in PACKAGE.rglob("*.py"))
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def importable(path: str) -> bool:
    """Whether a dotted path is a module, or a name in one."""
    try:
        import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return bool(module) and importable(module) and hasattr(import_module(module), name)
    return True


def untrue(text: str) -> Iterator[str]:
    """The names in a page's text that nothing has."""
    for path in re.findall(r"\bmodel_lifecycle(?:\.[a-z_]\w*)+", text, re.IGNORECASE):
        if f'"{path}' not in written() and not importable(path):  # a tag in the registry, or a module
            yield path
    for path in re.findall(r"\bmodel_lifecycle(?:/[\w.-]+)+", text):
        if not (PACKAGE.parent / path.rstrip(".")).exists():
            yield path
    for name in re.findall(r"`(Model[A-Z]\w+)", text):
        if name not in classes() and f"alert: {name}\n" not in written():
            yield name
    named = re.findall(r"\[model_lifecycle\]\s+([a-z_]+)", text)
    named += [name.lower() for name in re.findall(r"AIRFLOW__MODEL_LIFECYCLE__([A-Z_]+)", text)]
    yield from (f"[model_lifecycle] {name}" for name in named if name not in OPTIONS)
    yield from (
        f"conn_type {name}" for name in re.findall(r'conn[-_]type"?[=:\s]\s*"?(\w+)', text) if name not in TYPES
    )
    yield from commands(text)


def commands(text: str) -> Iterator[str]:
    """What is wrong with the commands of ours and of Airflow that a page shows."""
    for name, rest in re.findall(r"\bairflow model-lifecycle ([a-z]+)([^\n`]*)", text):
        flags = set(re.findall(r"(?<!\S)--[a-z-]+", rest))
        if name not in COMMANDS or flags - COMMANDS[name] - {"--help"}:
            yield f"airflow model-lifecycle {name}{rest}"
    yield from (f"airflow {name}" for name in re.findall(r"`airflow ([a-z][\w-]*)", text) if name not in AIRFLOWS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_whatever_a_page_names_is_there(page: Path):
    assert list(untrue(page.read_text())) == []


def test_the_page_of_the_commands_shows_no_flag_that_none_of_them_has():
    shown = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", (DOCS / "cli.md").read_text()))
    assert shown - {"--help"} - set().union(*COMMANDS.values()) == set()


@pytest.mark.parametrize(
    "text",
    [
        "from model_lifecycle.operators.deploi import DeployModelOperator",
        "`model_lifecycle.core.gate.Chekc`",
        "`model_lifecycle/prometheus/rules.yml`",
        "`ModelDeployOperator`",
        "`[model_lifecycle] stor`",
        "AIRFLOW__MODEL_LIFECYCLE__STOR=x",
        '{"conn_type": "torch_serve"}',
        "`airflow model-lifecycle rolback a/b`",
        "`airflow model-lifecycle gc --dry-runs`",
        "`airflow model-lifecycles`",
    ],
)
def test_a_name_that_nothing_has_is_found(text: str):
    assert len(list(untrue(text))) == 1
