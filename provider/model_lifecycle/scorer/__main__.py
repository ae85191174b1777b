"""``python -m model_lifecycle.scorer --repository DIR``: serve the models below a folder."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from model_lifecycle.core.errors import ModelLifecycleError

if TYPE_CHECKING:
    from model_lifecycle.scorer.prediction_log import LogSettings

_EPILOG = """\
DIR/<model>/<version>/ holds an MLflow model and the _manifest.json of its artifact; the server downloads nothing.
Loading a model runs the code it brings: who may write to DIR decides what runs here. There is no authentication:
who reaches the port may load, route and unload. Keep it on 127.0.0.1 or behind a proxy that knows its callers.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the requests that are being answered are finished first."""
    options = _parser().parse_args(arguments)
    _quieten()
    logging.basicConfig(level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Imported late: --help must not wait for MLflow.
    import uvicorn

    from model_lifecycle.scorer.server import Settings, create_app

    try:
        app = create_app(
            Settings(
                options.repository,
                options.threads,
                options.max_body,
                options.predict_timeout,
                options.allow_unverified,
                log=_log_settings(options),
                grace=options.grace,
            )
        )
    except ModelLifecycleError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's error
        return 1
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,
        server_header=False,
        # Longer than the pools of common clients: the side that does not send should not hang up first.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=options.grace,
    )
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # raised again by uvicorn, after it has ended properly
        server.run()
    return 0 if server.started else 3


def command() -> None:
    """The console script: a model that loads or predicts for ever does not keep the process alive."""
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _log_settings(options: argparse.Namespace) -> LogSettings | None:
    from model_lifecycle.scorer.prediction_log import LogSettings

    if options.log_predictions is None:
        return None
    return LogSettings(
        options.log_predictions, options.log_share, options.log_rows, options.log_seconds, options.log_pinned
    )


def _quieten() -> None:
    """Nothing is phoned home, looked up or compiled beside a proven folder's files."""
    sys.dont_write_bytecode = True
    knobs = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "PROMETHEUS_DISABLE_CREATED_SERIES": "true",
    }
    for name, value in knobs.items():
        os.environ.setdefault(name, value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "model-lifecycle-scorer",
        description="Serve MLflow models by the Open Inference Protocol v2.",
        epilog=_EPILOG,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--repository", type=_folder, required=True, metavar="DIR", help="the model repository")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=8080, help="port to listen on")
    add("--threads", type=_positive, default=4, help="predictions that run at once")
    add("--max-body", type=_positive, default=64 * 2**20, metavar="BYTES", help="largest request")
    add("--predict-timeout", type=float, default=60.0, metavar="SECONDS", help="give a prediction up after")
    add("--grace", type=_positive, default=30, metavar="SECONDS", help="time to finish requests at the end")
    add("--allow-unverified", action="store_true", help="load folders without a manifest that proves them")
    add("--log-predictions", metavar="PLACE", help="log answers below a folder or webhdfs://host:port/path")
    add("--log-share", type=float, default=0.1, metavar="SHARE", help="of the requests to log, up to 1, by their id")
    add("--log-rows", type=_positive, default=10_000, metavar="ROWS", help="write a log file when it has so many")
    add("--log-seconds", type=float, default=60.0, metavar="SECONDS", help="write a log file after")
    add("--log-pinned", action="store_true", help="log requests whose path names a version: behind a router")
    add("--log-level", choices=["debug", "info", "warning", "error"], default="info", help="what to log, to stderr")
    return parser


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return path


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


if __name__ == "__main__":
    command()
