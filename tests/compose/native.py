"""The services of docker-compose.yml as processes of this machine, without Docker.

Commands, environments and configuration files are those of the stack. Only what tells one machine from many is put in
anew: a service's name and port become a free port of the loopback address, and a volume a folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Self

from tests.compose.stack import LISTENS, NAMES, ONCE, RUNNERS, SECRETS, environment, mounts, services, stack
from tests.house.pages import ROOT
from tests.servers.hdfs import HdfsCluster
from tests.servers.process import Server, free_ports

LOOPBACK = "127.0.0.1"
PROGRAMS = {
    "prometheus": "/usr/bin/prometheus",
    "alertmanager": "/usr/bin/prometheus-alertmanager",
    "pushgateway": "/usr/bin/prometheus-pushgateway",
}
"""What the images of these begin their commands with."""
WATCHERS = (*PROGRAMS, "haproxy", "scorer-1", "scorer-2", "mlflow")
"""The services that need neither a database nor a queue."""


class Native:
    """The stack in a folder of its own, at ports of its own; :meth:`stop` ends and removes it all."""

    def __init__(self) -> None:
        # A socket's path has at most 107 characters, which pytest's folders can exceed.
        self.folder = Path(mkdtemp(prefix="stack-"))
        self.folder.chmod(0o755)
        asked = [(name, port) for name, ports in LISTENS.items() for port in sorted(ports)]
        self.ports = dict(zip(asked, free_ports(len(asked)), strict=True))
        self.servers: dict[str, Server] = {}
        self.hdfs = _hdfs(self.folder / "hdfs")
        self.ports["namenode", 9870] = self.hdfs.ports["nn.http"]
        for name in stack()["volumes"]:
            (self.folder / "volumes" / name).mkdir(parents=True)
        for name, one in stack()["secrets"].items():
            self._write(self.folder / "secrets" / name, SECRETS[one["environment"]])

    # What the services are told

    def url(self, name: str, port: int) -> str:
        """Where a port of a service is to be found here."""
        return f"http://{LOOPBACK}:{self.ports[name, port]}"

    def text(self, service: str, text: str) -> str:
        """A word of a service's command, a value of its environment or a file of its configuration, for here."""

        def here(found: re.Match[str]) -> str:
            name, port, path = found["name"], found["port"], found["path"]
            if path:
                return str(self._paths(service)[path])
            known = (service if name in {"localhost", LOOPBACK, ""} else name, int(port))
            return f"{LOOPBACK}:{self.ports[known]}" if known in self.ports else found[0]

        paths = "|".join(sorted(map(re.escape, self._paths(service)), key=len, reverse=True)) or "(?!)"
        addresses = rf"(?P<name>(?:{'|'.join(sorted(NAMES, key=len, reverse=True))}|localhost|127\.0\.0\.1)?)"
        return re.sub(
            rf"(?<![\w.@-])(?P<path>{paths})(?![\w-])|(?<![\w.-]){addresses}:(?P<port>\d{{4,5}})\b", here, text
        )

    def values(self, service: str) -> dict[str, str]:
        """A service's environment."""
        return {name: self._value(service, value) for name, value in environment(service).items()}

    def words(self, service: str) -> list[str]:
        """A service's entry point and command."""
        found = services()[service]
        words = [word for part in ("entrypoint", "command") for word in found.get(part) or []]
        own = {f"--port={port}": f"--port={here}" for (name, port), here in self.ports.items() if name == service}
        return [
            own.get(word, self.text(service, word)).replace("--host=0.0.0.0", f"--host={LOOPBACK}") for word in words
        ]

    def prepare(self, *, database: bool = False) -> None:
        """What runs once before the others; without a database where none is asked for."""
        script = self.words(ONCE)[-1]
        if not database:
            script = "\n".join(line for line in script.splitlines() if not line.startswith("exec airflow"))
        subprocess.run(["bash", "-euc", script], env=self.process_environment(ONCE), check=True, timeout=300)
        for name in WATCHERS:
            for one in mounts(name).values():
                if one["type"] == "bind":
                    self._copy(name, Path(one["source"]), self._paths(name)[one["target"]])

    def process_environment(self, service: str) -> dict[str, str]:
        """The whole environment of a process: that of the service, and where to find programs and packages."""
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        inherited = {name: os.environ[name] for name in ("HOME", "LANG", "PYTHONPATH", "TMPDIR") if name in os.environ}
        quiet = {"NO_PROXY": LOOPBACK, "no_proxy": LOOPBACK, "AIRFLOW_HOME": str(self.folder / "airflow")}
        return {**inherited, "PATH": programs, **quiet, **self.values(service)}

    # Starting and ending

    def start(self, names: Iterable[str]) -> None:
        """Start services at once and wait until each tells that it is well."""
        for name in names:
            self.servers[name] = self.server(name)
            self.servers[name].spawn()
        for name in names:
            self.servers[name].wait_ready()

    def server(self, name: str, *more: str, ready: Callable[[], bool] | None = None, **values: str) -> Server:
        """One service; what its health check asks by HTTP is what it is waited for.

        :param more: further flags. :param values: further environment.
        """
        command = [*self._program(name), *more]
        server = Server(
            name,
            command,
            log=self.folder / "log" / f"{name}.log",
            ready=ready or (lambda: self.healthy(name)),
            cwd=self.folder,
            timeout=240,
        )
        server.env = {**self.process_environment(name), **values}
        return server

    def healthy(self, name: str) -> bool:
        """Whether the URL of a service's health check answers 200."""
        test = self.text(name, " ".join(services()[name]["healthcheck"]["test"]))
        found = re.search(r"http://[\w.:/?=-]+", test)
        assert found, test
        return answer(found[0])[0] == 200

    def stop(self) -> None:
        """End every process, all at once, and remove the folder."""
        for server in self.servers.values():
            if server.alive:
                server.signal(signal.SIGTERM)
        for server in reversed(self.servers.values()):
            server.stop(grace=5)
        self.hdfs.stop()
        shutil.rmtree(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # What is put in anew

    @cache  # noqa: B019 - lives as long as the test session
    def _paths(self, service: str) -> dict[str, Path]:
        """Where a service's folders and files lie here, by the path at which it sees them."""
        found = {"/opt/model-lifecycle": ROOT} if services()[service]["image"] == "model-lifecycle:local" else {}
        for one in stack_secrets(service):
            found[one["target"]] = self.folder / "secrets" / one["source"]
        for target, one in {**_all_volumes(), **mounts(service)}.items():
            shared = one["type"] == "volume"
            found[target] = (
                self.folder
                / ("volumes" if shared else f"files/{service}")
                / (one["source"] if shared else target.strip("/"))
            )
        return found

    def _value(self, service: str, value: str) -> str:
        if not value.startswith("{"):
            return self.text(service, value)
        connection: dict[str, Any] = json.loads(self.text(service, value))
        scheme, _, host = connection.get("host", "").rpartition("//")
        if (host, connection.get("port")) in self.ports:
            connection |= {"host": f"{scheme}//{LOOPBACK}" if scheme else LOOPBACK}
            connection["port"] = self.ports[host, connection["port"]]
        return json.dumps(connection)

    def _program(self, name: str) -> list[str]:
        words = self.words(name)
        if name in PROGRAMS:
            (port,) = LISTENS[name]
            return [PROGRAMS[name], *words, f"--web.listen-address={LOOPBACK}:{self.ports[name, port]}"]
        return ["/usr/sbin/haproxy", "-db", *words[1:]] if name == "haproxy" else words

    def _copy(self, service: str, source: Path, target: Path) -> None:
        if source.is_dir():
            for one in source.iterdir():
                self._copy(service, one, target / one.name)
        else:
            self._write(target, self.text(service, source.read_text()))

    def _write(self, file: Path, text: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def stack_secrets(service: str) -> list[dict[str, str]]:
    """The secrets that a service is given, each with the path at which it finds it."""
    return list(services()[service].get("secrets", []))


@cache
def _all_volumes() -> dict[str, Any]:
    """The volumes of whatever runs tasks, which all of Airflow names."""
    return {path: one for path, one in mounts(RUNNERS[0]).items() if one["type"] == "volume"}


def _hdfs(folder: Path) -> HdfsCluster:
    """As many DataNodes as the stack has, with its settings; where files lie is the cluster's own affair."""
    prefix, own = "HDFS-SITE.XML_", ("name.dir", "data.dir", "hostname")
    told = {name.removeprefix(prefix): value for name, value in environment("namenode").items() if prefix in name}
    settings = {name: value for name, value in told.items() if not name.endswith(own)}
    datanodes = [name for name in NAMES if name.startswith("datanode-")]
    return HdfsCluster(folder, len(datanodes), int(settings["dfs.replication"]), properties=settings)


def answer(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Status and body of what a URL answers; a POST if there is a body."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=30) as found:
            return int(found.status), found.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
