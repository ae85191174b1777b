"""A real MLflow server: tracking and registry on SQLite, one worker, loopback only."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import requests

from tests.servers.process import Server, free_ports

ADMIN = ("admin", "a-long-admin-password")
DATABASE = "mlflow.db"


class MlflowServer(Server):
    """A server that keeps everything it writes under ``root`` and answers at ``url``.

    :param basic_auth: ask every caller for a user and a password; :data:`ADMIN` may do all.
    :param template: the root of another server, whose database is copied instead of being built anew.
    :param port: the port to listen on, or 0 for a free one.
    """

    def __init__(self, root: Path, *, basic_auth: bool = False, template: Path | None = None, port: int = 0) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root, self.port = root, port or free_ports()[0]
        self.url = f"http://127.0.0.1:{self.port}"
        if template is not None and not self.database.exists():
            # The other server may be writing: only SQLite itself copies a database whole.
            with closing(sqlite3.connect(template / DATABASE)) as old, closing(sqlite3.connect(self.database)) as new:
                old.backup(new)
        super().__init__(
            "mlflow",
            [*self._command(), *(["--app-name", "basic-auth"] if basic_auth else [])],
            log=root / "mlflow.log",
            ready=lambda: requests.get(f"{self.url}/health", timeout=5).status_code == 200,
            env={**_QUIET, **(_authentication(root) if basic_auth else {})},
            cwd=root,
            timeout=180,
        )

    @property
    def database(self) -> Path:
        """The SQLite file that holds the registry."""
        return self.root / DATABASE

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-W", "ignore", "-m", "mlflow", "server"),
            *("--backend-store-uri", f"sqlite:///{self.database}"),
            *("--artifacts-destination", (self.root / "artifacts").as_uri()),
            *("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"),
        ]


# No job runner (four more processes), no call home.
_QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


def _authentication(root: Path) -> dict[str, str]:
    config = root / "basic_auth.ini"
    config.write_text(
        "[mlflow]\n"
        "default_permission = READ\n"
        f"database_uri = sqlite:///{root / 'basic_auth.db'}\n"
        f"admin_username = {ADMIN[0]}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "only-for-tests-and-the-demo",
    }
