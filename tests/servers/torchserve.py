"""TorchServe as teams start it: keys and metrics as they are by default, the model API on, no snapshots."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.environments import environment
from tests.servers.mms import low_ports
from tests.servers.process import Server

# Two cores are shared with everything else: few threads, a small heap.
CONFIG = """\
inference_address=http://127.0.0.1:{}
management_address=http://127.0.0.1:{}
metrics_address=http://127.0.0.1:{}
grpc_inference_port={}
grpc_management_port={}
metrics_mode=prometheus
number_of_netty_threads=2
netty_client_threads=1
disable_system_metrics=true
vmargs=-Xmx256m -XX:+UseSerialGC
"""


class TorchServe(Server):
    """One TorchServe on a folder of its own: ``store`` holds its archives, ``key_file`` its keys.

    :param options: further flags of its command line.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.archives, self.key_file = folder / "store", folder / "key_file.json"
        temporary = folder / "tmp"
        for each in (self.archives, temporary):
            each.mkdir(parents=True)
        self.port, self.management_port, *others = low_ports(5)
        config = folder / "config.properties"
        config.write_text(CONFIG.format(self.port, self.management_port, *others))
        command = [environment("torchserve") / "torchserve", "--start", "--foreground", "--ncs", "--ts-config", config]
        super().__init__(
            "TorchServe",
            [*command, "--model-store", self.archives, *options],
            log=folder / "torchserve.log",
            ready=self._is_ready,
            # It keeps its process id in the folder for temporary files, and refuses to be started twice there.
            env={"TMPDIR": str(temporary), "TEMP": str(temporary)},
            cwd=folder,
        )

    def key(self, api: str) -> str:
        return str(json.loads(self.key_file.read_text())[api]["key"])

    def call(self, method: str, path: str, *, api: str = "management", body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of one call of the management or the inference API, with the key of that API."""
        port = self.management_port if api == "management" else self.port
        headers = {"Authorization": f"Bearer {self.key(api)}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def rotate(self, api: str) -> None:
        """Let the server make a new key for that API; the old one is worth nothing from now on."""
        url, key = f"http://127.0.0.1:{self.management_port}/token?type={api}", self.key("API")
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(request, timeout=10):
            pass

    def forget_all(self) -> None:
        """Unregister whatever a test left, so that its workers do not stand in the next one's way."""
        for model in json.loads(self.call("GET", "/models?limit=1000")[1])["models"]:
            path = f"/models/{model['modelName']}"
            default = json.loads(self.call("GET", path)[1])[0]["modelVersion"]
            for entry in json.loads(self.call("GET", f"{path}/all")[1]):
                if entry["modelVersion"] != default:
                    self.call("DELETE", f"{path}/{entry['modelVersion']}")
            self.call("DELETE", f"{path}/{default}")

    def _is_ready(self) -> bool:
        try:
            return self.key_file.exists() and self.call("GET", "/models")[0] == 200
        except ValueError:
            return False  # it is writing its keys

    def __enter__(self) -> TorchServe:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
