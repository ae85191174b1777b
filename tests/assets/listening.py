"""A DAG that waits for what tasks tell of a model."""

from __future__ import annotations

# [START listen]
from airflow.sdk import DAG, get_current_context, task

from model_lifecycle.assets.model import champion

with DAG("on_champion", schedule=champion("churn")):

    @task
    def read() -> list[dict]:
        """Say which version is the champion now, since which release, and why."""
        events = get_current_context()["triggering_asset_events"][champion("churn")]
        return [{name: event.extra[name] for name in ("version", "release", "reason")} for event in events]

    read()
# [END listen]
