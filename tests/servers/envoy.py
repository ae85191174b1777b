"""Envoy as its users run it: the envoy.yaml of the package, in a folder of its own."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from importlib.resources import files
from pathlib import Path

from tests.servers.environments import environment
from tests.servers.process import Server, free_ports


class EnvoyServer(Server):
    """One Envoy; it keeps its ports and its files over restarts."""

    def __init__(self, folder: Path) -> None:
        self.port, self.admin = free_ports(2)
        self.config = folder / "models"
        self.config.mkdir(parents=True)
        installed = files("model_lifecycle") / "routers"
        for name in ("clusters.json", "routes.json"):
            (self.config / name).write_text((installed / name).read_text())
        (folder / "envoy.yaml").write_text(self._here((installed / "envoy.yaml").read_text()))
        super().__init__(
            "Envoy",
            [environment("envoy") / "envoy", "--disable-hot-restart", "-l", "warning", "-c", folder / "envoy.yaml"],
            log=folder / "envoy.log",
            ready=self._answers,
        )

    @property
    def connection(self) -> str:
        """The JSON of an Airflow connection to it, for ``AIRFLOW_CONN_...``."""
        extra = {"admin": f"http://127.0.0.1:{self.admin}", "config": str(self.config), "timeout": 20}
        return json.dumps({"conn_type": "envoy", "host": "http://127.0.0.1", "port": self.port, "extra": extra})

    def restart(self) -> None:
        """End it properly and start it again."""
        self.stop()
        self.start()

    def _here(self, installed: str) -> str:
        places = {
            "0.0.0.0, port_value: 8080": f"127.0.0.1, port_value: {self.port}",
            "port_value: 9901": f"port_value: {self.admin}",
            "/etc/envoy/models": str(self.config),
        }
        for place, here in places.items():
            assert place in installed
            installed = installed.replace(place, here)
        return installed

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/ready", timeout=5) as response:
                return bool(response.read() == b"LIVE\n")
        except urllib.error.HTTPError as error:
            error.close()
            return False
