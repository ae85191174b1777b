"""Score a month of flights again whenever another version becomes the champion, by a promotion or a rollback.

Nobody calls this DAG: it is scheduled on the asset ``model://flights/champion``, which the tasks that move the alias
tell. Started by hand it scores with the champion of now.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, get_current_context, task
from flights.settings import MODEL, files
from pendulum import datetime

from model_lifecycle.assets.model import champion

with DAG(
    dag_id="score_flights",
    description="Score a month of flights with every new champion",
    schedule=champion(MODEL),
    start_date=datetime(2013, 1, 1),
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
    params={"month": Param(12, type="integer", minimum=1, maximum=12, title="Month", description="Of 2013.")},
    tags=["model-lifecycle", "example", "assets"],
    doc_md=__doc__,
) as dag:

    @task.short_circuit
    def changed() -> dict[str, Any] | None:
        """The newest change that this run is about, or what is true now; nothing if there is no champion any more."""
        from model_lifecycle.core.errors import NotFound
        from model_lifecycle.core.models import ModelUri
        from model_lifecycle.hooks.registry import registry_hook

        told = get_current_context()["triggering_asset_events"].get(champion(MODEL)) or []
        if told:
            newest = told[-1].extra
            return {"version": newest["version"], "reason": newest["reason"]} if newest["version"] else None
        try:
            now = registry_hook("mlflow_default").get(ModelUri(MODEL, alias="champion"))
        except NotFound:
            return None
        return {"version": now.version, "reason": "started by hand"}

    @task
    def score(change: dict[str, Any]) -> dict[str, Any]:
        """Write the probability of being late for each flight, whole or not at all; returns where, and the mean."""
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from airflow.configuration import conf
        from flights.data import TARGET, month_table
        from mlflow import pyfunc

        from model_lifecycle.core.models import ModelUri
        from model_lifecycle.hooks.registry import registry_hook
        from model_lifecycle.hooks.store import open_store

        month = get_current_context()["params"]["month"]
        version = registry_hook("mlflow_default").get(ModelUri(MODEL, change["version"]))
        table = month_table(month).drop(columns=TARGET)
        target = files() / "scores" / f"{MODEL}-v{version.version}-2013-{month:02}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent, prefix=".") as aside:
            model = Path(aside) / "model"
            open_store(conf.get("model_lifecycle", "store")).fetch(version.artifact_uri, model)
            table["late"] = pyfunc.load_model(str(model), suppress_warnings=True).predict(table)[:, -1]
            table.to_parquet(Path(aside) / target.name, index=False)
            (Path(aside) / target.name).replace(target)
        return {**change, "scores": str(target), "rows": len(table), "mean": float(table["late"].mean())}

    score(changed())
