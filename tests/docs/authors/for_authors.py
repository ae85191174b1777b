"""DAGs of docs/for-authors.md, parsed by tests/docs/test_author_snippets.py."""

from __future__ import annotations

# [START gate]
from airflow.sdk import DAG, task

from model_lifecycle.retries import MODEL_LIFECYCLE_RETRIES

with DAG("score", schedule=None, default_args=MODEL_LIFECYCLE_RETRIES) as score:

    @task.model_gate
    def small_enough(size: int) -> bool:
        return size < 100_000_000

    @task
    def promote() -> str:
        return "models:/churn/2"

    small_enough(size=6_963) >> promote()
# [END gate]

# [START deadline]
from datetime import timedelta

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference


async def tell(text: str) -> None:
    print(text)  # whatever reaches you


with DAG(
    "release_in_time",
    schedule=None,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=4),
        callback=AsyncCallback(tell, {"text": "The release has not ended within four hours."}),
    ),
) as release_in_time:
    promote()
# [END deadline]
