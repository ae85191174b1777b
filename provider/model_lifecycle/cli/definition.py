"""What ``airflow model-lifecycle`` can be asked; read by every ``airflow`` command, so it imports nothing of ours."""

from __future__ import annotations

from airflow.cli.cli_config import (
    ARG_OUTPUT,
    ARG_VERBOSE,
    ARG_YES,
    ActionCommand,
    Arg,
    GroupCommand,
    lazy_load_command,
)

ARG_STORE = Arg(("--store",), help="URI of the model store; [model_lifecycle] store by default")
ARG_REGISTRY = Arg(
    ("--registry-conn-id",), help="Connection of the registry; [model_lifecycle] registry_conn_id by default"
)
ARG_ENDPOINT = Arg(("endpoint",), help="<serving connection>/<model>")
ARG_ENDPOINTS = Arg(("endpoint",), nargs="*", help="<serving connection>/<model>; every endpoint of the store if none")
ARG_LIMIT = Arg(("--limit",), type=int, default=5, help="How many releases, the newest (default: 5)")
ARG_URI = Arg(("uri",), help="An artifact URI, or models:/<name>/<version>, or models:/<name>@<alias>")
ARG_ONE = Arg(("one",), metavar="from", help="models:/<name>/<version> or models:/<name>@<alias>")
ARG_OTHER = Arg(("other",), metavar="to", help="The same, of the version to compare it with")
ARG_REASON = Arg(("--reason",), required=True, help="Why, for the ledger")
ARG_TO = Arg(("--to",), help="A version, its model URI or an alias' URI; the last good version by default")
ARG_GRACE = Arg(
    ("--grace",), type=float, default=120.0, help="Seconds a release must have been still to be taken for abandoned"
)
ARG_MODELS = Arg(("--model",), action="append", help="Only this model; may be given more than once")
ARG_KEEP = Arg(("--keep",), type=int, default=10, help="How many of the newest versions stay (default: 10)")
ARG_BACK = Arg(
    ("--ways-back",), type=int, default=3, help="How many good versions before what serves stay, 1 or more (default: 3)"
)
ARG_DRY_RUN = Arg(("--dry-run",), action="store_true", help="Only say what would be deleted")

_WHERE = (ARG_STORE, ARG_REGISTRY, ARG_OUTPUT, ARG_VERBOSE)


def _command(name: str, module: str, text: str, *args: Arg) -> ActionCommand:
    function = lazy_load_command(f"model_lifecycle.cli.{module}.{name}")
    return ActionCommand(name=name, help=text, func=function, args=(*args, *_WHERE))


def get_cli_commands() -> list[GroupCommand]:
    """One group of commands; what each does is imported when it runs."""
    commands = (
        _command("status", "endpoints", "What serves where, since when, and the way back", ARG_ENDPOINTS),
        _command("history", "endpoints", "What happened to an endpoint, from its ledger", ARG_ENDPOINT, ARG_LIMIT),
        _command("verify", "versions", "Fetch an artifact and prove every byte of it", ARG_URI),
        _command("diff", "versions", "Files, signature, metrics and profile of two versions", ARG_ONE, ARG_OTHER),
        _command("rollback", "changes", "Bring back the last good version", ARG_ENDPOINT, ARG_REASON, ARG_TO, ARG_YES),
        _command("reconcile", "changes", "End what dead tasks have left", ARG_ENDPOINTS, ARG_GRACE),
        _command(
            *("gc", "retention", "Delete the artifacts of old versions that nothing needs"),
            *(ARG_MODELS, ARG_KEEP, ARG_BACK, ARG_DRY_RUN, ARG_YES),
        ),
    )
    return [
        GroupCommand(
            name="model-lifecycle",
            help="Models: what serves, what happened, and the way back",
            subcommands=commands,
        )
    ]
