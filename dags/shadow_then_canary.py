"""Release a version that nobody has trusted yet: first on copies of requests, then step by step.

While it is a shadow every caller gets the answer of the version that serves, and a copy of the request goes to the new
one, whose answer is thrown away. A crash, an error or a slow answer costs no caller anything, and rolls back. Requests
that change something must not be copied. The endpoint needs a router that can copy, of type `envoy`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from flights.settings import MODEL

from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.promote import PromoteModelOperator

MODEL_URI = "models:/{{ params.model }}{{ '/' if params.version.isdigit() else '@' }}{{ params.version }}"

with DAG(
    dag_id="shadow_then_canary",
    description="Try a version on copies of requests, then release it step by step",
    schedule=None,
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
            "scorer_behind_envoy",
            type="string",
            title="Serving connection",
            description="A connection whose extra router_conn_id names a router of type envoy.",
        ),
        "duration": Param(
            3600, type="integer", minimum=1, title="Shadow", description="Seconds of copied requests at least."
        ),
        "share": Param(
            100,
            type="integer",
            minimum=1,
            maximum=100,
            title="Copies",
            description="Per cent of the requests that are copied.",
        ),
        "steps": Param(
            [10, 50],
            type="array",
            items={"type": "integer", "minimum": 1, "maximum": 99},
            minItems=1,
            title="Steps",
            description="Per cent of the requests at each step after it, rising, such as [10, 50].",
        ),
        "bake": Param(
            600, type="integer", minimum=1, title="Bake", description="Seconds that each step lasts at least."
        ),
        "soak": Param(
            3600, type="integer", minimum=0, title="Soak", description="Seconds of watching once it has all requests."
        ),
        "min_samples": Param(
            500,
            type="integer",
            minimum=1,
            title="Requests to judge by",
            description="Each version must have been asked so often before it passes.",
        ),
        "reason": Param(
            type="string",
            minLength=1,
            format="multiline",
            title="Reason",
            description="Kept in the ledger, with your name, for whoever asks later why this version serves.",
        ),
    },
    tags=["model-lifecycle", "example", "rollout", "manual"],
    doc_md=__doc__,
) as dag:
    # [START shadow]
    deploy = DeployModelOperator(
        task_id="deploy",
        model_uri=MODEL_URI,
        serving_conn_id="{{ params.serving_conn_id }}",
        strategy={
            "name": "Shadow",
            "duration": "{{ params.duration }}",
            "share": "{{ params.share }}",
            "then": {
                "name": "Canary",
                "steps": "{{ params.steps | tojson }}",
                "bake": "{{ params.bake }}",
                "soak": "{{ params.soak }}",
            },
        },
        checks="""[
            {"metric": "error_rate", "hard_maximum": 0.2, "min_samples": {{ params.min_samples }}},
            {"metric": "latency_p95", "max_ratio": 1.5, "min_samples": {{ params.min_samples }}}
        ]""",
        reason="{{ params.reason }}",
        deferrable=True,
    )
    # [END shadow]
    promote = PromoteModelOperator(
        task_id="promote",
        model_uri="models:/{{ params.model }}/{{ ti.xcom_pull('deploy')['version'] }}",
        serving_conn_id="{{ params.serving_conn_id }}",
        reason="{{ params.reason }}",
    )
    deploy >> promote
