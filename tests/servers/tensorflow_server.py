"""The protocol double of TensorFlow Serving as a process (tensorflow_double.py); no real server could be had."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from tests.servers.environments import environment
from tests.servers.process import Server, free_ports

QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TF_ENABLE_ONEDNN_OPTS": "0"}
HERE = Path(__file__).parent


class TensorflowDouble(Server):
    """One double on a repository; it keeps its ports over restarts.

    :param options: further flags of the real server's command line.
    """

    def __init__(self, repository: Path, log: Path, *options: str) -> None:
        self.repository, (self.port, self.rest_port) = repository, free_ports(2)
        self.config = repository / "models.config"
        repository.mkdir(parents=True, exist_ok=True)
        self.config.touch()
        command = [
            environment("tensorflow") / "python",
            # Without -P the modules beside the program would hide the packages of the same names.
            *("-P", HERE / "tensorflow_double.py", f"--port={self.port}", f"--rest_api_port={self.rest_port}"),
            *(f"--model_config_file={self.config}", "--allow_version_labels_for_unavailable_models=true"),
            *("--file_system_poll_wait_seconds=0.1", *options),
        ]
        name = "the protocol double of TensorFlow Serving"
        super().__init__(name, command, log=log, ready=self._listens, env=QUIET)

    @property
    def rest(self) -> str:
        return f"http://127.0.0.1:{self.rest_port}"

    def __enter__(self) -> TensorflowDouble:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _listens(self) -> bool:
        for port in (self.port, self.rest_port):
            socket.create_connection(("127.0.0.1", port), 1).close()
        return True


def write_models(folder: Path) -> Path:
    """The SavedModels of tensorflow_models.py, which are written where TensorFlow is."""
    command = [environment("tensorflow") / "python", "-P", HERE / "tensorflow_models.py", folder]
    subprocess.run(command, check=True, env=QUIET, capture_output=True)
    return folder
