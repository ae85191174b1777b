"""Take away the version that an alert is about: what a firing alert with the label `action: rollback` starts.

Alertmanager posts to the receiver in Airflow's API server, which starts one run for each firing of an alert, however
often it is delivered. The version named by the alert goes only if it still serves; then the last good one is back
within seconds, and what was left is quarantined.

If what serves now came by a rollback just before, this one fails and leaves it: a fault that follows two versions is
hardly the model's own, and going back further and further helps nobody. Somebody has to look.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import AirflowFailException, conf
from airflow.sdk import DAG, Context, Param

from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.release import State
from model_lifecycle.hooks.store import open_store
from model_lifecycle.operators.rollback import RollbackModelOperator
from model_lifecycle.stores.ledger import Ledger


def leave_to_a_person(context: Context) -> None:
    """Fail if what the alert is about was itself put back by a rollback just before."""
    params = context["params"]
    newest = Ledger(open_store(conf.get("model_lifecycle", "store")), Endpoint.parse(params["endpoint"])).newest()
    if newest is None or newest.state is not State.ROLLED_BACK or newest.standing.serving is None:
        return
    ago = datetime.now(UTC) - newest.last.at
    if str(newest.standing.serving.version) == params["leaving"] and ago < timedelta(minutes=params["calm"]):
        raise AirflowFailException(
            f"version {params['leaving']} serves since a rollback {ago.total_seconds() / 60:.0f} minutes ago, and now "
            f"{params['alert']} is about it: look for a cause outside of the model, or roll back by hand"
        )


with DAG(
    dag_id="alert_rollback",
    description="Roll back the version that an alert is about, if it still serves",
    schedule=None,
    # The same firing starts no second run, so this one goes on trying for half an hour while a system is away.
    default_args={"retries": 90, "retry_delay": timedelta(seconds=20)},
    params={
        "endpoint": Param(
            type="string",
            pattern=r"^[^/\s]+/[^/\s]+$",
            title="Endpoint",
            description="What callers call: serving connection/model.",
        ),
        "leaving": Param(
            type="string",
            pattern=r"^[1-9][0-9]*$",
            title="Leaving",
            description="The number of the version that is bad. If another one serves, nothing happens.",
        ),
        "alert": Param("by hand", type="string", title="Alert", description="The name of the alert, for the ledger."),
        "reason": Param(
            type="string",
            minLength=1,
            format="multiline",
            title="Reason",
            description="Kept in the ledger for whoever asks later why this version went.",
        ),
        "calm": Param(
            30,
            type="integer",
            minimum=0,
            title="Calm",
            description="Minutes after a rollback in which the next one is left to a person.",
        ),
    },
    tags=["model-lifecycle", "example", "alert"],
    doc_md=__doc__,
) as dag:
    # [START roll_back_on_alert]
    RollbackModelOperator(
        task_id="roll_back",
        endpoint="{{ params.endpoint }}",
        leaving="{{ params.leaving }}",
        reason="{{ params.reason }}",
        pre_execute=leave_to_a_person,
    )
    # [END roll_back_on_alert]
