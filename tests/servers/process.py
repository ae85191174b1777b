"""One server process: a free port, a log file, a wait until it answers, and an end that leaves nothing behind."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

FIRST_PORT, LAST_PORT = 20_000, 32_000
"""Below those that Linux gives to outgoing connections, one of which may take a port that was free a moment ago."""


def free_ports(count: int = 1) -> list[int]:
    """That many free TCP ports of 127.0.0.1, all different; all processes of a user are given them in turn."""
    with (Path(tempfile.gettempdir()) / f"ports-of-{os.getuid()}").open("a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        last, found = int(counter.read() or FIRST_PORT), []
        while len(found) < count:
            last = last + 1 if last < LAST_PORT else FIRST_PORT
            if _is_free(last):
                found.append(last)
        counter.truncate(0)
        counter.write(str(last))
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listens(port: int) -> bool:
    """Whether something takes connections there."""
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A process in a session of its own, with its output in a log file.

    :param ready: answers True once the server can be used; exceptions of the network count as "not yet".
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 90,
    ) -> None:
        self.name, self.command, self.log, self.ready = name, [str(part) for part in command], log, ready
        self.env, self.cwd, self.timeout = {**os.environ, **(env or {})}, cwd, timeout
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        """Start and wait until ready; a server that ends or stays silent is an error that shows its log."""
        self.spawn()
        self.wait_ready()
        return self

    def spawn(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.env,
                cwd=self.cwd,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended before it was ready\n{self.tail()}")
            try:
                if self.ready():
                    return
            except OSError:
                pass
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"{self.name} was not ready after {self.timeout:.0f} s\n{self.tail()}")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the whole session, children included."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass

    def kill(self) -> None:
        """kill -9, as an out-of-memory killer would."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(10)

    def stop(self, grace: float = 10) -> None:
        """SIGTERM, then SIGKILL to whatever is left of the session."""
        if self.process is None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            pass
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def tail(self, lines: int = 40) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([f"--- {self.log}", *text.splitlines()[-lines:]])
