"""One worker of TorchServe or of multi-model-server: it loads the archive's model once, and answers requests.

Both servers call ``handle(data, context)`` of the archive's handler: without data to load, then with a batch of
requests. A model that cannot be loaded does not end the process, which the server would start again and again, each
time as hopeless: the worker stays, tells why when it is asked to describe itself, and answers requests with 503.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Optional

from model_lifecycle.handlers.columns import RefusedError, name_of, parse, plain, read_columns

PAPERS = "lifecycle.json"
"""The file of the archive that says what lies in it."""
PHRASES = {400: "Bad Request", 500: "Internal Server Error", 503: "Service Unavailable"}

Predict = Callable[[Sequence[Sequence[Any]]], Sequence[tuple[Optional[str], Any]]]
"""From the columns to the outputs, each with the name that the model gives it."""
OpenModel = Callable[[Path, Sequence[Mapping[str, Any]], Any], Predict]
"""From the model's file, the inputs of its signature and the server's context to the model."""


class Worker:
    """What the server calls; one for each process.

    :param open_model: loads a model of the archive's format.
    """

    def __init__(self, open_model: OpenModel) -> None:
        self._open_model = open_model
        # A model may raise anything: a thread's end tells what it was, also where it is no Exception.
        self._pool = ThreadPoolExecutor(1)
        self._papers: Mapping[str, Any] = {}
        self._predict: Predict | None = None
        self._fault = "it was not loaded"

    def __call__(self, data: Sequence[Mapping[str, Any]] | None, context: Any) -> Any:
        """Load, or answer each request of a batch."""
        if data is None:
            return self._load(context)
        return [self._answer(request, context, place) for place, request in enumerate(data)]

    def _load(self, context: Any) -> None:
        folder = Path(context.system_properties["model_dir"])
        self._papers = json.loads((folder / PAPERS).read_text())
        file, specs = folder / self._papers["file"], self._papers["signature"]["inputs"]
        attempt = self._pool.submit(self._open_model, file, specs, context)
        error = attempt.exception()
        self._fault = _told(error) if error else ""
        if not error:
            self._predict = attempt.result()
        print(f"{self._papers['artifact']} {self._fault or 'is loaded'}")  # noqa: T201 - the server's log

    def _answer(self, request: Mapping[str, Any], context: Any, place: int) -> dict[str, Any]:
        context.set_response_content_type(place, "application/json")
        status, answer = self._judged(request, context, place)
        if status != 200:
            context.set_response_status(status, PHRASES[status], place)
        return answer

    def _judged(self, request: Mapping[str, Any], context: Any, place: int) -> tuple[int, dict[str, Any]]:
        try:
            body = parse(request.get("body", request.get("data")))
            if body == {"describe": True} or context.get_request_header(place, "describe") == "True":
                return 200, {"artifact": self._papers["artifact"], "fault": self._fault}
            if self._predict is None:
                return 503, {"error": f"the version could not be loaded: {self._fault}"}
            columns = read_columns(body, self._papers["signature"]["inputs"])
        except RefusedError as error:
            return 400, {"error": str(error)}
        attempt = self._pool.submit(self._predict, columns)
        failure = attempt.exception()
        if failure:
            return 500, {"error": f"the model failed: {_told(failure)}"}
        return 200, {"model_version": self._papers["version"], "outputs": self._named(attempt.result())}

    def _named(self, outputs: Sequence[tuple[str | None, Any]]) -> dict[str, Any]:
        declared = self._papers["signature"].get("outputs") or []
        names: list[str | None] = [name_of(spec) if spec.get("name") else None for spec in declared]
        if len(names) != len(outputs):
            names = [None] * len(outputs)
        return {
            given or own or ("output" if len(outputs) == 1 else f"output_{place}"): plain(values)
            for place, (given, (own, values)) in enumerate(zip(names, outputs))
        }


def _told(error: BaseException) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 1000 else f"{text[:500]} ... {text[-500:]}"
