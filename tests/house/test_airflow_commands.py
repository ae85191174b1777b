"""What Airflow's own commands say of the provider: ``airflow providers ...``, ``airflow plugins`` and ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model_lifecycle.cli.definition import get_cli_commands
from model_lifecycle.get_provider_info import get_provider_info
from tests.servers import airflow_words

INFO = get_provider_info()
NAME = INFO["package-name"]
AS_JSON = ("--output", "json")
ASKED: dict[str, tuple[str, ...]] = {
    "get": ("providers", "get", NAME, "--full", *AS_JSON),
    "links": ("providers", "links", *AS_JSON),
    "hooks": ("providers", "hooks", *AS_JSON),
    "notifications": ("providers", "notifications", *AS_JSON),
    "triggers": ("providers", "triggers", *AS_JSON),
    "configs": ("providers", "configs", *AS_JSON),
    "plugins": ("plugins", *AS_JSON),
    "help": ("model-lifecycle", "--help"),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each command printed."""
    answers = airflow_words.said(tmp_path_factory.mktemp("home"), *ASKED.values())
    return {name: answer.output for name, answer in zip(ASKED, answers, strict=True)}


def rows(said: dict[str, str], name: str) -> list[dict[str, Any]]:
    return list(json.loads(said[name]))


def test_the_provider_is_listed_with_all_that_it_says_of_itself(said: dict[str, str]):
    (found,) = rows(said, "get")
    assert (found["package-name"], found["description"]) == (NAME, INFO["description"].rstrip("."))
    assert found["task-decorators"] == INFO["task-decorators"]


def test_every_button_is_listed(said: dict[str, str]):
    assert {row["extra_link_class_name"] for row in rows(said, "links")} >= {*INFO["extra-links"]}


def test_every_connection_type_is_listed_with_its_hook(said: dict[str, str]):
    ours = {row["connection_type"]: row for row in rows(said, "hooks") if row["package_name"] == NAME}
    assert {kind: row["class"] for kind, row in ours.items()} == {
        one["connection-type"]: one["hook-class-name"] for one in INFO["connection-types"]
    }


def test_the_notifier_is_listed(said: dict[str, str]):
    assert {*INFO["notifications"]} <= {one for row in rows(said, "notifications") for one in row.values()}


def test_every_trigger_is_listed(said: dict[str, str]):
    modules = {module for one in INFO["triggers"] for module in one["python-modules"]}
    found = {row["class"] for row in rows(said, "triggers") if row["package_name"] == NAME}
    assert found == modules


def test_the_options_are_listed(said: dict[str, str]):
    assert NAME in {row["provider_config"][0] for row in rows(said, "configs")}


def test_every_plugin_is_listed(said: dict[str, str]):
    assert {one["name"] for one in INFO["plugins"]} <= {row["name"] for row in rows(said, "plugins")}


@pytest.mark.since("3.2")
def test_the_commands_are_listed(said: dict[str, str]):
    (group,) = get_cli_commands()
    assert {one.name for one in group.subcommands} <= {*said["help"].split()}
