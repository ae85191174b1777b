"""PostgreSQL, Redis and Airflow of the native stack: the same commands and environments, at ports of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.compose.native import LOOPBACK, Native
from tests.compose.stack import AIRFLOW, services
from tests.servers.airflow import MISSED_SOON, AirflowProcess, session_members
from tests.servers.airflow_api import AirflowApi, wait_until
from tests.servers.process import Server, free_ports

IMPATIENT = {
    **MISSED_SOON,
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
}
"""How soon it notices that a worker has died: ``docs/deployment.md`` tells what each is for."""
SHORT = {"FLIGHTS_LAST_MONTH": "2"}
"""One month is enough to see that months are worked off."""

COMPONENTS = ("airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
WORKERS = ("airflow-worker-1", "airflow-worker-2")


class NativeAirflow:
    """Airflow with its database, its queue and its two workers.

    :param native: the stack that it belongs to, prepared by it.
    """

    def __init__(self, native: Native) -> None:
        self.native = native
        self.url = native.url(AIRFLOW, 8080)

    def start(self) -> None:
        """Start the database and the queue, prepare both, then start Airflow and wait until all of it is well.

        :raises RuntimeError: if Debian packages are missing, named.
        """
        if missing := missing_packages():
            raise RuntimeError(f"the stack needs Debian packages: apt-get install {' '.join(missing)}")
        self._run(self._postgres(), self._redis())
        self.native.prepare(database=True)
        self._run(self._airflow(AIRFLOW, ready=self._answers))
        others = [self._airflow(name, ready=lambda name=name: self._alive(name)) for name in COMPONENTS]
        workers = [self._worker(name) for name in WORKERS]
        self._run(*others, *workers)

    @property
    def api(self) -> AirflowApi:
        """The REST API, logged in as the only user, with the password that Airflow made up."""
        file = self.native.folder / "volumes" / "auth" / "passwords.json"
        return AirflowApi(self.url, "admin", json.loads(file.read_text())["admin"])

    def check(self, name: str) -> int:
        """Run a service's own health check, as Docker would; 0 says that it is well."""
        kind, *words = services()[name]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        script = words[0].replace("$$", "$").replace("celery@$HOSTNAME", f"{name}@$HOSTNAME")
        env = {**self._environment(name), "HOSTNAME": os.uname().nodename}
        return subprocess.run(["bash", "-c", script], env=env, capture_output=True, timeout=120).returncode

    def working(self) -> set[str]:
        """The workers that run a task just now."""
        return {name for name in WORKERS if _groups(self.native.servers[name].pid)}

    def taken(self) -> int:
        """How many messages workers have taken out of the queue and not worked off."""
        return int(self._queue("hlen", "unacked"))

    def tasks_done(self, name: str) -> int:
        """How many messages a worker has worked off."""
        return self.native.servers[name].log.read_text().count(" succeeded in ")

    def revive(self) -> None:
        """Start the workers that have died."""
        self._run(*(self._worker(name) for name in WORKERS if not self.native.servers[name].alive))

    def wait_dead(self, name: str) -> None:
        """Wait until a worker that was told to stop has ended."""
        wait_until(lambda: not self.native.servers[name].alive, 120, lambda: f"{name} goes on")

    def _run(self, *servers: Server) -> None:
        for server in servers:
            self.native.servers[server.name] = server
            server.spawn()
        for server in servers:
            server.wait_ready()

    def _answers(self) -> bool:
        return AirflowApi(self.url, "", "").healthy()

    def _alive(self, name: str) -> bool:
        return AirflowApi(self.url, "", "").healthy(name.removeprefix("airflow-"))

    def _postgres(self) -> Server:
        """A cluster that asks for the password, as its image makes one."""
        data = self.native.folder / "volumes" / "postgres"
        user, port = self.native.values("postgres")["POSTGRES_USER"], str(self.native.ports["postgres", 5432])
        as_owner = self._make_cluster(data, user)
        options = ["-p", port, "-c", f"listen_addresses={LOOPBACK}", "-c", f"unix_socket_directories={data}"]
        ready = [_postgres("pg_isready"), "-h", LOOPBACK, "-p", port, "-U", user]
        return Server(
            "postgres",
            [*as_owner, _postgres("postgres"), "-D", data, *options, "-c", "fsync=off"],
            log=self.native.folder / "log" / "postgres.log",
            ready=lambda: subprocess.run(ready, capture_output=True).returncode == 0 and self._database(user, port),
            cwd=self.native.folder,
        )

    def _make_cluster(self, data: Path, user: str) -> list[str]:
        password = self.native.folder / "password"
        password.write_text(self.native.values("postgres")["POSTGRES_PASSWORD"])
        as_owner = []
        if os.geteuid() == 0:  # PostgreSQL refuses to be run by root
            as_owner = ["runuser", "-u", "postgres", "--"]
            for path in (data, password):
                shutil.chown(path, "postgres")
        init = ["-D", data, "-U", user, f"--pwfile={password}", "-A", "scram-sha-256", "--no-sync"]
        subprocess.run([*as_owner, _postgres("initdb"), *init], check=True, capture_output=True, timeout=120)
        return as_owner

    def _database(self, user: str, port: str) -> bool:
        """Whether the database is there, which the image makes when it starts."""
        wanted = self.native.values("postgres")
        made = subprocess.run(
            [_postgres("createdb"), "-h", LOOPBACK, "-p", port, "-U", user, wanted["POSTGRES_DB"]],
            env={**os.environ, "PGPASSWORD": wanted["POSTGRES_PASSWORD"]},
            capture_output=True,
            text=True,
        )
        return made.returncode == 0 or "already exists" in made.stderr

    def _redis(self) -> Server:
        port = str(self.native.ports["redis", 6379])
        words = [*self.native.words("redis"), "--port", port, "--bind", LOOPBACK]
        log = self.native.folder / "log" / "redis.log"
        return Server("redis", words, log=log, ready=lambda: self._queue("ping") == "PONG", cwd=self.native.folder)

    def _queue(self, *words: str) -> str:
        """What Redis answers."""
        env = {**os.environ, "REDISCLI_AUTH": self.native.values("redis")["REDISCLI_AUTH"]}
        asked = ["redis-cli", "-p", str(self.native.ports["redis", 6379]), *words]
        return subprocess.run(asked, env=env, capture_output=True, text=True).stdout.strip()

    def _environment(self, name: str) -> dict[str, str]:
        api, logs, triggers = free_ports(3)
        port = self.native.ports[AIRFLOW, 8080] if name == AIRFLOW else api
        small = {
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.native.folder / "volumes" / "logs"),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(triggers),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(logs),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        }
        return {**self.native.process_environment(name), **small, **IMPATIENT, **SHORT}

    def _airflow(self, name: str, *more: str, ready: object) -> Server:
        return AirflowProcess(
            name,
            ["airflow", *self.native.words(name), *more],
            log=self.native.folder / "log" / f"{name}.log",
            ready=ready,
            env=self._environment(name),
            cwd=self.native.folder,
            timeout=240,
        )

    def _worker(self, name: str) -> Server:
        # On one machine two workers need two names. That it is ready it says itself, and asking costs a process.
        log = self.native.folder / "log" / f"{name}.log"
        said = log.read_text().count(" ready.") if log.exists() else 0
        ready = lambda: log.read_text().count(" ready.") > said  # noqa: E731
        return self._airflow(name, "--celery-hostname", f"{name}@%h", ready=ready)


def _groups(leader: int) -> set[int]:
    """The process groups of a session but that of its leader: a task has one of its own."""
    found = set()
    for pid in session_members(leader):
        try:
            found.add(os.getpgid(pid))
        except ProcessLookupError:
            continue
    return found - {leader}


def missing_packages() -> list[str]:
    """The Debian packages to install before this works; neither has to run as a service of the machine."""
    found = {"postgresql": _programs("postgres"), "redis-server": Path("/usr/bin/redis-server").exists()}
    return [package for package, there in found.items() if not there]


def _postgres(program: str) -> Path:
    """A program of the newest PostgreSQL that is installed."""
    return max(_programs(program), key=lambda path: int(path.parent.parent.name))


def _programs(name: str) -> list[Path]:
    return list(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
