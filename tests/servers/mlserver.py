"""A real MLServer on an empty model repository, as a team would start it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.environments import environment
from tests.servers.process import Server, free_ports


class MLServerServer(Server):
    """One MLServer; it keeps its ports and its repository over restarts.

    :param workers: its ``parallel_workers``; 0 predicts and loads in the process that answers.
    """

    def __init__(self, folder: Path, workers: int = 0, **settings: object) -> None:
        self.repository = folder / "models"
        self.repository.mkdir(parents=True)
        self.port, self.grpc_port, metrics_port = free_ports(3)
        self.url, self.grpc = f"http://127.0.0.1:{self.port}", f"127.0.0.1:{self.grpc_port}"
        written = {
            "host": "127.0.0.1",
            "http_port": self.port,
            "grpc_port": self.grpc_port,
            "metrics_port": metrics_port,
            "parallel_workers": workers,
            **settings,
        }
        (self.repository / "settings.json").write_text(json.dumps(written))
        # The runtime asks MLflow for a model by its folder; nothing may be downloaded or sent.
        env = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}
        command = [environment("mlserver") / "mlserver", "start", self.repository]
        super().__init__("MLServer", command, log=folder / "mlserver.log", ready=self.is_ready, env=env, cwd=folder)

    def add_model(self, name: str, folder: Path, version: str = "1") -> None:
        """Put the settings beside a folder that MLflow saved into the repository, as its users do by hand."""
        parameters = {"version": version, "uri": "."}
        settings = {"name": name, "implementation": "mlserver_mlflow.MLflowRuntime", "parameters": parameters}
        (folder / "model-settings.json").write_text(json.dumps(settings))

    def is_ready(self) -> bool:
        """Whether all models that it has are loaded."""
        try:
            with urllib.request.urlopen(self.url + "/v2/health/ready", timeout=5) as response:
                return bool(response.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
            return False

    def __enter__(self) -> MLServerServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
