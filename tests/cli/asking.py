"""Commands asked as Airflow asks them: parsed by its own parser, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.cli import cli_parser

from model_lifecycle.cli.__main__ import ask as ask_directly
from tests.operators.life import Life

Ask = Callable[..., list[dict[str, Any]]]


def run(*words: str) -> None:
    if "model-lifecycle" not in cli_parser.ALL_COMMANDS_DICT:  # Airflow 3.1
        ask_directly(words)
        return
    args = cli_parser.get_parser().parse_args(["model-lifecycle", *words])
    args.func(args)


def asking(life: Life, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Ask a command about the store of a life; the rows it prints."""

    def ask(*words: object) -> list[dict[str, Any]]:
        capsys.readouterr()  # what was logged before
        run(*map(str, words), "--store", life.store_uri, "--output", "json")
        return json.loads(capsys.readouterr().out)

    return ask
