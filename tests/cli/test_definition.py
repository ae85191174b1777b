from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.cli import cli_parser

from model_lifecycle.cli.__main__ import parser
from model_lifecycle.cli.definition import get_cli_commands
from tests.servers.airflow_words import said

NAMES = ("status", "history", "verify", "diff", "rollback", "reconcile", "gc")


def test_every_command_has_the_outputs_that_airflows_own_have():
    (group,) = get_cli_commands()
    assert group.name == "model-lifecycle"
    assert tuple(command.name for command in group.subcommands) == NAMES
    for command in group.subcommands:
        empty = argparse.ArgumentParser()
        for arg in command.args:
            arg.add_to_parser(empty)
        assert {"--output", "--verbose", "--store"} <= empty._option_string_actions.keys()


@pytest.mark.parametrize("name", NAMES)
def test_without_airflow_before_it_a_command_takes_the_same(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="0"):
        parser().parse_args([name, "--help"])
    assert "--output" in capsys.readouterr().out


@pytest.mark.since("3.2")
@pytest.mark.parametrize("name", NAMES)
def test_airflows_own_parser_finds_every_command(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="0"):
        cli_parser.get_parser().parse_args(["model-lifecycle", name, "--help"])
    assert "--output" in capsys.readouterr().out


def test_the_definition_imports_nothing_of_ours_but_what_airflow_is_told():
    code = (
        "import sys\nfrom model_lifecycle.cli.definition import get_cli_commands\nget_cli_commands()\n"
        "print(*sorted(name for name in sys.modules if name.startswith('model_lifecycle.')))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    told = ("model_lifecycle.connection_forms", "model_lifecycle.get_provider_info", "model_lifecycle.forms")
    loaded = {name for name in done.stdout.splitlines()[-1].split() if not name.startswith(told)}
    assert loaded == {"model_lifecycle.cli", "model_lifecycle.cli.definition"}


@pytest.mark.since("3.2")
def test_a_command_reads_connections_from_airflows_database(tmp_path: Path):
    add = ("connections", "add", "mlflow_default", "--conn-type", "mlflow", "--conn-host", "http://127.0.0.1")
    extra = json.dumps({"timeout": 0.1})
    add += ("--conn-port", "9", "--conn-password", "a-secret-of-ours", "--conn-extra", extra)
    verify = ("model-lifecycle", "verify", "models:/churn/1", "--store", (tmp_path / "store").as_uri())
    migrated, added, verified = said(tmp_path / "airflow", ("db", "migrate"), add, verify)
    assert (migrated.code, added.code, verified.code) == (0, 0, 1)
    assert re.search(r"airflow model-lifecycle verify: .*127\.0\.0\.1:9", verified.errors)
    assert "a-secret-of-ours" not in verified.output + verified.errors
    assert "Traceback" not in verified.output + verified.errors
