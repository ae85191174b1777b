"""Watch the model that serves: roll back when it is sick, train a new one when the world has changed.

Once a month the newest labelled flights go through the live endpoint, as callers' requests do. FAIL brings back the
version before. Drift alone is no reason to roll back: it asks for a new training.

The flights end with 2013, so what is newest is known: switched on, the schedule has one run, about the last month. To
run it by hand, name the month and empty the field *Logical Date*.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, Param, get_current_context, task
from flights.settings import ENDPOINT, LAST_MONTH, files, judged_month
from pendulum import datetime

from model_lifecycle.core.monitoring import Drift, Health, Quality
from model_lifecycle.operators.monitor import MonitorModelOperator
from model_lifecycle.operators.rollback import RollbackModelOperator

with DAG(
    dag_id="monitor_flights",
    description="Judge the live version on the newest month; roll back on FAIL, train again on drift",
    schedule=CronDataIntervalTimetable("@monthly", timezone="UTC"),
    start_date=datetime(2013, LAST_MONTH, 1),
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
            description="Of 2013, 2 to 12: judge on its flights. Empty: that of the data interval.",
        )
    },
    tags=["model-lifecycle", "example"],
    doc_md=__doc__,
) as dag:

    @task
    def newest_labels() -> dict[str, Any]:
        """The newest month of flights whose arrivals are known."""
        from flights.data import month_file

        context = get_current_context()
        month = judged_month(context["params"], context.get("data_interval_start"))
        return {"month": month, "file": month_file(month, files() / "data")}

    @task.branch
    def judge(verdict: dict[str, Any]) -> list[str]:
        """What to do about the verdict; drift and sickness may come together."""
        actions = ["roll_back"] if verdict["verdict"] == "FAIL" else []
        return [*actions, "retrain"] if verdict["drifted"] else actions or ["all_is_well"]

    labels = newest_labels()
    monitor = MonitorModelOperator(
        task_id="monitor",
        endpoint=ENDPOINT,
        data=labels["file"],
        target="late",
        checks=[Health(), Quality("log_loss", tolerance=0.005), Drift()],
    )
    roll_back = RollbackModelOperator(
        task_id="roll_back",
        endpoint=ENDPOINT,
        leaving="{{ ti.xcom_pull('monitor')['version'] }}",
        reason="{{ ti.xcom_pull('monitor')['reason'] }}",
    )
    retrain = TriggerDagRunOperator(
        task_id="retrain",
        trigger_dag_id="retrain_flights",
        conf={"month": labels["month"]},
        logical_date=None,  # it is about the month in conf; dated today it would lie after the schedule's end
        note="drift of {{ ti.xcom_pull('monitor')['drifted'] | join(', ') }}",
    )
    judge(monitor.output) >> [roll_back, retrain, EmptyOperator(task_id="all_is_well")]
