"""DAGs that wait for what others do to models: with tasks of ours, with plain MLflow, or in the model store."""

from __future__ import annotations

import os

# [START watch]
from airflow.sdk import DAG, AssetWatcher, task

from model_lifecycle.assets.events import new_events
from model_lifecycle.assets.model import registry_changes
from model_lifecycle.triggers.watch import ModelVersionWatcher

new_versions = registry_changes(
    "churn", watchers=[AssetWatcher(name="churn_versions", trigger=ModelVersionWatcher("churn", poll_interval=2))]
)

with DAG("on_version", schedule=new_versions):

    @task(retries=2)
    def look() -> list[str]:
        """Say which versions there are now that were not there before; none if an event has come twice."""
        return [fact["model_uri"] for fact in new_events(new_versions)]

    look()
# [END watch]

from airflow.sdk import AssetAny  # noqa: E402
from airflow.sdk.exceptions import AirflowFailException  # noqa: E402

from model_lifecycle.assets.model import artifacts, versions  # noqa: E402
from model_lifecycle.operators.reconcile import ReconcileReleasesOperator  # noqa: E402
from model_lifecycle.operators.register import RegisterModelOperator  # noqa: E402
from model_lifecycle.operators.upload import UploadModelOperator  # noqa: E402
from model_lifecycle.triggers.watch import ModelArtifactWatcher  # noqa: E402

STORE = os.environ.get("WATCHED_STORE", "file:///nowhere")

many = [
    registry_changes(name, watchers=[AssetWatcher(name=name, trigger=ModelVersionWatcher(name, poll_interval=2))])
    for name in (f"many-{number}" for number in range(int(os.environ.get("WATCHED_BESIDES", "1"))))
]
with DAG("on_many", schedule=AssetAny(*many)):

    @task
    def note() -> None:
        """Do nothing."""

    note()

# [START artifact]
watcher = AssetWatcher(name="churn_artifacts", trigger=ModelArtifactWatcher("told", store=STORE, poll_interval=2))

with DAG("on_artifact", schedule=registry_changes("told", watchers=[watcher])):
    # [END artifact]

    @task
    def fetch() -> None:
        """Do nothing."""

    fetch()

with DAG("make", schedule=None, params={"source": ""}):
    upload = UploadModelOperator(task_id="upload", model_name="told", source="{{ params.source }}", store=STORE)
    RegisterModelOperator(
        task_id="register", model_name="told", artifact_uri=upload.output, store=STORE, alias="challenger"
    )

with DAG("on_told", schedule=versions("told") & artifacts("told")):

    @task
    def hear() -> list[dict]:
        """What was told."""
        return [fact for asset in (versions("told"), artifacts("told")) for fact in new_events(asset)]

    hear()

with DAG("ends_badly", schedule=None):

    @task
    def fail() -> None:
        """Fail as a deploy does whose checks have rolled it back."""
        raise AirflowFailException("ended ROLLED_BACK")

    fail() >> ReconcileReleasesOperator(task_id="tell", endpoints=["nowhere/told"], store=STORE).as_teardown()
