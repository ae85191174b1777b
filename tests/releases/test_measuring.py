from __future__ import annotations

from datetime import timedelta

import pytest

from model_lifecycle.core.checks import Verdict
from model_lifecycle.core.counts import Counts
from model_lifecycle.core.errors import Invalid, Unavailable
from model_lifecycle.core.gate import Check
from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.query import Query
from model_lifecycle.core.release import Release, State
from model_lifecycle.core.strategy import Canary
from model_lifecycle.releases.measuring import Measuring
from tests.core.test_plan import NOW, plan
from tests.core.test_release import opened, then
from tests.releases.doubles import MemoryServing, World

SECOND = timedelta(seconds=1)
QUERIES = (Query("queue", "queue_$version", maximum=10), Query("cost", "cost_$version", max_ratio=2))


class Answering:
    """A double of a metric system that knows a few expressions."""

    def __init__(self, known: dict[str, float], fault: Exception | None = None) -> None:
        self.known, self.fault, self.asked = known, fault, []

    def __call__(self, conn_id: str) -> Answering:
        assert conn_id == "prometheus"
        return self

    def query(self, expression: str) -> float | None:
        self.asked.append(expression)
        if self.fault:
            raise self.fault
        return self.known.get(expression)

    def counts(self, model: str) -> dict[int, Counts]:
        if self.fault:
            raise self.fault
        return {1: Counts(90), 2: Counts(10)}


def baking(*checks: Check | Query, state: State = State.BAKING) -> Release:
    strategy = Canary(steps=(10,), bake=60 * SECOND, interval=10 * SECOND).to_dict()
    terms = {**strategy, "checks": [check.to_dict() for check in checks], "metrics": "prometheus"}
    release = then(opened(plan(strategy=terms)), State.SHIFTING, step=0)
    return then(release, state, step=0 if state is State.BAKING else None)


def measuring(system: Answering, *, counts: bool = True, seconds: int = 10) -> Measuring:
    serving = MemoryServing(World())
    serving.counts_requests = counts
    return Measuring(Endpoint("scorer", "churn"), serving, lambda: NOW + seconds * SECOND, system=system)


def test_both_versions_are_asked_only_where_a_query_compares_them():
    system = Answering({"queue_2": 3.0, "cost_2": 5.0, "cost_1": 4.0})
    found = measuring(system).measure(baking(*QUERIES))
    assert system.asked == ["queue_2", "cost_2", "cost_1"]
    assert [(one.value, one.details["baseline"]) for one in found] == [(3.0, None), (5.0, 4.0)]


def test_nobody_is_asked_about_beside_a_version_that_soaks():
    system = Answering({})
    measuring(system).measure(baking(*QUERIES, state=State.SOAKING))
    assert system.asked == ["queue_2", "cost_2"]


def test_a_system_that_is_away_is_asked_once_and_every_query_is_an_error():
    system = Answering({}, Unavailable("nobody answers"))
    found = measuring(system).measure(baking(*QUERIES))
    assert system.asked == ["queue_2"]
    assert [(one.verdict, one.reason) for one in found] == [(Verdict.ERROR, "nobody answers")] * 2


def test_a_query_that_is_refused_does_not_keep_the_others_from_being_asked():
    system = Answering({}, Invalid("two series"))
    found = measuring(system).measure(baking(*QUERIES))
    assert system.asked == ["queue_2", "cost_2"]
    assert {one.verdict for one in found} == {Verdict.ERROR}


def test_no_value_is_no_data_and_not_health():
    assert {one.verdict for one in measuring(Answering({})).measure(baking(*QUERIES))} == {Verdict.NO_DATA}


@pytest.mark.parametrize(("counts", "samples"), [(True, 0), (False, 10)])
def test_the_metric_system_counts_only_where_nobody_nearer_does(counts, samples):
    found = measuring(Answering({}), counts=counts).measure(baking(Check("error_rate", min_samples=5)))
    assert found[0].samples == samples


def test_what_was_seen_goes_on_in_another_process():
    release, system = baking(*QUERIES), Answering({"queue_2": 3.0})
    first = measuring(system)
    first.measure(release)
    serving = MemoryServing(World())
    clock = lambda: NOW + 20 * SECOND  # noqa: E731
    second = Measuring(Endpoint("scorer", "churn"), serving, clock, first.seen(), system)
    assert second.measure(release)[0].samples == 2


def test_the_evidence_of_a_state_holds_what_every_query_was_answered():
    release = baking(*QUERIES)
    one = measuring(Answering({"queue_2": 3.0}))
    one.measure(release)
    look = one.evidence(release, State.JUDGING)["looks"][0]
    assert look["answers"]["queue"] == {"candidate": 3.0, "baseline": None, "fault": ""}


@pytest.mark.parametrize("fault", [Unavailable("nobody answers"), Invalid("a page about something else")])
def test_counts_that_cannot_be_had_are_an_error_of_the_release_and_not_of_the_task(fault):
    found = measuring(Answering({}, fault), counts=False).measure(baking(Check("error_rate")))
    assert [one.verdict for one in found if one.check == "counts"] == [Verdict.ERROR]
    assert str(fault) in found[-1].reason


def test_the_way_back_asks_no_metric_system():
    release = baking(Check("error_rate"))
    assert "counts" not in measuring(Answering({}, Unavailable("away")), counts=False).evidence(
        release, State.ROLLING_BACK
    )
