"""A fire drill: release a model with a real defect, and see it go back by itself while no caller sees an error.

The defect is one that happens: the training pipeline of this release gives the scheduled hour in minutes, while callers
go on sending hours. The offline judgement uses the same wrong pipeline and finds nothing. Only the monitor, which asks
the live endpoint as callers do, sees that the answers are worse than those of the version before.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, get_current_context, task
from flights.settings import ENDPOINT, MODEL, SCORER, files, judged_month

from model_lifecycle.core.strategy import AllAtOnce
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.evaluate import EvaluateModelOperator
from model_lifecycle.operators.monitor import MonitorModelOperator
from model_lifecycle.operators.register import RegisterModelOperator
from model_lifecycle.operators.rollback import RollbackModelOperator
from model_lifecycle.operators.upload import UploadModelOperator

with DAG(
    dag_id="bad_release_drill",
    description="Release a model with a feature in the wrong unit and watch the automatic rollback",
    schedule=None,
    params={
        "month": Param(
            6,
            type="integer",
            minimum=2,
            maximum=12,
            title="Month",
            description="Of 2013, 2 to 12: learn from those before, judge on it.",
        )
    },
    tags=["model-lifecycle", "example", "drill"],
    doc_md=__doc__,
) as dag:

    @task
    def train_with_a_defect() -> dict[str, Any]:
        """Learn from minutes what callers will ask in hours."""
        from flights.data import month_file, month_files, months_before
        from flights.training import train as learn

        month = judged_month(get_current_context()["params"], None)
        earlier, data = months_before(month), files() / "data"
        return {
            "source": learn(earlier, files() / "models" / f"defect-{month:02}", data, wrong_unit=True),
            "training_data": month_files(earlier, data, wrong_unit=True),
            "as_trained": month_file(month, data, wrong_unit=True),
            "as_callers_ask": month_file(month, data),
        }

    @task.short_circuit
    def offline_gate(verdict: dict[str, Any]) -> bool:
        """Blind to the defect: it judges with the pipeline that has it."""
        return bool(verdict["verdict"] == "PASS")

    @task.short_circuit
    def is_worse(verdict: dict[str, Any]) -> bool:
        """Anything but PASS goes back."""
        return bool(verdict["verdict"] != "PASS")

    @task
    def check(deployed: dict[str, Any], restored: dict[str, Any]) -> str:
        """The drill has worked if the version before the defect serves again."""
        if restored["state"] != "ROLLED_BACK" or restored["serving_version"] != deployed["fallback_version"]:
            raise AssertionError(f"the drill went wrong: {restored}")
        return f"version {deployed['version']} was rolled back, version {restored['serving_version']} serves again"

    trained = train_with_a_defect()
    upload = UploadModelOperator(
        task_id="upload", model_name=MODEL, source=trained["source"], training_data=trained["training_data"]
    )
    register = RegisterModelOperator(task_id="register", model_name=MODEL, artifact_uri=upload.output)
    evaluate = EvaluateModelOperator(
        task_id="evaluate", model_uri=register.output, data=trained["as_trained"], target="late"
    )
    deploy = DeployModelOperator(
        task_id="deploy", model_uri=register.output, serving_conn_id=SCORER, strategy=AllAtOnce(), reason="a drill"
    )
    monitor = MonitorModelOperator(task_id="monitor", endpoint=ENDPOINT, data=trained["as_callers_ask"], target="late")
    roll_back = RollbackModelOperator(
        task_id="roll_back",
        endpoint=ENDPOINT,
        leaving=register.output,
        reason="{{ ti.xcom_pull('monitor')['reason'] }}",
    )
    offline_gate(evaluate.output) >> deploy >> monitor
    is_worse(monitor.output) >> roll_back
    check(deploy.output, roll_back.output)
