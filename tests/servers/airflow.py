"""A real Airflow on loopback: API server, scheduler with a LocalExecutor, DAG processor and triggerer on SQLite.

Four processes instead of ``airflow standalone``, which starts the same four: each can be watched and killed by itself.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.airflow_api import AirflowApi
from tests.servers.process import Server, free_ports

ADMIN = "admin"
COMPONENTS = ("scheduler", "dag-processor", "triggerer")
MISSED_SOON = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}
"""How soon Airflow takes a silent task for dead; five minutes by default."""
IMPATIENT = {
    **MISSED_SOON,
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
}
"""The same of schedulers and triggerers too."""

# What a small machine needs to answer within a second or two: short pauses, few processes, no log servers (the API
# server reads the log files itself), and patience with SQLite's one writer.
_TUNED = {
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "5",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}


class AirflowServer:
    """One Airflow whose files all lie under ``folder``; started again in the same folder it is the same Airflow.

    :param dags: the folder of DAG files.
    :param env: more environment for every process: configuration, connections as ``AIRFLOW_CONN_...``, and so on.
    :param parallelism: how many tasks run at once.
    :param preload: heavy modules that tasks need, imported once and not by every task that is forked.
    :param template: an empty, migrated database to copy instead of migrating one: see :meth:`prepare`.
    :param port: the port of the API server and the UI, or 0 for a free one.
    :param components: what runs besides the API server.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dags: Path,
        env: Mapping[str, str] | None = None,
        parallelism: int = 3,
        preload: Sequence[str] = (),
        template: Path | None = None,
        port: int = 0,
        components: Sequence[str] = COMPONENTS,
    ) -> None:
        self.components = tuple(components)
        self.folder, self.dags, self.template = Path(folder).absolute(), Path(dags).absolute(), template
        self.port = port or free_ports()[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {"AIRFLOW__CORE__PARALLELISM": str(parallelism), **_preloading(preload), **(env or {})}
        self.servers: dict[str, Server] = {}
        self._commands: set[subprocess.Popen[str]] = set()
        self._stopped = False
        self._api: AirflowApi | None = None

    @property
    def database(self) -> Path:
        """The SQLite file; copied after :meth:`prepare` and before :meth:`spawn` it is a template for others."""
        return self.folder / "airflow.db"

    @property
    def password(self) -> str:
        """The password of :data:`ADMIN`: made up once and kept in the folder."""
        file = self.folder / "passwords.json"
        if not file.exists():
            _write_private(file, json.dumps({ADMIN: secrets.token_urlsafe(12)}))
        return str(json.loads(file.read_text())[ADMIN])

    @property
    def env(self) -> dict[str, str]:
        """The whole environment of an ``airflow`` command that belongs to this server."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        return {**inherited, **_TUNED, **self.own_env}

    @property
    def own_env(self) -> dict[str, str]:
        """What tells this server from any other, and what its DAGs were promised."""
        secret = self._secret()
        return {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": secret,
            "AIRFLOW__API_AUTH__JWT_SECRET": secret,
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.folder / "passwords.json"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
            # A writer of SQLite waits for the other writers this many seconds.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}?timeout=60",
            **self.settings,
        }

    @property
    def api(self) -> AirflowApi:
        """The REST API, logged in."""
        if self._api is None:
            self._api = AirflowApi(self.url, ADMIN, self.password)
        return self._api

    def start(self) -> Self:
        """Start everything and wait until every component is healthy.

        :raises RuntimeError: if one ends instead, with its log, or if another thread calls :meth:`stop` meanwhile.
        """
        self._stopped = False
        self.prepare()
        self.spawn()
        self.wait_ready()
        return self

    def prepare(self) -> None:
        """Make the folder, the login and, if there is none, the database."""
        self.folder.mkdir(parents=True, exist_ok=True)
        assert self.password
        if self.database.exists():
            return
        if self.template is not None:
            shutil.copyfile(self.template, self.database)
        else:
            self.command("db", "migrate")

    def spawn(self) -> None:
        """Start the four processes without waiting for any."""
        port = ("--host", "127.0.0.1", "--port", str(self.port))
        self.servers = {"api-server": self._server("api-server", *port)}
        for name in self.components:
            quiet = () if name == "dag-processor" else ("--skip-serve-logs",)
            self.servers[name] = self._server(name, *quiet)
        for server in list(self.servers.values()):
            if self._stopped:
                raise RuntimeError("Airflow was stopped while it started")
            server.spawn()

    def wait_ready(self) -> None:
        """Wait until every component is healthy; one that ends instead is an error that shows its log."""
        try:
            for server in list(self.servers.values()):
                server.wait_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything, running tasks included; the data stay."""
        self._stopped = True
        for command in list(self._commands):
            command.kill()
        servers, self.servers = list(self.servers.values()), {}
        for server in servers:
            if server.alive:
                server.signal(signal.SIGTERM)
        for server in reversed(servers):
            server.stop(grace=5)

    def command(self, *arguments: str, timeout: float = 300) -> str:
        """Run ``airflow ...`` against this server's home and return what it prints.

        :raises RuntimeError: if it fails, with what it printed last.
        """
        process = subprocess.Popen(
            [*_AIRFLOW, *arguments],
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._commands.add(process)
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
        finally:
            self._commands.discard(process)
        if process.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)}: exit {process.returncode}\n{errors[-4000:]}")
        return output

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _server(self, name: str, *arguments: str) -> Server:
        return AirflowProcess(
            f"airflow {name}",
            [*_AIRFLOW, name, *arguments],
            log=self.folder / "logs" / f"{name}.log",
            ready=lambda: self.api.healthy(None if name == "api-server" else name),
            env=self.env,
            cwd=self.folder,
            timeout=180,
        )

    def _secret(self) -> str:
        file = self.folder / "secret"
        if not file.exists():
            _write_private(file, secrets.token_hex(48))
        return file.read_text()


class AirflowProcess(Server):
    """A process whose environment is exactly what it is given, and whose tasks die with it."""

    def __init__(self, *arguments: object, env: Mapping[str, str], **options: object) -> None:
        super().__init__(*arguments, env={}, **options)  # type: ignore[arg-type]
        self.env = dict(env)

    def kill(self) -> None:
        """kill -9 to the process and to the tasks it runs."""
        members = session_members(self.pid)
        super().kill()
        _kill_all(members)

    def stop(self, grace: float = 10) -> None:
        """SIGTERM, then SIGKILL to whatever is left, tasks included: they have process groups of their own."""
        if self.process is None:
            return
        members = session_members(self.pid)
        super().stop(grace)
        _kill_all({*members, *session_members(self.pid)})


def session_members(leader: int) -> set[int]:
    """The processes of a session, whatever group they are in."""
    return {pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _session(pid) == leader}


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _kill_all(pids: set[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _write_private(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)


def _preloading(modules: Sequence[str]) -> dict[str, str]:
    """The settings that make the scheduler fork its tasks from a process that has these modules, and Airflow's own."""
    if not modules:
        return {}
    return {
        "AIRFLOW__SCHEDULER__MP_START_METHOD": "forkserver",
        "AIRFLOW__CORE__MP_FORKSERVER_PRELOAD": ",".join([*_TASK_MODULES, *modules]),
    }


_AIRFLOW = (sys.executable, "-m", "airflow")
_TASK_MODULES = (
    "airflow.executors.local_executor",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.dag_processing.dagbag",
    "airflow.providers.standard.decorators.python",
    "airflow.serialization.serialized_objects",
)
