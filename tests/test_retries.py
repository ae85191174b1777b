from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import DAG, task
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.serialization.serialized_objects import DagSerialization

from model_lifecycle.core.errors import Conflict, Corrupt, Unavailable
from model_lifecycle.retries import (
    LONGEST,
    MODEL_LIFECYCLE_RETRIES,
    MODEL_LIFECYCLE_RETRY_POLICY,
    RETRIES,
    ModelLifecycleRetryPolicy,
    backoff,
)


def test_what_may_answer_later_is_tried_again_later_each_time():
    asked = [MODEL_LIFECYCLE_RETRY_POLICY.evaluate(Unavailable("away"), number, RETRIES) for number in range(1, 9)]
    assert {one.action for one in asked} == {RetryAction.RETRY}
    delays = [one.retry_delay for one in asked]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (timedelta(seconds=15), LONGEST)
    assert sum(delays, timedelta()) > timedelta(minutes=30)


@pytest.mark.parametrize("error", [Conflict("taken"), Corrupt("broken")])
def test_what_can_never_succeed_fails_at_once(error):
    assert MODEL_LIFECYCLE_RETRY_POLICY.evaluate(error, 1, RETRIES).action is RetryAction.FAIL


def test_other_errors_are_left_to_the_task():
    assert MODEL_LIFECYCLE_RETRY_POLICY.evaluate(KeyError("x"), 1, RETRIES).action is RetryAction.DEFAULT


@pytest.mark.parametrize("number", [-1, 0, 1, 10**6])
def test_a_pause_is_never_longer_than_the_longest(number):
    assert timedelta(seconds=15) <= backoff(number) <= LONGEST


def test_a_dag_whose_tasks_all_have_it_can_be_kept_by_airflow():
    with DAG("retried", schedule=None, default_args=MODEL_LIFECYCLE_RETRIES) as dag:

        @task
        def score() -> None: ...

        score()
    assert dag.get_task("score").retry_policy is MODEL_LIFECYCLE_RETRY_POLICY
    assert DagSerialization.to_dict(dag)["dag"]["dag_id"] == "retried"
    assert isinstance(
        ModelLifecycleRetryPolicy.deserialize(MODEL_LIFECYCLE_RETRY_POLICY.serialize()), ModelLifecycleRetryPolicy
    )
