"""A PostgreSQL of Debian's package on loopback, for an Airflow that has more to do than SQLite's one writer can."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp
from typing import Self

from tests.servers.process import Server, free_ports

LOOPBACK, USER = "127.0.0.1", "airflow"


def program(name: str) -> Path:
    """A program of the newest PostgreSQL that is installed."""
    return max(programs(name), key=lambda path: int(path.parent.parent.name))


def programs(name: str) -> list[Path]:
    """A program of each PostgreSQL that is installed."""
    return list(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))


class PostgresServer(Server):
    """A cluster with one empty database, in a folder of its own that goes when it ends; it asks for no password."""

    def __init__(self, log: Path) -> None:
        self.port = free_ports()[0]
        # Not below pytest's folders: those are closed to the user whom PostgreSQL is run by.
        self.folder = Path(mkdtemp(prefix="postgres-"))
        self.owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        options = ["-p", str(self.port), "-c", f"listen_addresses={LOOPBACK}", "-c", "unix_socket_directories="]
        command = [*self.owner, program("postgres"), "-D", self.folder / "data", *options, "-c", "fsync=off"]
        super().__init__("postgres", command, log=log, ready=self._made, cwd=Path("/"))

    @property
    def url(self) -> str:
        """The database as SQLAlchemy names it."""
        return f"postgresql+psycopg2://{USER}@{LOOPBACK}:{self.port}/airflow"

    def __enter__(self) -> Self:
        if self.owner:
            shutil.chown(self.folder, "postgres")
        init = [*self.owner, program("initdb"), "-D", self.folder / "data", "-U", USER, "-A", "trust", "--no-sync"]
        subprocess.run(init, check=True, capture_output=True, timeout=120, cwd="/")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _made(self) -> bool:
        create = [program("createdb"), "-h", LOOPBACK, "-p", str(self.port), "-U", USER, "airflow"]
        made = subprocess.run(create, capture_output=True, text=True)
        return made.returncode == 0 or "already exists" in made.stderr
