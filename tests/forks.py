"""Attempts that are killed at a chosen point: each is a fork, and counts what it sends, hears and writes.

One process imports everything once and forks for every attempt. It is never the one that runs pytest: a fork takes
other threads' locks along, and pytest's process has threads.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from model_lifecycle.stores.artifacts import ArtifactStore

ROOT = Path(__file__).parents[1]
SEAMS: dict[str, tuple[Any, str]] = {
    "send": (http.client.HTTPConnection, "send"),
    "answer": (http.client.HTTPConnection, "getresponse"),
    "append": (ArtifactStore, "append_exclusive"),
    "fsync": (os, "fsync"),
}
"""What is counted; headers and body of a request are two sends."""
DONE, FAILED = 0, 3


def die_at(point: str, number: int) -> None:
    """Kill this process at the N-th time of ``before-<seam>`` or ``after-<seam>``; ``never`` kills nobody."""
    when, _, seam = point.partition("-")
    if when == "never":
        return
    owner, name = SEAMS[seam]
    original = getattr(owner, name)
    left = number

    def pass_by() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            pass_by()
        answer = original(*args, **kwargs)
        if when == "after":
            pass_by()
        return answer

    setattr(owner, name, counted)


def in_a_fork(work: Callable[..., object], *args: Any, **kwargs: Any) -> int:
    """Do the work in a child and return its exit code; minus the signal's number if it was killed."""
    child = os.fork()
    if child == 0:
        code = FAILED
        try:
            work(*args, **kwargs)
            code = DONE
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def serve() -> None:
    """Read attempts from standard input, one JSON object a line, and answer each with its exit code."""
    # Airflow logs to standard output: that becomes the log, and answers get a way of their own.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        module, _, name = asked["work"].partition(":")
        work = getattr(import_module(module), name)

        def attempt(work: Any = work, asked: Any = asked) -> None:
            die_at(asked["point"], asked["number"])
            work(*asked["arguments"])

        print(in_a_fork(attempt), file=answers, flush=True)


class Forks:
    """A process that makes attempts; its environment is the one of this moment.

    :param log: where the attempts' own words go.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        command = [sys.executable, "-W", "ignore", "-c", "from tests.forks import serve; serve()"]
        with log.open("wb") as err:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, text=True
            )

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def killed(self, point: str, number: int, work: str, *arguments: object) -> bool:
        """Do ``module:function`` with these JSON values in a fork, and tell whether it was killed at that point."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"point": point, "number": number, "work": work, "arguments": arguments}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline() or FAILED)
        assert code in (DONE, -signal.SIGKILL), f"{point} {number} ended by itself:\n{self.log.read_text()}"
        return code != DONE
