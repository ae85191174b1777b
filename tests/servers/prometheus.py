"""Prometheus, Alertmanager and the Pushgateway as Debian packages them, each on a free port of this machine."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from tests.servers.process import Server, free_ports, listens

DEBIAN_PACKAGES = {
    "/usr/bin/prometheus": "prometheus",
    "/usr/bin/promtool": "prometheus",
    "/usr/bin/prometheus-alertmanager": "prometheus-alertmanager",
    "/usr/bin/prometheus-pushgateway": "prometheus-pushgateway",
}
"""The file that each package brings."""


class Daemon(Server):
    """One daemon of the Prometheus project.

    :param path: what answers 200 once the daemon can be used.
    """

    def __init__(self, name: str, command: Sequence[str | Path], log: Path, port: int, path: str = "/-/ready") -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        super().__init__(name, command, log=log, ready=lambda: self.get(path)[0] == 200)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def restart(self) -> None:
        """End it properly and start it again, with its port and its files."""
        self.stop()
        self.start()

    def get(self, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of an answer."""
        try:
            with urllib.request.urlopen(
                urllib.request.Request(self.url + path, body, method=method), timeout=10
            ) as got:
                return got.status, got.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


class Prometheus(Daemon):
    """One Prometheus.

    :param config: its configuration as a mapping, or a file of its own that is used as it is.
    :param rules: rule files that it evaluates, besides those the configuration names.
    :param scrape: targets by job, such as ``{"scorer": ["127.0.0.1:8080"]}``, where no configuration is given.
    :param interval: between two scrapes, and two evaluations of the rules, where no configuration is given.
    :param alertmanagers: ``host:port`` of each, where no configuration is given.
    :param web: its web configuration (TLS, basic authentication), as a mapping.
    :param options: further flags.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any] | Path | None = None,
        *,
        rules: Sequence[Path] = (),
        scrape: Mapping[str, Sequence[str]] | None = None,
        interval: str = "1s",
        alertmanagers: Sequence[str] = (),
        web: Mapping[str, Any] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.config = folder, folder / "prometheus.yml"
        if isinstance(config, Path):
            self.config = config
        else:
            self.write(config or configuration(scrape or {}, interval, rules, alertmanagers))
        port = free_ports()[0]
        command = [
            "/usr/bin/prometheus",
            f"--config.file={self.config}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-lifecycle",
            "--log.level=warn",
            *options,
        ]
        if web is not None:
            (folder / "web.yml").write_text(yaml.safe_dump(dict(web)))
            command.append(f"--web.config.file={folder / 'web.yml'}")
        super().__init__("Prometheus", command, folder / "prometheus.log", port)
        if web is not None:  # it asks everybody who he is, also who asks whether it is ready
            self.ready = lambda: listens(port)

    def write(self, config: Mapping[str, Any]) -> None:
        """Write another configuration; :meth:`reload` lets it take effect."""
        self.config.write_text(yaml.safe_dump(dict(config), sort_keys=False))

    def reload(self) -> None:
        """Read the configuration and the rules again.

        :raises RuntimeError: if they are wrong; the old ones stay.
        """
        status, body = self.get("/-/reload", "POST")
        if status != 200:
            raise RuntimeError(body.decode())

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query, as its API shows them."""
        return self.api("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))["result"]

    def until(self, expression: str, timeout: float = 30) -> list[dict[str, Any]]:
        """The series of an expression once it has any."""
        deadline = time.monotonic() + timeout
        while not (found := self.ask(expression)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"no series after {timeout:.0f} s: {expression}")
            time.sleep(0.2)
        return found

    def api(self, path: str) -> Any:
        """The ``data`` of an answer of its API."""
        status, body = self.get(path)
        if status != 200:
            raise RuntimeError(f"{status} {body.decode()[:1000]}")
        return json.loads(body)["data"]


def configuration(
    scrape: Mapping[str, Sequence[str]], interval: str, rules: Sequence[Path], alertmanagers: Sequence[str]
) -> dict[str, Any]:
    """A configuration that scrapes these targets; a Pushgateway's job is named ``pushgateway``."""
    jobs = [
        {
            "job_name": job,
            # What was pushed says itself whom it is about.
            "honor_labels": job == "pushgateway",
            "static_configs": [{"targets": list(targets)}],
        }
        for job, targets in scrape.items()
    ]
    managers = [{"static_configs": [{"targets": list(alertmanagers)}]}] if alertmanagers else []
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(file) for file in rules],
        "alerting": {"alertmanagers": managers},
        "scrape_configs": jobs,
    }


class Alertmanager(Daemon):
    """One Alertmanager without a cluster.

    :param config: its configuration as a mapping, or a file of its own that is used as it is.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any] | Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.config = config if isinstance(config, Path) else folder / "alertmanager.yml"
        if not isinstance(config, Path):
            self.config.write_text(yaml.safe_dump(dict(config), sort_keys=False))
        port = free_ports()[0]
        command = [
            "/usr/bin/prometheus-alertmanager",
            f"--config.file={self.config}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=warn",
        ]
        super().__init__("Alertmanager", command, folder / "alertmanager.log", port)

    @property
    def address(self) -> str:
        """``host:port``, for a Prometheus."""
        return f"127.0.0.1:{self.port}"


class Pushgateway(Daemon):
    """One Pushgateway; it forgets everything when it ends.

    :param web: its web configuration (TLS, basic authentication), as a mapping.
    """

    def __init__(self, folder: Path, web: Mapping[str, Any] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = free_ports()[0]
        command = [
            "/usr/bin/prometheus-pushgateway",
            f"--web.listen-address=127.0.0.1:{port}",
            "--persistence.file=",  # Debian's would keep what was pushed, for every Pushgateway of this machine
            "--log.level=warn",
        ]
        if web is not None:
            (folder / "web.yml").write_text(yaml.safe_dump(dict(web)))
            command.append(f"--web.config.file={folder / 'web.yml'}")
        super().__init__("Pushgateway", command, folder / "pushgateway.log", port)
        if web is not None:
            self.ready = lambda: listens(port)

    @property
    def address(self) -> str:
        """``host:port``, for a Prometheus."""
        return f"127.0.0.1:{self.port}"


def backfill(server: Prometheus, series: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Give a server that has not started yet a past.

    :param series: points by series, such as ``{'up{job="a"}': [(seconds, value)]}``, in the order of time.
    """
    lines = []
    for name in sorted({one.partition("{")[0] for one in series}):
        lines.append(f"# TYPE {name} unknown")
        mine = [(one, points) for one, points in series.items() if one.partition("{")[0] == name]
        lines += [f"{one} {value} {at:.3f}" for one, points in mine for at, value in points]
    text = server.folder / "past.txt"
    text.write_text("\n".join([*lines, "# EOF\n"]))
    command = ["/usr/bin/promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(server.folder / "tsdb")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
