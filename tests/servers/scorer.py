"""The embedded scorer as its users start it."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.process import Server, free_ports


class ScorerServer(Server):
    """One scorer on a model repository; it keeps its port and its repository over restarts.

    :param options: further flags of its command line.
    :param wait_ready: whether :meth:`start` waits for readiness, or only until it lives.
    """

    def __init__(
        self, repository: Path, log: Path, *options: str, port: int | None = None, wait_ready: bool = True
    ) -> None:
        self.repository = repository
        self.port = port or free_ports()[0]
        self.url = f"http://127.0.0.1:{self.port}"
        repository.mkdir(parents=True, exist_ok=True)
        path = "/v2/health/ready" if wait_ready else "/v2/health/live"
        command = [sys.executable, "-m", "model_lifecycle.scorer", "--repository", repository, "--port", self.port]
        super().__init__("the scorer", [*map(str, command), *options], log=log, ready=lambda: _answers(self.url + path))

    def restart(self) -> None:
        """End it properly and start it again."""
        self.stop()
        self.start()

    def __enter__(self) -> ScorerServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
