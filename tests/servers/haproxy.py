"""HAProxy as its users run it: the haproxy.cfg of the package, in folders of its own."""

from __future__ import annotations

import json
import socket
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp

from tests.servers.process import Server, free_ports


class HaproxyServer(Server):
    """One HAProxy; it keeps its port, its socket and its maps over restarts."""

    def __init__(self, folder: Path) -> None:
        self.port = free_ports()[0]
        # A path of at most 107 characters, which pytest's folders can exceed.
        self.socket = Path(mkdtemp(prefix="haproxy-")) / "socket"
        self.maps = folder / "maps"
        self.maps.mkdir(parents=True)
        for name in ("traffic.map", "targets.map"):
            (self.maps / name).touch()
        places = {"BIND": f"127.0.0.1:{self.port}", "SOCKET": str(self.socket), "MAPS": str(self.maps)}
        super().__init__(
            "HAProxy",
            ["/usr/sbin/haproxy", "-db", "-f", str(files("model_lifecycle") / "routers" / "haproxy.cfg")],
            log=folder / "haproxy.log",
            ready=self._answers,
            env={f"MODELS_{name}": place for name, place in places.items()},
        )

    @property
    def connection(self) -> str:
        """The JSON of an Airflow connection to it, for ``AIRFLOW_CONN_...``."""
        extra = {"socket": str(self.socket), "maps": str(self.maps), "timeout": 20}
        return json.dumps({"conn_type": "haproxy", "host": "http://127.0.0.1", "port": self.port, "extra": extra})

    def restart(self) -> None:
        """End it properly and start it again."""
        self.stop()
        self.start()

    def stop(self, grace: float = 10) -> None:
        super().stop(grace)
        self.socket.unlink(missing_ok=True)

    def remove(self) -> None:
        """End it and remove what lies outside its folder."""
        self.stop()
        self.socket.parent.rmdir()

    def _answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
