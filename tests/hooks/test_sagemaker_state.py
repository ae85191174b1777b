"""What every status of an endpoint means for its versions, from answers in the form of DescribeEndpoint."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Conflict
from model_lifecycle.hooks.sagemaker_state import EndpointState, per_cent, read_state
from model_lifecycle.hooks.serving import VersionState

READY, LOADING, FAILED = VersionState.READY, VersionState.LOADING, VersionState.FAILED
OLD, NEW = "churn-c-old", "churn-c-new"


def described(status: str, *weights: float, config: str = OLD, pending: tuple[int, ...] = (), **more: Any) -> Any:
    variants = [{"VariantName": f"v{place}", "CurrentWeight": weight} for place, weight in enumerate(weights, 1)]
    if pending:
        names = [{"VariantName": f"v{version}"} for version in pending]
        more["PendingDeploymentSummary"] = {"EndpointConfigName": more.pop("to", NEW), "ProductionVariants": names}
    return {"EndpointStatus": status, "EndpointConfigName": config, "ProductionVariants": variants, **more}


@pytest.mark.parametrize(
    ("answer", "asked", "states", "traffic"),
    [
        (described("InService", 1), OLD, {1: READY}, {1: 100}),
        (described("InService", 90, 10), OLD, {1: READY, 2: READY}, {1: 90, 2: 10}),
        (described("InService", 1, 0), OLD, {1: READY, 2: READY}, {1: 100}),
        (described("InService", 1), "", {1: READY}, {1: 100}),  # nobody knows what was asked for
        # An update under way: what comes is LOADING, what goes is gone, what stays serves.
        (described("Updating", 1, pending=(1, 2)), NEW, {1: READY, 2: LOADING}, {1: 100}),
        (described("Updating", 1, 0, pending=(1,)), NEW, {1: READY}, {1: 100}),
        (described("Updating", 1, 0, pending=(1, 3)), NEW, {1: READY, 3: LOADING}, {1: 100}),
        (described("Updating", 90, 10), OLD, {1: READY, 2: READY}, {1: 90, 2: 10}),  # only the weights change
        (described("Updating", 90, 10, pending=(1, 2), to=OLD), OLD, {1: READY, 2: READY}, {1: 90, 2: 10}),
        (described("RollingBack", 1), OLD, {1: READY}, {1: 100}),
        (described("SystemUpdating", 1), OLD, {1: READY}, {1: 100}),
        # It is InService, on what it was before: the update was rolled back.
        (described("InService", 1), NEW, {1: READY, 2: FAILED}, {1: 100}),
        (described("UpdateRollbackFailed", 1), NEW, {1: READY, 2: FAILED}, {1: 100}),
        (described("InService", 1, 0, config=NEW), NEW, {1: READY, 2: READY}, {1: 100}),
        # It never was in service, is not any more, or goes.
        (described("Creating", 0, pending=(1,), to=OLD), OLD, {1: LOADING}, {}),
        (described("Failed", 0), OLD, {1: FAILED}, {}),
        (described("OutOfService", 1), OLD, {1: FAILED}, {}),
        (described("Deleting", 1), OLD, {}, {}),
    ],
)
def test_what_a_status_means(answer: Any, asked: str, states: dict[int, VersionState], traffic: dict[int, int]) -> None:
    state = read_state(answer, asked, ["v1", "v2"] if asked == NEW else [])
    assert (state.states(), state.traffic()) == (states, traffic)


def test_no_endpoint_has_nothing() -> None:
    state = EndpointState()
    assert (state.states(), state.traffic(), state.failure(1), state.is_settled) == ({}, {}, None, True)


def test_a_failure_says_why_in_sagemakers_words() -> None:
    rolled_back = read_state(described("InService", 1, FailureReason="no capacity"), NEW, ["v1", "v2"])
    assert rolled_back.failure(2) == f"the endpoint went back to {OLD}: no capacity"
    assert rolled_back.failure(1) is None
    silent = read_state(described("InService", 1), NEW, ["v1", "v2"])
    assert silent.failure(2) == f"the endpoint went back to {OLD}: SageMaker gives no reason"
    created = read_state(described("Failed", 0, FailureReason="the image cannot be pulled"))
    assert created.failure(1) == "the endpoint is Failed: the image cannot be pulled"


def test_while_it_changes_it_is_not_settled() -> None:
    busy = {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}
    for status in (*busy, "InService", "Failed", "OutOfService", "UpdateRollbackFailed"):
        assert read_state(described(status, 1)).is_settled is (status not in busy)


def test_a_variant_of_somebody_else_is_a_conflict() -> None:
    answer = {"EndpointStatus": "InService", "ProductionVariants": [{"VariantName": "AllTraffic"}]}
    with pytest.raises(Conflict, match="AllTraffic"):
        read_state(answer)


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ({}, {}),
        ({1: 0.0}, {}),
        ({1: 0.5}, {1: 100}),
        ({1: 1.0, 2: 1.0, 3: 1.0}, {1: 34, 2: 33, 3: 33}),
        ({1: 0.95, 2: 0.05}, {1: 95, 2: 5}),
        ({2: 1.0, 1: 2.0}, {1: 67, 2: 33}),
        ({1: 1e9, 2: 1.0}, {1: 100}),
    ],
)
def test_weights_as_per_cent(weights: dict[int, float], shares: dict[int, int]) -> None:
    assert per_cent(weights) == shares


@given(st.dictionaries(st.integers(1, 99), st.floats(0, 1e6, width=32), max_size=6))
def test_per_cent_sum_to_100_or_there_are_none(weights: dict[int, float]) -> None:
    shares = per_cent(weights)
    assert sum(shares.values()) == (100 if sum(weights.values()) > 0 else 0)
    assert all(share > 0 and weights[version] > 0 for version, share in shares.items())


@given(st.lists(st.integers(0, 100), max_size=4).map(sorted))
def test_what_we_set_is_what_we_read(cuts: list[int]) -> None:
    edges = [0, *cuts, 100]
    wanted = {version: edges[version] - edges[version - 1] for version in range(1, len(edges))}
    assert per_cent({version: float(share) for version, share in wanted.items()}) == {
        version: share for version, share in wanted.items() if share
    }
