"""Bring back the last good version, or one you name, by hand. It works in every phase of a release."""

from __future__ import annotations

from airflow.sdk import DAG, Param
from flights.settings import ENDPOINT

from model_lifecycle.operators.rollback import RollbackModelOperator

with DAG(
    dag_id="rollback_model",
    description="Bring back the last good version of an endpoint, by hand",
    schedule=None,
    params={
        "endpoint": Param(
            ENDPOINT, type="string", title="Endpoint", description="serving connection / model, such as " + ENDPOINT
        ),
        "to": Param(
            None,
            type=["null", "string"],
            title="Back to",
            description="A version number or models:/<name>@<alias>; empty for the last good one.",
        ),
        "reason": Param("", type="string", format="multiline", title="Reason", description="For the ledger."),
    },
    tags=["model-lifecycle", "example", "manual"],
    doc_md=__doc__,
) as dag:
    RollbackModelOperator(
        task_id="roll_back",
        endpoint="{{ params.endpoint }}",
        to="{{ params.to or '' }}",
        reason="{{ params.reason or 'rolled back by hand' }}",
    )
