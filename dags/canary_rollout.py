"""Release the challenger step by step: every night, or by hand with steps and limits of your own.

At each step the new version is compared with the one that answers the other callers at the same time. Worse means
back, by itself and at once; too little to judge by means wait, and back when the wait is over. A night without a
challenger, or with one that serves already, changes nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, get_current_context, task
from flights.settings import MODEL, SCORER
from pendulum import datetime

from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.promote import PromoteModelOperator

with DAG(
    dag_id="canary_rollout",
    description="Release the challenger step by step, judged at each against the version that serves",
    schedule="0 3 * * *",
    start_date=datetime(2013, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
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
        "steps": Param(
            [5, 25, 50],
            type="array",
            items={"type": "integer", "minimum": 1, "maximum": 99},
            minItems=1,
            title="Steps",
            description="Per cent of the requests at each step, rising, such as [5, 25, 50].",
        ),
        "bake": Param(
            600, type="integer", minimum=1, title="Bake", description="Seconds that each step lasts at least."
        ),
        "soak": Param(
            3600, type="integer", minimum=0, title="Soak", description="Seconds of watching once it has all requests."
        ),
        "pause": Param(
            86400,
            type="integer",
            minimum=1,
            title="Pause",
            description="Seconds that a step may go on without a clear verdict before it is rolled back.",
        ),
        "min_samples": Param(
            500,
            type="integer",
            minimum=1,
            title="Requests to judge by",
            description="Each version must have been asked so often at a step before it passes.",
        ),
        "max_error_rate": Param(
            0.2,
            type="number",
            minimum=0,
            maximum=1,
            title="Error limit",
            description="A larger share of failed requests between two looks rolls back at once.",
        ),
        "max_latency_ratio": Param(
            1.5,
            type="number",
            minimum=1,
            title="Latency limit",
            description="How many times the serving version's 95th percentile the new one's may be.",
        ),
        "supersede": Param(
            False,
            type="boolean",
            title="Supersede",
            description="If another release is under way on the endpoint, roll it back first instead of failing.",
        ),
        "reason": Param(
            "the nightly release of the challenger",
            type="string",
            minLength=1,
            format="multiline",
            title="Reason",
            description="Kept in the ledger, with your name, for whoever asks later why this version serves.",
        ),
    },
    tags=["model-lifecycle", "example", "rollout"],
    doc_md=__doc__,
) as dag:

    @task.short_circuit
    def candidate() -> dict[str, Any] | None:
        """The version that the alias names now: it may move while this one is released."""
        from model_lifecycle.core.errors import NotFound
        from model_lifecycle.core.models import ModelUri
        from model_lifecycle.hooks.registry import registry_hook

        params = get_current_context()["params"]
        joint = "/" if params["version"].isdigit() else "@"
        uri = ModelUri.parse(f"models:/{params['model']}{joint}{params['version']}")
        try:
            return {"uri": registry_hook("mlflow_default").get(uri).uri}
        except NotFound:
            return None

    # [START canary]
    deploy = DeployModelOperator(
        task_id="deploy",
        model_uri="{{ ti.xcom_pull('candidate')['uri'] }}",
        serving_conn_id="{{ params.serving_conn_id }}",
        strategy={
            "name": "Canary",
            "steps": "{{ params.steps | tojson }}",
            "bake": "{{ params.bake }}",
            "soak": "{{ params.soak }}",
            "pause": "{{ params.pause }}",
        },
        checks="""[
            {"metric": "error_rate", "hard_maximum": {{ params.max_error_rate }},
             "min_samples": {{ params.min_samples }}},
            {"metric": "refusal_rate", "min_samples": {{ params.min_samples }}},
            {"metric": "latency_p95", "max_ratio": {{ params.max_latency_ratio }},
             "min_samples": {{ params.min_samples }}}
        ]""",
        supersede="{{ params.supersede }}",
        reason="{{ params.reason }}",
        deferrable=True,
    )
    # [END canary]
    promote = PromoteModelOperator(
        task_id="promote",
        model_uri="{{ ti.xcom_pull('candidate')['uri'] }}",
        serving_conn_id="{{ params.serving_conn_id }}",
        reason="{{ params.reason }}",
    )
    candidate() >> deploy >> promote
