"""Every command answers people and programs alike: ``--output json``, ``yaml`` and ``table``."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from model_lifecycle.cli.definition import get_cli_commands
from tests.cli.asking import run
from tests.operators.life import Life


def asked(life: Life) -> dict[str, tuple[str, ...]]:
    """Each command as it changes nothing; a rollback comes last, for it changes what serves."""
    return {
        "status": (life.endpoint,),
        "history": (life.endpoint, "--limit", "2"),
        "verify": (f"models:/{life.model}/1",),
        "diff": (f"models:/{life.model}/1", f"models:/{life.model}/2"),
        "reconcile": (life.endpoint,),
        "gc": ("--dry-run",),
        "rollback": (life.endpoint, "--reason", "callers complain", "--yes"),
    }


@pytest.fixture
def shown(old: Life, capsys: pytest.CaptureFixture[str]) -> Any:
    def show(name: str, output: str) -> str:
        capsys.readouterr()  # what was logged before
        run(name, *asked(old)[name], "--store", old.store_uri, "--output", output)
        return capsys.readouterr().out

    return show


@pytest.mark.parametrize("name", [one.name for one in get_cli_commands()[0].subcommands if one.name != "rollback"])
def test_a_command_answers_in_every_form(shown, name: str):
    rows = json.loads(shown(name, "json"))
    assert rows
    assert yaml.safe_load(shown(name, "yaml")) == rows
    table = shown(name, "table").splitlines()
    assert len(table) >= len(rows) + 2
    assert [column for column in rows[0] if column[:3] not in table[0]] == []


def test_a_rollback_answers_in_every_form(shown):
    """One after the other, from version 4 back to 1."""
    (first,) = json.loads(shown("rollback", "json"))
    (second,) = yaml.safe_load(shown("rollback", "yaml"))
    assert (first.keys(), first["serving_version"], second["serving_version"]) == (second.keys(), 3, 2)
    assert "ROLLED_BACK" in shown("rollback", "table")
