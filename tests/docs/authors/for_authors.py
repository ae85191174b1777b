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
