"""DAGs of docs/approval.md, run by tests/dags/test_in_airflow.py."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from model_lifecycle.operators.approval import ModelApprovalOperator

# [START approval]
with DAG("promote_with_approval", schedule=None, params={"model_uri": "models:/churn/2"}):
    ask = ModelApprovalOperator(
        task_id="ask",
        model_uri="{{ params.model_uri }}",
        serving_conn_id="scorer_default",
        subject="Shall {{ params.model_uri }} take over?",
        four_eyes=True,
        deadline=timedelta(days=2),
    )
    ask >> EmptyOperator(task_id="promote")
# [END approval]

with DAG("ask_bob", schedule=None, params={"model_uri": "models:/churn/2"}):
    ask_bob = ModelApprovalOperator(
        task_id="ask", model_uri="{{ params.model_uri }}", approvers=["bob"], deadline=timedelta(seconds=30)
    )
    ask_bob >> EmptyOperator(task_id="promote")
