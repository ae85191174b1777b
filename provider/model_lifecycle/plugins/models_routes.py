"""The application of the Models page: who may ask, who may press, and what is answered.

Airflow guards nothing of a mounted application: every route here asks its auth manager. Reading needs what reading
assets needs; pressing needs the right to start the DAG that does the work, the very right that the DAG's own page asks
for. Nobody logged in is 401, not allowed is 403.

Airflow's cookie is sent along by every page of the same host, whatever its port, so a press needs three things that no
such page can give: JSON, a header of our own, and an ``Origin`` that is ours.
"""
# No "from __future__ import annotations": FastAPI reads these annotations when the routes are made.

import json
import logging
import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import PurePath
from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_asset
from airflow.providers.common.compat.sdk import conf
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from pydantic import AwareDatetime
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from model_lifecycle.core.errors import Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.core.models import Endpoint, ModelUri
from model_lifecycle.core.names import check_name
from model_lifecycle.plugins.models_reading import ModelsReading
from model_lifecycle.plugins.receiver import TooLarge, read_body
from model_lifecycle.plugins.runs import start_run

DAGS = {"rollback": "rollback_model", "promote": "promote_model"}
"""What does the work, unless ``[model_lifecycle] rollback_dag`` or ``promote_dag`` names another DAG."""
HEADER = "x-model-lifecycle"
LONGEST_REASON = 2000
PAGE = 25
MOST = 100

log = logging.getLogger(__name__)
reading = ModelsReading()
MayRead = Depends(requires_access_asset(method="GET"))
Text = Annotated[str, Query(max_length=250)]
Token = Annotated[str, Query(max_length=1000)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
Offset = Annotated[int, Query(ge=0, le=10**6)]
Json = dict[str, Any]

api = APIRouter(prefix="/api", dependencies=[MayRead])


def application() -> FastAPI:
    """The application that the API server mounts, without a description of itself."""
    app = FastAPI(title="Model lifecycle: models", openapi_url=None)
    app.include_router(api)
    app.include_router(page)
    app.add_exception_handler(ModelLifecycleError, _refused)
    return app


@api.get("/endpoints")
def endpoints(q: Text = "", offset: Offset = 0, limit: Limit = PAGE) -> Json:
    """What serves where."""
    return reading.endpoints(q, offset, limit)


@api.get("/releases")
def releases(endpoint: Text, before: Annotated[int | None, Query(ge=1, le=10**8)] = None, limit: Limit = PAGE) -> Json:
    """An endpoint's releases."""
    return reading.releases(endpoint, before, limit)


@api.get("/release")
def release(endpoint: Text, opened: Annotated[int, Query(ge=1, le=10**8)]) -> Json:
    """One release, entry by entry."""
    return reading.release(endpoint, opened)


@api.get("/run")
def run(dag: Text, run: Text, since: AwareDatetime) -> Json:
    """What a DAG run did."""
    return reading.run(dag, run, since)


@api.get("/models")
def models(q: Text = "", page: Token = "", limit: Limit = PAGE) -> Json:
    """Registered models."""
    return reading.models(q, page, limit)


@api.get("/versions")
def versions(model: Text, page: Token = "", limit: Limit = PAGE) -> Json:
    """A model's versions."""
    return reading.versions(model, page, limit)


@api.get("/me")
def me(user: GetUserDep) -> Json:
    """What the one who asks may press: ``rollback``, ``promote``."""
    return {"name": str(user.get_name()), "may": {work: _may_start(_dag(work), user) for work in DAGS}}


@api.post("/rollback")
async def rollback(request: Request, user: GetUserDep) -> Json:
    """Start the DAG that brings the last good version back, or the one that is named."""
    return await _press(request, user, _dag("rollback"), _rollback_params)


@api.post("/promote")
async def promote(request: Request, user: GetUserDep) -> Json:
    """Start the DAG that deploys a version and makes it the champion."""
    return await _press(request, user, _dag("promote"), _promote_params)


page = APIRouter()
_TYPES = {".js": "text/javascript; charset=utf-8"}
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self'"


@page.get("/{name}")
def file(name: str, user: GetUserDep) -> Response:
    """A file of the page itself; to everybody who is logged in."""
    known = {one.name: one for one in (files("model_lifecycle.plugins") / "page").iterdir()}
    kind = _TYPES.get(PurePath(name).suffix)
    if name not in known or kind is None:
        raise HTTPException(404, "Not found")
    headers = {
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": _POLICY,
        "Referrer-Policy": "same-origin",
    }
    return Response(known[name].read_bytes(), media_type=kind, headers=headers)


async def _press(request: Request, user: Any, dag: str, params: Callable[[Mapping[str, Any]], Json]) -> Json:
    if not await run_in_threadpool(_may_start, dag, user):
        raise HTTPException(403, f"you may not start the DAG {dag}")
    check_origin(request)
    try:
        body = read_object(await read_body(request))
    except TooLarge as error:
        raise HTTPException(413, "the body is too long") from error
    except TimeoutError as error:
        raise HTTPException(408, "the body did not arrive in time") from error
    key = str(body.get("key", ""))
    if not re.fullmatch(r"[A-Za-z0-9-]{8,64}", key):
        raise Invalid("key is not a name of 8 to 64 letters, digits and dashes")
    run_id, found = f"models_page__{key}", {**params(body), "reason": _reason(body)}
    outcome = await run_in_threadpool(start_run, dag, run_id, found, str(user.get_name()))
    log.info("%s pressed for %s: %s, run %s", user.get_name(), dag, outcome, run_id)
    return {"dag": dag, "run": run_id, "outcome": outcome}


def _dag(work: str) -> str:
    return str(conf.get("model_lifecycle", f"{work}_dag", fallback=DAGS[work]))


def _may_start(dag: str, user: Any) -> bool:
    from airflow.models.dag import DagModel

    # Teams are of 3.2 and later.
    team = DagModel.get_team_name(dag) if hasattr(DagModel, "get_team_name") else None
    details = DagDetails(id=dag) if team is None else DagDetails(id=dag, team_name=team)
    manager = get_auth_manager()
    return manager.is_authorized_dag(method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user)


def check_origin(request: Request) -> None:
    """Let only our own page press.

    :raises HTTPException: 403 for a page of another origin, 415 for what is no JSON.
    """
    if request.headers.get(HEADER) != "1":
        raise HTTPException(403, f"the header {HEADER} is missing")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the body must be application/json")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "only Airflow's own page may do this")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() not in _own_hosts(request):
        raise HTTPException(403, "only Airflow's own page may do this")


def _own_hosts(request: Request) -> set[str]:
    """The host that was asked, and the one that ``[api] base_url`` names: a proxy may change the first."""
    named = urlsplit(conf.get("api", "base_url", fallback="") or "").netloc
    return {one.lower() for one in (request.headers.get("host", ""), named) if one}


def read_object(body: bytes) -> Mapping[str, Any]:
    """A body that is a JSON object.

    :raises Invalid: if it is something else.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid("the body is not JSON") from error
    if not isinstance(value, dict):
        raise Invalid("the body is not a JSON object")
    return value


def _reason(body: Mapping[str, Any]) -> str:
    reason = body.get("reason")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > LONGEST_REASON:
        raise Invalid(f"reason is not a text of 1 to {LONGEST_REASON} characters")
    return reason.strip()


def _rollback_params(body: Mapping[str, Any]) -> Json:
    endpoint, to = Endpoint.parse(body.get("endpoint")), body.get("to")
    if to is None:
        return {"endpoint": str(endpoint)}
    return {"endpoint": str(endpoint), "to": str(_version(endpoint.model, to))}


def _promote_params(body: Mapping[str, Any]) -> Json:
    endpoint = Endpoint.parse(f"{body.get('serving_conn_id')}/{body.get('model')}")
    version = str(_version(endpoint.model, body.get("version")))
    return {"model": endpoint.model, "version": version, "serving_conn_id": endpoint.conn_id}


def _version(model: str, value: Any) -> int:
    version = ModelUri.parse(f"models:/{check_name(model, 'model name')}/{value}").version
    assert version is not None  # noqa: S101 - of this form it names a version
    return version


async def _refused(request: Request, error: Exception) -> Response:
    """What the page cannot do and why; what may pass is 503."""
    statuses = {NotFound: 404, Unavailable: 503}
    status = next((status for kind, status in statuses.items() if isinstance(error, kind)), 422)
    return JSONResponse({"detail": str(error)[:LONGEST_REASON]}, status)
