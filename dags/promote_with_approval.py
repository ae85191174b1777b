"""Ask people whether a version may take over; if somebody approves, deploy it and make it the champion.

The question stands under *Required Actions* with the evidence: candidate beside champion, drift, size, and who trained
it from which commit and data. While it waits nothing is locked: `rollback_model` works. Nobody's answer within a day is
a no.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from flights.settings import MODEL, SCORER

from model_lifecycle.core.strategy import BlueGreen
from model_lifecycle.operators.approval import ModelApprovalOperator
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.promote import PromoteModelOperator

MODEL_URI = f"models:/{MODEL}/{{{{ params.version }}}}"

with DAG(
    dag_id="promote_with_approval",
    description="Make a version the champion if somebody approves",
    schedule=None,
    params={
        "version": Param(
            type="string", pattern="^[0-9]+$", title="Version", description="The number of the candidate."
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
    ask = ModelApprovalOperator(
        task_id="ask",
        model_uri=MODEL_URI,
        serving_conn_id=SCORER,
        subject=f"Shall version {{{{ params.version }}}} of {MODEL} take over? {{{{ params.reason }}}}",
    )
    deploy = DeployModelOperator(
        task_id="deploy",
        model_uri=MODEL_URI,
        serving_conn_id=SCORER,
        strategy=BlueGreen(soak=timedelta(seconds=2)),
        reason="{{ params.reason }}",
    )
    promote = PromoteModelOperator(
        task_id="promote",
        model_uri=MODEL_URI,
        serving_conn_id=SCORER,
        reason="{{ params.reason }}",
    )
    ask >> deploy >> promote
