"""The HTTP side: the Open Inference Protocol v2, its repository extension, and the route extension.

``GET`` and ``PUT /v2/models/{model}/route`` with ``{"traffic": {"3": 100}}`` are ours; the server's metadata lists them
as the extension ``model_route``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from model_lifecycle import __version__
from model_lifecycle.core.errors import Conflict, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.core.prediction_log import is_plain_id
from model_lifecycle.scorer import loading
from model_lifecycle.scorer.loading import Answer, Loaded
from model_lifecycle.scorer.log_tables import Record
from model_lifecycle.scorer.log_target import open_target
from model_lifecycle.scorer.metrics import Metrics
from model_lifecycle.scorer.prediction_log import LogSettings, PredictionLog
from model_lifecycle.scorer.protocol import read_object
from model_lifecycle.scorer.repository import Repository, State, Version
from model_lifecycle.scorer.routes import read_traffic, read_version
from model_lifecycle.scorer.threads import finished

VERSION_HEADER, REQUEST_HEADER = "x-model-version", "x-request-id"
_STATUS: dict[type[ModelLifecycleError], int] = {Invalid: 400, NotFound: 404, Conflict: 409, Unavailable: 503}


@dataclass(frozen=True)
class Settings:
    """What the command line sets.

    :param threads: predictions that run at once.
    :param max_body: bytes of a request.
    :param predict_timeout: seconds until a prediction is given up.
    :param allow_unverified: load folders that no manifest proves.
    :param log: what to write down of the answers; nothing by default.
    :param grace: seconds that the log may take to end.
    """

    repository: Path
    threads: int = 4
    max_body: int = 64 * 2**20
    predict_timeout: float = 60.0
    allow_unverified: bool = False
    log: LogSettings | None = None
    grace: float = 30.0


def create_app(settings: Settings) -> FastAPI:
    """The application of one model repository.

    :raises Conflict: if another scorer works on the same folder.
    :raises Invalid: if the prediction log has no place.
    """
    scorer = _Scorer(settings)
    app = FastAPI(lifespan=scorer.lifespan, openapi_url=None, redirect_slashes=False)
    app.add_exception_handler(ModelLifecycleError, _refused)
    app.add_exception_handler(HTTPException, _unknown)
    model, version = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
    app.add_api_route("/v2", scorer.server)
    app.add_api_route("/v2/health/live", scorer.live)
    app.add_api_route("/v2/health/ready", scorer.ready)
    app.add_api_route("/metrics", scorer.scrape)
    app.add_api_route(f"{model}/route", scorer.traffic)
    app.add_api_route(f"{model}/route", scorer.route, methods=["PUT"])
    for path in (model, version):
        app.add_api_route(path, scorer.metadata)
        app.add_api_route(f"{path}/ready", scorer.model_ready)
        app.add_api_route(f"{path}/infer", scorer.infer, methods=["POST"])
    app.add_api_route("/v2/repository/index", scorer.index, methods=["POST"])
    app.add_api_route("/v2/repository/models/{model}/load", scorer.load, methods=["POST"])
    app.add_api_route("/v2/repository/models/{model}/unload", scorer.unload, methods=["POST"])
    return app


class _Scorer:
    """The handlers; each takes the request and answers in JSON."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        load = partial(loading.load, verified=not settings.allow_unverified)
        files = open_target(settings.log.target) if settings.log else None
        self.repository = Repository(settings.repository, load)
        self.metrics = Metrics(self.repository.standings)
        self.log = PredictionLog(settings.log, files, self.metrics) if settings.log and files else None
        self.pool = ThreadPoolExecutor(settings.threads, "predict")

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        if self.log:
            self.log.start()
        start = asyncio.create_task(self.repository.start())
        await asyncio.sleep(0)  # the routes are read before the first request is
        yield
        start.cancel()
        self.repository.close()
        self.pool.shutdown(wait=False, cancel_futures=True)
        if self.log:
            await asyncio.to_thread(self.log.close, self.settings.grace)

    async def server(self) -> Response:
        return _json({"name": "model-lifecycle-scorer", "version": __version__, "extensions": _EXTENSIONS})

    async def live(self) -> Response:
        return _json({"live": True})

    async def ready(self) -> Response:
        return _readiness(self.repository.problem())

    async def scrape(self) -> Response:
        return Response(self.metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def metadata(self, request: Request) -> Response:
        version = self._pick(request)
        return _json(
            {
                "name": version.model,
                "versions": [str(number) for number in self.repository.versions(version.model)],
                "platform": "mlflow_pyfunc",
                "inputs": version.ready.inputs.describe(),
                "outputs": [],
            },
            {VERSION_HEADER: str(version.number)},
        )

    async def model_ready(self, request: Request) -> Response:
        name, number = _address(request)
        if number is None:
            return _readiness(self.repository.model_problem(name))
        version = self.repository.version(name, number)
        return _readiness(None if version.state is State.READY else f"{version.state} {version.reason}".strip())

    async def infer(self, request: Request) -> Response:
        body = await self._body(request)
        # Chosen after the body is here: an answer begun after a route call has returned is the new version's.
        version = self._pick(request)
        loaded, headers = version.ready, {VERSION_HEADER: str(version.number)}
        logged = self._logged(request)
        with self.metrics.request(version.model, version.number):
            try:
                request_id = _request_id(request) if logged else None
                work = partial(loaded.answer, version.model, version.number, body, request_id)
                future = await finished(self.pool, work, self.settings.predict_timeout)
                error = future.exception()
                status = 200 if error is None else _status(error)
                content = future.result().body if error is None else _error(error)
            except Unavailable as late:
                status, content = _status(late), _error(late)
            if status != 200:
                self.metrics.error(version.model, version.number, status)
            elif logged:
                headers |= self._write_down(version, loaded, future.result(), len(body))
        return Response(content, status, headers, media_type="application/json")

    def _logged(self, request: Request) -> bool:
        """Whether it is a caller's request and there is a log: smoke requests name the version that shall answer."""
        if self.settings.log is None or VERSION_HEADER in request.headers:
            return False
        return self.settings.log.pinned or "version" not in request.path_params

    def _write_down(self, version: Version, loaded: Loaded, answer: Answer, size: int) -> dict[str, str]:
        """Hand an answer to the log; returns the header that tells a caller the id, where one can."""
        name = answer.request.id or ""
        if self.log:
            now, outputs = datetime.now(UTC), tuple(answer.outputs)
            declared = loaded.inputs.declared
            self.log.offer(
                Record(version.model, version.number, name, now, declared, answer.request.inputs, outputs, size)
            )
        return {REQUEST_HEADER: name} if is_plain_id(name) else {}

    async def index(self, request: Request) -> Response:
        only_ready = read_object(await self._body(request)).get("ready") is True
        found = await asyncio.to_thread(self.repository.index)
        return _json([one for one in found if one["state"] == State.READY or not only_ready])

    async def load(self, request: Request) -> Response:
        version = self.repository.load(request.path_params["model"], await self._wanted(request))
        value = {"name": version.model, "version": str(version.number), "state": version.state}
        return _json(value, status=200 if version.state is State.READY else 202)

    async def unload(self, request: Request) -> Response:
        await self.repository.unload(request.path_params["model"], await self._wanted(request))
        return _json({})

    async def traffic(self, request: Request) -> Response:
        return self._traffic(request.path_params["model"])

    async def route(self, request: Request) -> Response:
        name = request.path_params["model"]
        await self.repository.route(name, read_traffic(read_object(await self._body(request)).get("traffic")))
        return self._traffic(name)

    def _traffic(self, name: str) -> Response:
        traffic = self.repository.traffic(name)
        return _json({"model": name, "traffic": {str(version): percent for version, percent in traffic.items()}})

    def _pick(self, request: Request) -> Version:
        return self.repository.pick(*_address(request))

    async def _wanted(self, request: Request) -> int:
        parameters = read_object(await self._body(request)).get("parameters")
        if not isinstance(parameters, dict) or "version" not in parameters:
            raise Invalid('parameters.version is missing; send {"parameters": {"version": "3"}}')
        return read_version(parameters["version"])

    async def _body(self, request: Request) -> bytes:
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > self.settings.max_body:
                raise HTTPException(413, f"the body is larger than {self.settings.max_body} bytes (--max-body)")
        return bytes(data)


_EXTENSIONS = ["model_repository", "model_route"]


def _address(request: Request) -> tuple[str, int | None]:
    version = request.path_params.get("version")
    return request.path_params["model"], None if version is None else read_version(version)


def _request_id(request: Request) -> str:
    """The caller's ``x-request-id`` if it can be repeated, or one of ours; the ``id`` in the body goes before it."""
    name = request.headers.get(REQUEST_HEADER, "")
    return name if is_plain_id(name) else uuid4().hex


def _json(value: Any, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    # ASCII only: a name with a lone surrogate is echoed, not a reason to fail.
    return Response(json.dumps(value), status, headers, media_type="application/json")


def _readiness(problem: str | None) -> Response:
    return _json({"ready": True}) if problem is None else _json({"ready": False, "error": problem}, status=503)


def _status(error: BaseException) -> int:
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


def _error(error: BaseException) -> bytes:
    if isinstance(error, ModelLifecycleError):
        return json.dumps({"error": str(error)}).encode()
    return json.dumps({"error": f"the model failed: {loading.reason_of(error)}"}).encode()


async def _refused(request: Request, error: Exception) -> Response:
    return Response(_error(error), _status(error), media_type="application/json")


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as it was registered
    return _json({"error": str(error.detail)}, error.headers, error.status_code)
