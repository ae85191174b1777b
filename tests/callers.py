"""Callers of an endpoint, who ask without pause and never repeat a request.

A closed loop of plain ``http.client`` over connections that are kept and over new ones; each keeps every answer with
the moments at which it was asked for and came.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection, HTTPException
from typing import Any

from tests import models

ENOUGH = 20
"""Answers of each caller that a step waits for, so that the load is on while it happens and after."""


@dataclass(frozen=True)
class Reply:
    """When a request was begun and ended (monotonic seconds), and what came back."""

    began: float
    ended: float
    fault: str | None
    version: int | None
    right: bool


@dataclass(frozen=True)
class Question:
    """What callers send, and how they read the answer: which version gave it, and whether it is right."""

    path: str
    body: str
    read: Callable[[Any, Message], tuple[int, bool]]
    headers: Mapping[str, str] = field(default_factory=dict)


def infer(model: str) -> Question:
    """A question of the Open Inference Protocol; each version adds its own number times 100."""
    tensors = [{"name": n, "shape": [2], "datatype": "FP64", "data": d} for n, d in models.INPUTS.items()]

    def read(value: Any, headers: Message) -> tuple[int, bool]:
        version = int(value["model_version"])
        # An answer mixed from two versions would show.
        right = value["outputs"][0]["data"] == [11.0 + 100 * version, 22.0 + 100 * version]
        return version, right and headers["x-model-version"] == value["model_version"]

    return Question(f"/v2/models/{model}/infer", json.dumps({"inputs": tensors}), read)


@dataclass
class Caller:
    """One thread that asks; ``kept`` says whether over one connection or a new one each time.

    :param pause: seconds between two requests.
    """

    port: int
    question: Question
    kept: bool
    stop: threading.Event
    pause: float = 0.0
    replies: list[Reply] = field(default_factory=list)

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.stop.is_set():
            if not self.kept:
                connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
            self.replies.append(self._ask(connection))
            if not self.kept:
                connection.close()
            if self.pause:
                self.stop.wait(self.pause)
        connection.close()

    def _ask(self, connection: HTTPConnection) -> Reply:
        began = time.monotonic()
        try:
            headers = {"Content-Type": "application/json", **self.question.headers}
            connection.request("POST", self.question.path, self.question.body, headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, HTTPException) as error:
            connection.close()
            return Reply(began, time.monotonic(), repr(error), None, False)
        if response.status != 200:
            return Reply(began, time.monotonic(), f"{response.status} {body[:200]!r}", None, False)
        version, right = self.question.read(json.loads(body), response.headers)
        return Reply(began, time.monotonic(), None, version, right)


class Load:
    """Two callers over kept connections and two over new ones, of versions that add their number times 100.

    :param asked: a question, or the model that is asked by the Open Inference Protocol.
    :param pause: seconds between two requests of one caller.
    """

    def __init__(self, port: int, asked: str | Question, pause: float = 0.0) -> None:
        self._stop = threading.Event()
        question = infer(asked) if isinstance(asked, str) else asked
        self.callers = [Caller(port, question, kept, self._stop, pause) for kept in (True, True, False, False)]
        self._threads = [threading.Thread(target=caller.run) for caller in self.callers]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self.go_on()

    def go_on(self) -> None:
        """Wait until every caller has had enough further answers."""
        wanted = [len(caller.replies) + ENOUGH for caller in self.callers]
        while any(len(caller.replies) < count for caller, count in zip(self.callers, wanted, strict=True)):
            time.sleep(0.005)

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def replies(self) -> list[Reply]:
        return [reply for caller in self.callers for reply in caller.replies]

    def told(self) -> str:
        """The counts, for people."""
        replies = self.replies
        failed = sum(reply.fault is not None for reply in replies)
        worst = max(reply.ended - reply.began for reply in replies)
        versions = dict(Counter(reply.version for reply in replies))
        return f"{len(replies)} answers, {failed} failed, {versions}, slowest {worst * 1000:.0f} ms"

    def assert_right(self) -> None:
        """No request failed, and no answer was wrong."""
        assert not Counter(reply.fault for reply in self.replies if reply.fault)
        assert all(reply.right for reply in self.replies)
