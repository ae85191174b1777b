"""Compare a month of flights with what the champion was trained on, a day to a task, and train again if it lasts.

Each day's file becomes a profile in a mapped task of its own: with the Celery or Kubernetes executor the days of a
large table are counted on as many machines as there are. A profile is some kilobytes however long its table is, and
profiles add up: 30 days make exactly the month, 24 hours the day.

Drift in one month may be the weather. Found in two on end, it asks for a new training. To run it by hand, name the
month and empty the field *Logical Date*.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, get_current_context, task
from flights.schedule import MONTHLY
from flights.settings import FIRST_MONTH, LAST_MONTH, MODEL, files, judged_month
from pendulum import datetime

from model_lifecycle.operators.drift import ModelDriftOperator
from model_lifecycle.operators.profile import ProfileDataOperator

with DAG(
    dag_id="drift_at_scale",
    description="Profile each day of a month in a task of its own, add them up, and train again if drift lasts",
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
            minimum=1,
            maximum=12,
            title="Month",
            description="Of 2013, 1 to 12: compare its flights. Empty: that of the data interval.",
        )
    },
    tags=["model-lifecycle", "example"],
    doc_md=__doc__,
) as dag:

    @task
    def choose() -> dict[str, Any]:
        """The month, and the version that all its days are compared with, whatever becomes champion meanwhile."""
        from model_lifecycle.core.models import ModelUri
        from model_lifecycle.hooks.registry import registry_hook

        context = get_current_context()
        month = judged_month(context["params"], context.get("data_interval_start"))
        champion = registry_hook("mlflow_default").get(ModelUri(MODEL, alias="champion"))
        return {"month": month, "start": f"2013-{month:02}-01T00:00:00+00:00", "champion": champion.uri}

    @task
    def partitions(month: int) -> list[str]:
        """The files of the month, one for each day."""
        from flights.data import day_files

        return day_files(month, files() / "days")

    @task.branch
    def decide(found: dict[str, Any]) -> str:
        """Train again on drift that has lasted; whatever else was found is in the verdict."""
        return "retrain" if found["persisted"] else "all_is_well"

    chosen = choose()
    # [START profile]
    profile = ProfileDataOperator.partial(
        task_id="profile",
        model_uri=chosen["champion"],
        window_start=chosen["start"],
    ).expand(data=partitions(chosen["month"]))
    # [END profile]
    # [START drift]
    drift = ModelDriftOperator(
        task_id="drift",
        profiles=profile.output,
        model_uri=chosen["champion"],
        window_start=chosen["start"],
        window="training",
        consecutive=2,
    )
    # [END drift]
    retrain = TriggerDagRunOperator(
        task_id="retrain",
        trigger_dag_id="retrain_flights",
        conf={"month": chosen["month"]},
        logical_date=None,  # it is about the month in conf; dated today it would lie after the schedule's end
        note="drift of {{ ti.xcom_pull('drift')['drifted'] | join(', ') }}",
    )
    decide(drift.output) >> [retrain, EmptyOperator(task_id="all_is_well")]
