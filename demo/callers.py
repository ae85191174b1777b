"""Callers of the endpoint who never stop asking, and count every request that failed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import requests

PAUSE = 0.02
"""Seconds between two requests of one caller."""


class Callers:
    """Threads that send unversioned requests, as clients do who know nothing of versions.

    :param columns: the rows to ask about, ``{column: [values]}``.
    """

    def __init__(self, url: str, model: str, columns: Mapping[str, Sequence[Any]], *, count: int = 2) -> None:
        self.url = f"{url}/v2/models/{model}/infer"
        self.body = {"inputs": [_tensor(name, list(values)) for name, values in columns.items()]}
        self.answered: Counter[str] = Counter()
        self.errors: list[str] = []
        self.failed = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(count)]

    @property
    def requests(self) -> int:
        """Requests so far, failed ones included."""
        return self.failed + sum(self.answered.values())

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self) -> None:
        session = requests.Session()
        session.trust_env = False
        while not self._over.is_set():
            version, error = self._one(session)
            with self._lock:
                if error is None:
                    self.answered[version] += 1
                else:
                    self.failed += 1
                    self.errors = [*self.errors, error][-10:]
            time.sleep(PAUSE)

    def _one(self, session: requests.Session) -> tuple[str, str | None]:
        try:
            answer = session.post(self.url, json=self.body, timeout=30)
            value = answer.json()
            if answer.status_code != 200 or not value.get("outputs") or not value.get("model_version"):
                return "", f"{answer.status_code}: {answer.text[:300]}"
            return str(value["model_version"]), None
        except (requests.RequestException, ValueError) as error:
            return "", f"{type(error).__name__}: {error}"


def _tensor(name: str, values: list[Any]) -> dict[str, Any]:
    kinds = {type(value) for value in values}
    datatype = "BYTES" if str in kinds else "BOOL" if bool in kinds else "FP64" if float in kinds else "INT64"
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": values}
