from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, DownstreamTasksSkipped
from airflow.sdk import DAG, task

from model_lifecycle.decorators.gate import VERDICT, ModelGateOperator, model_gate_task
from tests.operators.life import context


def gate(answer: Any, **more: Any) -> tuple[Any, Any]:
    """A gate with a task after it, and the context that it runs in."""
    with DAG("gated", schedule=None) as dag:

        @model_gate_task(**more)
        def good_enough():
            return answer

        @task
        def promote() -> None: ...

        good_enough() >> promote()
    found = dag.get_task("good_enough")
    return found, {**context("good_enough"), "task": found, "dag": dag}


def test_a_pass_lets_the_next_task_run_and_returns_the_report():
    operator, around = gate(True)
    assert operator.execute(around)["verdict"] == "PASS"
    assert around["ti"].pushed[VERDICT]["verdict"] == "PASS"


@pytest.mark.parametrize("answer", [False, None, "INCONCLUSIVE", {"verdict": "NO_DATA"}])
def test_everything_else_skips_it_and_leaves_the_report(answer):
    operator, around = gate(answer)
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        operator.execute(around)
    assert list(skipped.value.tasks) == ["promote"]
    assert around["ti"].pushed[VERDICT]["verdict"] != "PASS"


def test_a_gate_can_fail_instead():
    operator, around = gate(False, on_fail="fail")
    with pytest.raises(AirflowFailException, match="FAIL"):
        operator.execute(around)


def test_what_is_no_verdict_fails_without_retries():
    operator, around = gate("yes")
    with pytest.raises(AirflowFailException, match="no verdict"):
        operator.execute(around)


def test_a_wrong_word_is_found_when_the_dag_is_parsed():
    with pytest.raises(ValueError, match="on_fail"):
        ModelGateOperator(task_id="gate", python_callable=bool, on_fail="warn")


def test_airflow_offers_it_as_a_decorator():
    assert task.model_gate is not None
    assert isinstance(task.model_gate, type(task.short_circuit))
