"""multi-model-server as teams start it."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.environments import environment
from tests.servers.process import Server

# Two cores are shared with everything else: few threads, a small heap. And the server parses no bodies: one that is no
# JSON would kill the worker.
CONFIG = """\
inference_address=http://127.0.0.1:{}
management_address=http://127.0.0.1:{}
model_store={}
number_of_netty_threads=2
netty_client_threads=1
default_workers_per_model=1
decode_input_request=false
vmargs=-Xmx256m -XX:+UseSerialGC
"""


def low_ports(count: int) -> list[int]:
    """Free ports that this kind of server takes: it refuses those above 32,767, where the system hands out others."""
    found: list[int] = []
    for port in random.sample(range(15000, 32767), 1000):
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no port is free")


class MultiModelServer(Server):
    """One server on a folder of its own: ``archives`` holds what it loads."""

    def __init__(self, folder: Path) -> None:
        self.archives, temporary = folder / "store", folder / "tmp"
        for each in (self.archives, temporary):
            each.mkdir(parents=True)
        self.port, self.management_port = low_ports(2)
        config = folder / "config.properties"
        config.write_text(CONFIG.format(self.port, self.management_port, self.archives))
        super().__init__(
            "multi-model-server",
            [environment("mms") / "multi-model-server", "--start", "--foreground", "--mms-config", config],
            log=folder / "mms.log",
            ready=lambda: self.call("GET", "/models")[0] == 200,
            # It keeps its process id in the folder for temporary files, and refuses to be started twice there.
            env={"TMPDIR": str(temporary), "TEMP": str(temporary)},
            cwd=folder,
        )

    def call(self, method: str, path: str) -> tuple[int, bytes]:
        """Status and body of one call of the management API."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.management_port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def forget_all(self) -> None:
        """Unregister whatever a test left, so that its workers do not stand in the next one's way."""
        for model in json.loads(self.call("GET", "/models?limit=100")[1])["models"]:
            self.call("DELETE", f"/models/{model['modelName']}")

    def __enter__(self) -> MultiModelServer:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
