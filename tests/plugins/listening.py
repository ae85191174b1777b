"""DAGs that wait for what the receiver tells: alerts that ask for no rollback, and what happens in the registry."""

from __future__ import annotations

# [START listen]
from airflow.sdk import DAG, get_current_context, task

from model_lifecycle.assets.model import alerts

with DAG("on_alerts", schedule=alerts("churn")):

    @task
    def look() -> None:
        """Say what was told."""
        for events in get_current_context()["triggering_asset_events"].values():
            for event in events:
                print(event.extra["alert"], event.extra["version"], event.extra["reason"])

    look()
# [END listen]

from model_lifecycle.assets.model import registry_changes

with DAG("on_registry", schedule=registry_changes("churn")):

    @task
    def read() -> None:
        """Say what has happened to which version."""
        for events in get_current_context()["triggering_asset_events"].values():
            print([event.extra for event in events])

    read()
