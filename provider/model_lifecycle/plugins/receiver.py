"""The receiver's application: who may post, how much, and what is answered.

Its callers are programs that repeat what is answered with 5xx and give up at 4xx, so 503 means "the same again, soon"
and 400, 401, 413 and 422 mean "never like this". Whoever does not know the secret is told that, and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from model_lifecycle.core.alerts import Alert, event_key, rollback_params
from model_lifecycle.core.errors import Denied, Invalid, ModelLifecycleError, Unavailable
from model_lifecycle.core.registry_events import event_of
from model_lifecycle.core.senders import check_bearer, check_signature
from model_lifecycle.hooks.alerts import AlertsHook
from model_lifecycle.plugins.payloads import LONGEST, read_payload
from model_lifecycle.plugins.runs import record_event, start_run

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import JSONResponse

SECTION = "model_lifecycle"
PATIENCE = 10.0
"""Seconds for a body to arrive."""
ALERT_ASSET, REGISTRY_ASSET = "model://{}/events/alerts", "model://{}/events/registry"
"""The assets of :mod:`model_lifecycle.assets.model`, by their names; a model's name is checked before."""
NOTHING, REFUSED, LATER = "nothing", "refused", "later"

log = logging.getLogger(__name__)
Answer = tuple[int, dict[str, Any]]
Handler = Callable[["Request"], Awaitable[Answer]]


class TooLarge(Exception):
    """The body is longer than anybody honest sends."""


def application() -> FastAPI:
    """The application that the API server mounts: two routes that take a POST each, and no description of them."""
    from fastapi import FastAPI
    from starlette.routing import BaseRoute, Route

    routes: list[BaseRoute] = [
        Route("/alertmanager", _guarded(alertmanager), methods=["POST"]),
        Route("/mlflow", _guarded(mlflow), methods=["POST"]),
    ]
    return FastAPI(title="Model lifecycle: alerts", routes=routes, openapi_url=None)


async def alertmanager(request: Request) -> Answer:
    """Take what Alertmanager posts: a firing ``action: rollback`` starts a run, other firing alerts are events."""
    from starlette.concurrency import run_in_threadpool

    hook = AlertsHook(_alerts_conn_id())
    presented = request.headers.get("authorization", "")
    if not presented:
        raise Denied("the shared secret is missing or wrong")
    check_bearer(presented, await run_in_threadpool(hook.shared_secrets))
    body = await read_body(request)
    return await run_in_threadpool(_take_alerts, hook, body)


async def mlflow(request: Request) -> Answer:
    """Take what MLflow posts, if its signature is right and fresh: an asset event."""
    from starlette.concurrency import run_in_threadpool

    names = ("signature", "delivery-id", "timestamp")
    signature, delivery, timestamp = (request.headers.get(f"x-mlflow-{name}", "") for name in names)
    if not signature:
        raise Denied("the signature is missing or wrong, or its time is not now")
    body = await read_body(request)
    secrets = await run_in_threadpool(AlertsHook(_alerts_conn_id()).mlflow_secrets)
    check_signature(signature, delivery, timestamp, body, secrets, time.time())
    return await run_in_threadpool(_take_registry_event, delivery, body)


def _take_alerts(hook: AlertsHook, body: bytes) -> Answer:
    alerts = read_payload(body, "alertmanager")["alerts"]
    results = [_result(hook, value) for value in alerts]
    outcomes = {one["outcome"] for one in results}
    # What could be done is done; then the whole group comes again, and what was done stays done.
    status = 503 if LATER in outcomes else 422 if REFUSED in outcomes else 200
    return status, {"results": results}


def _result(hook: AlertsHook, value: dict[str, Any]) -> dict[str, str]:
    about = {"fingerprint": value["fingerprint"]}
    try:
        found = {**about, **_act(hook, Alert.read(value))}
    except Unavailable as error:
        found = {**about, "outcome": LATER, "detail": str(error)}
    except ModelLifecycleError as error:
        found = {**about, "outcome": REFUSED, "detail": str(error)}
    log.info("Alert %s: %s", value["fingerprint"], found)
    return found


def _act(hook: AlertsHook, alert: Alert) -> dict[str, str]:
    if alert.asks_for_rollback:
        dag = str(conf.get(SECTION, "alert_dag", fallback="alert_rollback"))
        params = rollback_params(alert, hook.endpoints())
        return {"outcome": start_run(dag, alert.run_id, params, "alertmanager"), "dag": dag, "run": alert.run_id}
    if not alert.firing or "model" not in alert.labels:
        return {"outcome": NOTHING}
    asset = ALERT_ASSET.format(alert.model)
    return {"outcome": record_event(asset, event_key(alert.run_id), alert.to_event()), "asset": asset}


def _take_registry_event(delivery: str, body: bytes) -> Answer:
    found = event_of(read_payload(body, "mlflow_webhook"))
    if found is None:
        return 200, {"outcome": NOTHING}
    model, extra = found
    asset = REGISTRY_ASSET.format(model)
    outcome = record_event(asset, event_key("mlflow", delivery), extra)
    log.info("MLflow's delivery %s: %s for %s", delivery, outcome, asset)
    return 200, {"outcome": outcome, "asset": asset}


def _guarded(handler: Handler) -> Callable[[Request], Awaitable[JSONResponse]]:
    """The handler with errors as its callers understand them."""

    async def answer(request: Request) -> JSONResponse:
        from starlette.responses import JSONResponse

        status, value = await _answered(handler, request)
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        return JSONResponse(value, status, headers)

    return answer


async def _answered(handler: Handler, request: Request) -> Answer:
    try:
        return await handler(request)
    except Denied as error:
        log.warning("Denied a delivery from %s: %s", request.client.host if request.client else "nowhere", error)
        return 401, {"error": str(error)}
    except TooLarge:
        return 413, {"error": f"the body is longer than {LONGEST} bytes"}
    except TimeoutError:
        return 408, {"error": f"the body did not arrive within {PATIENCE:.0f} s"}
    except Invalid as error:
        return 400, {"error": str(error)}
    except Unavailable as error:
        log.warning("Not ready for a delivery: %s", error)
        return 503, {"error": str(error)}


async def read_body(request: Request) -> bytes:
    """A body, of whatever it declared no more than :data:`LONGEST` bytes, and no later than :data:`PATIENCE`.

    :raises TooLarge: if it is longer; TimeoutError if it does not arrive.
    """
    if int(request.headers.get("content-length") or 0) > LONGEST:
        raise TooLarge
    found = bytearray()
    async with asyncio.timeout(PATIENCE):
        async for part in request.stream():
            found += part
            if len(found) > LONGEST:
                raise TooLarge
    return bytes(found)


def _alerts_conn_id() -> str:
    return str(conf.get(SECTION, "alerts_conn_id", fallback=AlertsHook.default_conn_name))
