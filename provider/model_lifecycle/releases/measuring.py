"""What is measured while a release waits: who counts, who is asked, and what the checks make of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from model_lifecycle.core.checks import Measurement, log_evidence
from model_lifecycle.core.counts import Counts
from model_lifecycle.core.errors import Invalid, ModelLifecycleError, Unavailable
from model_lifecycle.core.looks import Answer
from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.plan import Served
from model_lifecycle.core.query import Query
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.rollout import terms_of, watched
from model_lifecycle.hooks.metrics import MetricSystemHook, metrics_hook
from model_lifecycle.hooks.serving import ServingHook
from model_lifecycle.releases.watch import Watch

log = logging.getLogger(__name__)


class Measuring:
    """The looks at the releases of one endpoint.

    The router or the endpoint counts where it can; a metric system counts where neither does, and answers queries.

    :param seen: what was seen during a wait, from :meth:`seen`.
    :param system: finds the metric system of a connection.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        serving: ServingHook,
        clock: Callable[[], datetime],
        seen: Mapping[str, Any] | None = None,
        system: Callable[[str], MetricSystemHook] = metrics_hook,
    ) -> None:
        self.endpoint, self.serving, self.clock, self.system = endpoint, serving, clock, system
        self._seen = seen
        self._watch: Watch | None = None

    def seen(self) -> dict[str, Any] | None:
        """What the present watch has seen, as JSON values, for whoever goes on."""
        return self._watch.to_dict() if self._watch else None

    def measure(self, release: Release) -> list[Measurement]:
        """Look if it is time to, and say what the checks make of all looks at the present state."""
        if not watched(release.state):
            return []
        watch = self._watch
        if watch is None or not watch.is_of(release):
            self._watch = watch = Watch.from_dict(release, self._seen)
        if watch.is_due(release, self.clock()):
            try:
                watch.look(release, self.clock(), self._counts(release), self._answers(release))
            except ModelLifecycleError as error:
                watch.fault = f"the counts cannot be had: {error}"
        return watch.measure(release, self.clock())

    def evidence(self, release: Release, state: State) -> dict[str, Any]:
        """What the looks at the state that ends have shown, and where the counters stand when one begins."""
        evidence: dict[str, Any] = {}
        watch = self._watch
        if watch is not None and watch.is_of(release) and state is not release.state:
            measured = watch.measure(release, self.clock())
            if measured:
                log_evidence(log, f"version {release.plan.target.version} on {self.endpoint}", measured)
            evidence = watch.evidence(release, measured)
        if state in (State.SHADOW, State.BAKING, State.SOAKING):
            counts = self._counts(release)
            evidence["counts"] = {str(version): found.to_dict() for version, found in counts.items()}
        return evidence

    def _counts(self, release: Release) -> dict[int, Counts]:
        metrics = terms_of(release).metrics
        if self.serving.counts_requests or metrics is None:
            return self.serving.counts(self.endpoint.model)
        return self.system(metrics).counts(self.endpoint.model)

    def _answers(self, release: Release) -> dict[str, Answer]:
        """What the queries say now; a system that does not answer is asked once, not once for each query."""
        terms, plan = terms_of(release), release.plan
        beside = plan.fallback if release.state is not State.SOAKING else None
        answers: dict[str, Answer] = {}
        down: Answer | None = None
        for query in terms.queries:
            try:
                answers[query.name] = down or self._answer(query, terms.metrics, plan.target, beside)
            except ModelLifecycleError as error:
                answers[query.name] = Answer(fault=str(error))
                down = answers[query.name] if isinstance(error, Unavailable) else None
        return answers

    def _answer(self, query: Query, metrics: str | None, target: Served, beside: Served | None) -> Answer:
        if metrics is None:
            raise Invalid("the release names no metric system to ask", target=str(self.endpoint))
        names = {"endpoint": str(self.endpoint), "model": self.endpoint.model}
        system = self.system(metrics)
        candidate = system.query(query.about(**names, version=target.version))
        if query.max_ratio is None or beside is None:
            return Answer(candidate)
        return Answer(candidate, system.query(query.about(**names, version=beside.version)))
