"""Watch the model that serves: roll back when it is sick, train a new one when the world has changed.

Once a month callers ask the endpoint about flights, and its server logs what it answers. The hours of that log become
profiles, one by one, and are compared with what the version was trained on. Labels come later, and not all: those that
have come are joined with the answers, and of the others an estimate tells what to expect. FAIL brings back the version
before. Drift alone is no reason to roll back: it asks for a new training.

The flights end with 2013, so what is newest is known: switched on, the schedule has one run, about the last month. To
run it by hand, name the month and empty the field *Logical Date*.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import conf
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, get_current_context, task
from flights.schedule import MONTHLY
from flights.settings import ENDPOINT, LAST_MONTH, files, judged_month
from pendulum import datetime

from model_lifecycle.core.monitoring import Coverage, Estimated, Quality
from model_lifecycle.operators.drift import ModelDriftOperator
from model_lifecycle.operators.monitor import MonitorModelOperator
from model_lifecycle.operators.profile import ProfileDataOperator
from model_lifecycle.operators.rollback import RollbackModelOperator

with DAG(
    dag_id="monitor_flights",
    description="Judge what the live version answered, as labels come; roll back on FAIL, train again on drift",
    schedule=MONTHLY,
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
        start = f"2013-{month:02}-01T00:00:00+00:00"
        return {"month": month, "start": start, "file": month_file(month, files() / "data")}

    @task
    def ask(newest: dict[str, Any]) -> dict[str, Any]:
        """Play the month's callers, and those who learn later how a flight ended. In production nobody needs this task.

        There callers ask for themselves, with an id in each request, the window is the data interval, and labels come
        from wherever they are known.
        """
        from flights.callers import ask_about

        return ask_about(newest["month"], newest["file"], files() / "labels")

    @task
    def hours(asked: dict[str, Any]) -> list[str]:
        """The hours of the prediction log that the window touches; the log lies in the model store."""
        from flights.callers import logged_hours

        return logged_hours(asked, conf.get("model_lifecycle", "store"))

    @task.branch
    def judge(asked: dict[str, Any], found: dict[str, Any], verdict: dict[str, Any]) -> list[str]:
        """What to do; drift and sickness may come together. Requests that failed are sickness, too."""
        actions = ["roll_back"] if asked["sick"] or verdict["verdict"] == "FAIL" else []
        return [*actions, "retrain"] if found["persisted"] else actions or ["all_is_well"]

    newest = newest_labels()
    asked = ask(newest)
    # [START hours]
    logged = hours(asked)
    profile = ProfileDataOperator.partial(
        task_id="profile",
        model_uri=asked["model_uri"],
        name="flights-live",
        window_start=newest["start"],
        between=asked["window"],
    ).expand(data=logged)
    drift = ModelDriftOperator(
        task_id="drift",
        profiles=profile.output,
        model_uri=asked["model_uri"],
        name="flights-live",
        window_start=newest["start"],
        endpoint=ENDPOINT,
        consecutive=1,  # this schedule has one run; with more, 2 waits for drift that lasts
    )
    # [END hours]
    # [START monitor]
    monitor = MonitorModelOperator(
        task_id="monitor",
        endpoint=ENDPOINT,
        predictions="log://",
        labels=asked["labels"],
        target="late",
        window=asked["window"],
        delay=timedelta(0),  # a month is played in seconds; in production the time until flights have landed
        checks=[Coverage(0.8), Quality("log_loss", tolerance=0.005), Estimated("log_loss", min_samples=100)],
    )
    # [END monitor]
    roll_back = RollbackModelOperator(
        task_id="roll_back",
        endpoint=ENDPOINT,
        leaving=asked["model_uri"],
        reason="{{ ti.xcom_pull('ask')['sick'] or ti.xcom_pull('monitor')['reason'] }}",
    )
    retrain = TriggerDagRunOperator(
        task_id="retrain",
        trigger_dag_id="retrain_flights",
        conf={"month": newest["month"]},
        logical_date=None,  # it is about the month in conf; dated today it would lie after the schedule's end
        note="drift of {{ ti.xcom_pull('drift')['drifted'] | join(', ') }}",
    )
    logged >> monitor
    judge(asked, drift.output, monitor.output) >> [roll_back, retrain, EmptyOperator(task_id="all_is_well")]
