"""The wait until a number has stayed within its limits for a while."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from model_lifecycle.core.checks import Limit, Measurement, Verdict
from model_lifecycle.core.errors import Rejected, Unavailable
from model_lifecycle.core.spans import check_span, judge_span
from model_lifecycle.hooks.metrics import MetricSystemHook, metrics_hook
from model_lifecycle.triggers.poll import PollTrigger

log = logging.getLogger(__name__)


def ask_health(
    *,
    metrics_conn_id: str,
    query: str,
    minimum: float | None,
    maximum: float | None,
    lasting: float,
    step: float,
    deadline: float,
) -> dict[str, Any] | None:
    """The evidence, once the number was within its limits for ``lasting`` seconds without a gap.

    :param deadline: seconds since 1970; a look after it is the last.
    :raises Rejected: at the last look, with what was wrong: the number, no data, or the metric system.
    """
    last = time.time() >= deadline
    try:
        found = _look(metrics_hook(metrics_conn_id), query, Limit("the number", minimum, maximum), lasting, step)
    except Unavailable as error:
        if last:
            raise Rejected(f"not healthy before the time-out: {error.message}", target=error.target) from error
        raise
    if found.verdict is Verdict.PASS:
        return {"query": query, **found.details}
    log.info("Not healthy for %s s: %s: %s", lasting, found.verdict, found.reason)
    if last:
        raise Rejected(f"not healthy before the time-out: {found.verdict}: {found.reason}", target=metrics_conn_id)
    return None


def _look(system: MetricSystemHook, query: str, limit: Limit, lasting: float, step: float) -> Measurement:
    span, steps = timedelta(seconds=lasting), timedelta(seconds=step)
    check_span(span, steps)
    # Its clock, not ours: a worker that is two minutes ahead would never see the newest numbers.
    now = system.query("time()")
    end = datetime.fromtimestamp(now if now is not None else time.time(), UTC)
    return judge_span(limit, system.query_range(query, end - span, end, steps), end - span, end, steps)


class HealthTrigger(PollTrigger):
    """Waits for lasting health; see :class:`model_lifecycle.sensors.health.ModelHealthSensor`."""

    ask = staticmethod(ask_health)
    asked = "metrics_conn_id"
