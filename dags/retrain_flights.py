"""Train a new model every month, and let it serve only if it proves better than the one that serves now.

The data are the flights that left New York in 2013. The model predicts, from what is known at departure, whether a
flight will arrive more than 15 minutes late. Each run learns from the months before its data interval and is judged on
the interval's own month, which neither the candidate nor the champion has seen.

To run it by hand, name the month and empty the field *Logical Date*: the schedule ends with the data, and Airflow runs
nothing that is dated after it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, get_current_context, task
from flights.schedule import MONTHLY
from flights.settings import ENDPOINT, FIRST_MONTH, LAST_MONTH, MODEL, SCORER, files, judged_month
from pendulum import datetime

from model_lifecycle.core.monitoring import Drift, Health, Quality
from model_lifecycle.core.strategy import BlueGreen
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.evaluate import EvaluateModelOperator
from model_lifecycle.operators.monitor import MonitorModelOperator
from model_lifecycle.operators.promote import PromoteModelOperator
from model_lifecycle.operators.register import RegisterModelOperator
from model_lifecycle.operators.rollback import RollbackModelOperator
from model_lifecycle.operators.upload import UploadModelOperator

with DAG(
    dag_id="retrain_flights",
    description="Train, upload, register, judge, deploy, monitor, then promote or roll back: once a month",
    schedule=MONTHLY,
    start_date=datetime(2013, FIRST_MONTH, 1),
    end_date=datetime(2013, LAST_MONTH, 1),
    catchup=True,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
    params={
        "month": Param(
            None,
            type=["null", "integer"],
            minimum=2,
            maximum=12,
            title="Month",
            description="Of 2013, 2 to 12: learn from those before, judge on it. Empty: that of the data interval.",
        )
    },
    tags=["model-lifecycle", "example"],
    doc_md=__doc__,
) as dag:

    @task
    def train() -> dict[str, Any]:
        """Learn from the months before; tell where the model and the data lie."""
        from flights.data import month_file, month_files, months_before
        from flights.training import train as learn

        context = get_current_context()
        month = judged_month(context["params"], context.get("data_interval_start"))
        earlier, data = months_before(month), files() / "data"
        return {
            "month": month,
            "source": learn(earlier, files() / "models" / f"before-{month:02}", data),
            "training_data": month_files(earlier, data),
            "newest": month_file(month, data),
        }

    @task.branch
    def decide(verdict: dict[str, Any]) -> str:
        """Only a candidate that is surely better goes on."""
        return "deploy" if verdict["verdict"] == "PASS" else "keep_champion"

    @task.branch
    def judge(verdict: dict[str, Any]) -> str:
        """Only PASS promotes; what is worse, and what cannot be told, goes back."""
        return "promote" if verdict["verdict"] == "PASS" else "roll_back"

    trained = train()
    # [START upload]
    upload = UploadModelOperator(
        task_id="upload",
        model_name=MODEL,
        source=trained["source"],
        training_data=trained["training_data"],
        git_commit="{{ var.value.get('git_commit', '') }}",
    )
    # [END upload]
    # [START register]
    register = RegisterModelOperator(
        task_id="register",
        model_name=MODEL,
        artifact_uri=upload.output,
        alias="challenger",
        description="Late arrivals, judged on month {{ ti.xcom_pull('train')['month'] }} of 2013.",
    )
    # [END register]
    # [START evaluate]
    evaluate = EvaluateModelOperator(
        task_id="evaluate",
        model_uri=register.output,
        data=trained["newest"],
        target="late",
        metric="log_loss",
    )
    # [END evaluate]
    # [START deploy]
    deploy = DeployModelOperator(
        task_id="deploy",
        model_uri=register.output,
        serving_conn_id=SCORER,
        strategy=BlueGreen(soak=timedelta(seconds=2)),
        reason="{{ ti.xcom_pull('evaluate')['reason'] }}",
    )
    # [END deploy]
    # [START monitor]
    monitor = MonitorModelOperator(
        task_id="monitor",
        endpoint=ENDPOINT,
        data=trained["newest"],
        target="late",
        checks=[Health(), Quality("log_loss", tolerance=0.005), Drift()],
    )
    # [END monitor]
    # [START promote]
    promote = PromoteModelOperator(
        task_id="promote",
        model_uri=register.output,
        serving_conn_id=SCORER,
        reason="{{ ti.xcom_pull('monitor')['reason'] }}",
    )
    # [END promote]
    # [START rollback]
    roll_back = RollbackModelOperator(
        task_id="roll_back",
        endpoint=ENDPOINT,
        leaving=register.output,
        reason="{{ ti.xcom_pull('monitor')['reason'] }}",
    )
    # [END rollback]
    keep_champion = EmptyOperator(task_id="keep_champion")

    # [START flow]
    decide(evaluate.output) >> [deploy, keep_champion]
    deploy >> monitor
    judge(monitor.output) >> [promote, roll_back]
    # [END flow]
