"""A real model server of the KServe SDK, with a model repository as a team would write it."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.environments import environment
from tests.servers.process import Server, free_ports


class KServeServer(Server):
    """One server; it keeps its ports and its repository over restarts."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "models"
        self.repository.mkdir(parents=True)
        self.port, self.grpc_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        script = Path(__file__).with_name("kserve_models.py")
        # -P: beside the script lies this file, which is not the kserve that the script imports.
        command = [environment("kserve") / "python", "-P", script, self.repository, str(self.port), str(self.grpc_port)]
        env = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}
        super().__init__("KServe", command, log=folder / "kserve.log", ready=self.is_live, env=env, cwd=folder)

    def is_live(self) -> bool:
        """Whether it answers; without a model KServe calls itself not ready."""
        try:
            with urllib.request.urlopen(self.url + "/v2/health/live", timeout=5) as response:
                return bool(response.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
            return False

    def __enter__(self) -> KServeServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
