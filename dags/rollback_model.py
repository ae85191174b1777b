"""Bring back the last good version of an endpoint, or one you name, by hand.

It works on every serving system, with or without a router before it, and in every phase of a release, also of one that
is under way. The version it leaves is quarantined: no schedule deploys it again. A version that is still loaded comes
back at once, any other is fetched from the model store first.
"""

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
            ENDPOINT, type="string", title="Endpoint", description="What callers call: serving connection/model."
        ),
        "to": Param(
            None,
            type=["null", "string"],
            title="Back to",
            description="A version number, or models:/flights@previous. Empty: the last good one.",
        ),
        "reason": Param(
            type="string",
            minLength=1,
            format="multiline",
            title="Reason",
            description="Kept in the ledger, with your name, for whoever asks later why this version serves.",
        ),
    },
    tags=["model-lifecycle", "example", "manual"],
    doc_md=__doc__,
) as dag:
    RollbackModelOperator(
        task_id="roll_back",
        endpoint="{{ params.endpoint }}",
        to="{{ params.to or '' }}",
        reason="{{ params.reason }}",
    )
