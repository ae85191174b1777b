from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import DAG, task

from model_lifecycle.core.errors import Conflict, Corrupt, Unavailable
from model_lifecycle.retries import (
    LONGEST,
    MODEL_LIFECYCLE_RETRIES,
    MODEL_LIFECYCLE_RETRY_POLICY,
    RETRIES,
    backoff,
)

policies = pytest.mark.since("3.3")


@policies
def test_what_may_answer_later_is_tried_again_later_each_time():
    from airflow.sdk.definitions.retry_policy import RetryAction

    asked = [MODEL_LIFECYCLE_RETRY_POLICY.evaluate(Unavailable("away"), number, RETRIES) for number in range(1, 9)]
    assert {one.action for one in asked} == {RetryAction.RETRY}
    delays = [one.retry_delay for one in asked]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (timedelta(seconds=15), LONGEST)
    assert sum(delays, timedelta()) > timedelta(minutes=30)


@policies
@pytest.mark.parametrize("error", [Conflict("taken"), Corrupt("broken")])
def test_what_can_never_succeed_fails_at_once(error):
    from airflow.sdk.definitions.retry_policy import RetryAction

    assert MODEL_LIFECYCLE_RETRY_POLICY.evaluate(error, 1, RETRIES).action is RetryAction.FAIL


@policies
def test_other_errors_are_left_to_the_task():
    from airflow.sdk.definitions.retry_policy import RetryAction

    assert MODEL_LIFECYCLE_RETRY_POLICY.evaluate(KeyError("x"), 1, RETRIES).action is RetryAction.DEFAULT


@pytest.mark.parametrize("number", [-1, 0, 1, 10**6])
def test_a_pause_is_never_longer_than_the_longest(number):
    assert timedelta(seconds=15) <= backoff(number) <= LONGEST


def retried() -> DAG:
    with DAG("retried", schedule=None, default_args=MODEL_LIFECYCLE_RETRIES) as dag:

        @task
        def score() -> None: ...

        score()
    return dag


def test_the_default_arguments_work_on_every_airflow():
    score = retried().get_task("score")
    assert (score.retries, score.retry_delay, score.max_retry_delay) == (RETRIES, timedelta(seconds=15), LONGEST)
    assert getattr(score, "retry_policy", None) is MODEL_LIFECYCLE_RETRY_POLICY


@policies
def test_a_dag_whose_tasks_all_have_the_policy_can_be_kept_by_airflow():
    from airflow.serialization.serialized_objects import DagSerialization

    from model_lifecycle.retries import ModelLifecycleRetryPolicy

    assert DagSerialization.to_dict(retried())["dag"]["dag_id"] == "retried"
    again = ModelLifecycleRetryPolicy.deserialize(MODEL_LIFECYCLE_RETRY_POLICY.serialize())
    assert isinstance(again, ModelLifecycleRetryPolicy)
