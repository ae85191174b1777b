"""The same commands without ``airflow`` before them: Airflow 3.1 asks no provider for commands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from model_lifecycle.cli.definition import get_cli_commands


def parser() -> argparse.ArgumentParser:
    """Every command of the group, with the arguments that ``airflow model-lifecycle`` gives it."""
    [group] = get_cli_commands()
    found = argparse.ArgumentParser(prog="python -m model_lifecycle.cli", description=group.help)
    commands = found.add_subparsers(required=True, metavar="COMMAND")
    for command in group.subcommands:
        one = commands.add_parser(command.name, help=command.help, description=command.help)
        for argument in command.args:
            argument.add_to_parser(one)
        one.set_defaults(func=command.func)
    return found


def ask(words: Sequence[str] | None = None) -> None:
    """Do what the words say, or those of the command line."""
    args = parser().parse_args(words)
    args.func(args)


if __name__ == "__main__":
    ask()
