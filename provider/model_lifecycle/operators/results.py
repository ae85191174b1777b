"""Telling a metric system what a monitor found; a verdict is never lost because nobody could be told."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import ModelLifecycleError

if TYPE_CHECKING:
    from model_lifecycle.core.drift import ColumnDrift

log = logging.getLogger(__name__)


def publish_result(conn_id: str, job: str, result: Mapping[str, Any], drifts: Sequence[ColumnDrift] = ()) -> bool:
    """Publish a report and the distances of its columns under the endpoint; a fault is a warning in the log.

    :param conn_id: the connection of the metric system.
    :param job: what made the report; each kind of task has a job of its own, so that none replaces another's.
    :param result: what :func:`model_lifecycle.core.checks.report` wrote, with endpoint and version.
    :returns: whether the metric system has taken it.
    """
    from model_lifecycle.core.samples import drift_samples, report_samples
    from model_lifecycle.hooks.metrics import metrics_hook

    endpoint, version = str(result["endpoint"]), int(result["version"])
    try:
        samples = report_samples(result, datetime.now(UTC)) + drift_samples(endpoint, version, drifts)
        metrics_hook(conn_id).publish(job, {"endpoint": endpoint}, samples)
    except ModelLifecycleError as error:
        log.warning("Nobody could be told of the result: %s", error)
        return False
    return True
