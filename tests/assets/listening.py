"""A DAG that waits for what tasks tell of a model."""

from __future__ import annotations

# [START listen]
from airflow.sdk import DAG, task

from model_lifecycle.assets.events import new_events
from model_lifecycle.assets.model import champion

with DAG("on_champion", schedule=champion("churn")):

    @task
    def read() -> list[dict]:
        """Say which version is the champion now, since which release, and why."""
        return [
            {name: fact[name] for name in ("version", "release", "reason")} for fact in new_events(champion("churn"))
        ]

    read()
# [END listen]
