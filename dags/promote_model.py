"""Deploy a version by hand, wait until every caller gets it, and make it the champion.

A version that cannot be loaded, or answers wrongly, never gets a caller's request: the run fails and says why, and what
served before still serves. The version before stays loaded, so that `rollback_model` brings it back at once.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from flights.settings import MODEL, SCORER

from model_lifecycle.core.strategy import BlueGreen
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.promote import PromoteModelOperator
from model_lifecycle.sensors.ready import ModelReadySensor

MODEL_URI = "models:/{{ params.model }}{{ '/' if params.version.isdigit() else '@' }}{{ params.version }}"

with DAG(
    dag_id="promote_model",
    description="Deploy a version and make it the champion, by hand",
    schedule=None,
    params={
        "model": Param(MODEL, type="string", title="Model", description="The registered model's name."),
        "version": Param(
            "challenger",
            type="string",
            pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$",
            title="Version or alias",
            description="A version number such as 3, or an alias such as challenger.",
        ),
        "serving_conn_id": Param(
            SCORER, type="string", title="Serving connection", description="The connection of the model server."
        ),
        "reason": Param(
            type="string",
            minLength=1,
            format="multiline",
            title="Reason",
            description="Kept in the ledger, with your name, for whoever asks later why this version serves.",
        ),
        "allow_quarantined": Param(
            False,
            type="boolean",
            title="Even if quarantined",
            description="Deploy it although it was rolled back from this endpoint before.",
        ),
    },
    tags=["model-lifecycle", "example", "manual"],
    doc_md=__doc__,
) as dag:
    deploy = DeployModelOperator(
        task_id="deploy",
        model_uri=MODEL_URI,
        serving_conn_id="{{ params.serving_conn_id }}",
        strategy=BlueGreen(soak=timedelta(seconds=2)),
        allow_quarantined="{{ params.allow_quarantined }}",
        reason="{{ params.reason }}",
    )
    # [START ready]
    ready = ModelReadySensor(
        task_id="ready",
        endpoint="{{ params.serving_conn_id }}/{{ params.model }}",
        version="{{ ti.xcom_pull('deploy')['version'] }}",
        timeout=600,
        poke_interval=5,
    )
    # [END ready]
    promote = PromoteModelOperator(
        task_id="promote",
        model_uri="models:/{{ params.model }}/{{ ti.xcom_pull('deploy')['version'] }}",
        serving_conn_id="{{ params.serving_conn_id }}",
        reason="{{ params.reason }}",
    )
    deploy >> ready >> promote
