"""What all commands have in common: how they find connections, show their results, and say what went wrong."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from airflow.cli.simple_table import AirflowConsole
from airflow.providers.common.compat.sdk import conf
from airflow.utils.cli import suppress_logs_and_warning
from rich.markup import escape

from model_lifecycle.core.errors import Invalid, ModelLifecycleError
from model_lifecycle.hooks.registry import ModelRegistryHook, registry_hook
from model_lifecycle.hooks.store import open_store
from model_lifecycle.stores.base import ModelStore

SECTION = "model_lifecycle"
Row = Mapping[str, Any]
Command = Callable[[Any], None]


def command(function: Callable[[Any], Sequence[Row]]) -> Command:
    """A command from a function that returns rows; an error of ours is one line on stderr, and exit code 1.

    What the provider logs on the way is shown with ``--verbose`` only.
    """

    @wraps(function)
    def run(args: Any) -> None:
        # A command reads connections where the scheduler does, Airflow's own database included.
        os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
        found: list[Sequence[Row]] = []
        faults: list[str] = []

        def quiet(args: Any) -> None:
            try:
                found.append(function(args))
            except ModelLifecycleError as error:
                faults.append(" ".join(text(error).split()))

        suppress_logs_and_warning(quiet)(args)
        if faults:
            raise SystemExit(f"{type_of(function)}: {faults[0]}")
        show(found[0], args.output)

    return run


def type_of(function: Callable[..., Any]) -> str:
    """How the command is called."""
    return f"airflow model-lifecycle {function.__name__}"


def show(rows: Sequence[Row], output: str) -> None:
    """Print rows: JSON and YAML with their types, tables as text."""
    console = AirflowConsole()
    if output in ("json", "yaml"):
        printed: Any = [dict(row) for row in rows]
        print_as: Callable[[Any], None] = console.print_as_json if output == "json" else console.print_as_yaml
        print_as(printed)
    else:
        # Tables are printed by rich, to which square brackets are markup.
        cells = [{name: text(value) for name, value in row.items()} for row in rows]
        if output == "table":
            cells = [{name: escape(cell) for name, cell in row.items()} for row in cells]
        console.print_as(cells, output)


def text(value: Any) -> str:
    """A value in a cell of a table."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {text(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value))
    # A reason may come from anybody: no control character of it reaches the terminal.
    return "".join(one if one.isprintable() else " " for one in str(value))


def store_of(args: Any) -> ModelStore:
    """The store that the command names, or that of the configuration.

    :raises Invalid: if neither names one.
    """
    return open_store(store_uri(args))


def store_uri(args: Any) -> str:
    """The URI of the store that the command names, or that of the configuration."""
    uri = args.store or conf.get(SECTION, "store", fallback=None)
    if not uri:
        raise Invalid("no model store is named", hint="pass --store or set [model_lifecycle] store")
    return str(uri)


def registry_connection(args: Any) -> str:
    """The registry connection that the command names, or that of the configuration."""
    return str(args.registry_conn_id or conf.get(SECTION, "registry_conn_id", fallback="mlflow_default"))


def registry_of(args: Any) -> ModelRegistryHook:
    """The registry that the command names, or that of the configuration."""
    return registry_hook(registry_connection(args))


def shell_user() -> dict[str, str]:
    """Who acts, for the ledger: the user of this shell, and where."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return {"user": user, "host": socket.gethostname(), "by": "airflow model-lifecycle"}
