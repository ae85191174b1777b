"""A DAG of docs/for-authors.md, run by tests/dags/test_in_airflow.py."""

from __future__ import annotations

# [START deadline]
from datetime import timedelta

from airflow.sdk import DAG, AsyncCallback, DeadlineAlert, DeadlineReference

from model_lifecycle.operators.promote import PromoteModelOperator

too_late = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT,
    interval=timedelta(hours=4),
    callback=AsyncCallback("lateness.tell", {"text": "The release has not ended within four hours."}),
)
with DAG("release_in_time", schedule=None, deadline=too_late, params={"model_uri": "models:/churn/2"}) as dag:
    PromoteModelOperator(task_id="promote", model_uri="{{ params.model_uri }}", serving_conn_id="scorer_default")
# [END deadline]
