"""A real Supervisor with the configuration that the package ships, and MLflow's own server in its slots."""

from __future__ import annotations

import json
import os
import random
import socket
import stat
import sys
import time
from importlib.resources import files
from pathlib import Path

from tests.servers.environments import environment
from tests.servers.process import Server, free_ports

SLOTS = 4
LOGIN, PASSWORD = "airflow", "slots-of-mlflow"


class SupervisorServer(Server):
    """One Supervisor; it keeps its ports and its repository over restarts.

    :param preloaded: a process that has imported what MLflow's server needs, and forks it; see ``preloaded_mlflow.py``.
        Without it each slot runs ``mlflow models serve`` itself, which takes 10 to 35 s until it answers.
    """

    def __init__(self, folder: Path, preloaded: PreloadedMlflow | None = None) -> None:
        self.repository = folder / "models"
        (folder / "tmp").mkdir(parents=True)
        self.repository.mkdir()
        self.port = free_ports()[0]
        self.prefix = _free_prefix()
        self.slots = [f"127.0.0.1:{self.prefix}{number:02d}" for number in range(SLOTS)]
        places = {
            "REPOSITORY": str(self.repository),
            "HOST": "127.0.0.1",
            "PORTS": str(self.prefix),
            "LOGIN": LOGIN,
            "PASSWORD": PASSWORD,
            "SUPERVISOR": f"127.0.0.1:{self.port}",
        }
        programs = _program_folder(folder, preloaded) if preloaded else Path(sys.executable).parent
        env = {f"MODELS_{name}": place for name, place in places.items()}
        env |= {"PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(folder / "tmp"), "PYTHONWARNINGS": "ignore"}
        env |= {"MLFLOW_DISABLE_TELEMETRY": "true"}
        conf = files("model_lifecycle") / "servers" / "supervisord.conf"
        command = [environment("supervisor") / "supervisord", "--configuration", str(conf)]
        super().__init__(
            "Supervisor", command, log=folder / "supervisor.log", ready=self._answers, env=env, cwd=folder, timeout=30
        )

    def connection(self, **extra: object) -> str:
        """The JSON of an Airflow connection to it, for ``AIRFLOW_CONN_...``."""
        own = {"repository": str(self.repository), "slots": self.slots, "timeout": 60, **extra}
        where = {"conn_type": "mlflow_serving", "host": "http://127.0.0.1", "port": self.port}
        return json.dumps({**where, "login": LOGIN, "password": PASSWORD, "extra": own})

    def _answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True

    def __enter__(self) -> SupervisorServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A program that gets its signal within a few milliseconds of its start never sees it: Supervisor 4.3.
        time.sleep(0.5)
        self.stop(40)


class PreloadedMlflow(Server):
    """The process that forks MLflow's servers; started once, before any Supervisor that uses it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = folder / "socket"
        script = Path(__file__).with_name("preloaded_mlflow.py")
        env = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
        super().__init__(
            "preloaded MLflow",
            [sys.executable, "-P", script, "preload", self.socket],  # beside it lies another mlflow.py
            log=folder / "preloaded.log",
            ready=self.socket.exists,
            env=env,
            cwd=folder,
        )


def _program_folder(folder: Path, preloaded: PreloadedMlflow) -> Path:
    """A folder whose ``mlflow`` asks the preloaded process; it comes first in Supervisor's PATH."""
    program = folder / "bin" / "mlflow"
    program.parent.mkdir()
    script = Path(__file__).with_name("preloaded_mlflow.py")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{script}" "{preloaded.socket}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program.parent


def _free_prefix() -> int:
    """The first three digits of ports that are all free."""
    while True:
        prefix = random.randint(200, 320)
        try:
            for number in range(SLOTS):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", prefix * 100 + number))
            return prefix
        except OSError:
            continue
