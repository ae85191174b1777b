"""Telling a metric system where a release stands, for the people who watch."""

from __future__ import annotations

import logging
from collections.abc import Callable

from model_lifecycle.core.errors import ModelLifecycleError
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.samples import Sample, about
from model_lifecycle.core.strategy import Terms
from model_lifecycle.core.traffic import traffic_of
from model_lifecycle.hooks.metrics import MetricSystemHook, metrics_hook

JOB = "model_lifecycle_release"
PERCENT = "model_lifecycle_release_percent"
STATE = "model_lifecycle_release_state"

log = logging.getLogger(__name__)


class Publishing:
    """Publishes the newest state of an endpoint's releases; a system that does not take it stops no release.

    :param system: finds the metric system of a connection.
    """

    def __init__(self, system: Callable[[str], MetricSystemHook] = metrics_hook) -> None:
        self.system = system
        self._gave_up = False

    def tell(self, release: Release) -> None:
        """Publish where the release stands, unless its traffic has to go back first: nothing may delay that."""
        metrics = Terms.of(release.plan.strategy).metrics
        if metrics is None or self._gave_up or release.state is State.ROLLING_BACK:
            return
        try:
            self.system(metrics).publish(JOB, {"endpoint": release.plan.endpoint}, release_samples(release))
        except ModelLifecycleError as error:
            self._gave_up = True
            log.warning("Nobody is told any more where the release stands: %s", error)


def release_samples(release: Release) -> list[Sample]:
    """What dashboards show of a release: the traffic it asks for, and its state."""
    endpoint, plan = release.plan.endpoint, release.plan
    shares = [
        Sample(PERCENT, float(share), about(endpoint, version), "Share of the requests that a release asks for.")
        for version, share in traffic_of(release).items()
    ]
    labels = {**about(endpoint, plan.target.version), "state": str(release.state), "change": str(plan.change)}
    return [*shares, Sample(STATE, 1.0, labels, "1 for the state of the newest release of an endpoint.")]
