"""Find releases whose task is dead, and finish them or put them back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Context

from model_lifecycle.core.errors import ModelLifecycleError
from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.release import Release
from model_lifecycle.operators.base import ModelLifecycleOperator, actor
from model_lifecycle.operators.telling import tell_releases
from model_lifecycle.releases.opening import open_rollout
from model_lifecycle.releases.reconcile import is_orphan, reconcile
from model_lifecycle.stores.ledger import Ledger

ENDED = ("success", "failed", "skipped", "removed", "upstream_failed")


class ReconcileReleasesOperator(ModelLifecycleOperator):
    """Look at every endpoint's newest release; bring to its end what nobody works on any more.

    A worker that was killed for good, a task that was deleted, a DAG run that somebody marked as failed: each leaves a
    release between two states. A rollback, a promotion and a proven version that was soaking are finished, every other
    deploy is rolled back. One endpoint that cannot be reached does not keep the others waiting: the task goes on and
    fails at the end.

    It also tells of releases whose own task could not: see :func:`~model_lifecycle.operators.telling.tell_releases`.

    :param endpoints: only these, ``<serving_conn_id>/<model>``; every endpoint of the store by default.
    :param grace: how old the newest ledger entry of a release must be, or seconds.
    :returns: the releases that it brought to an end or further, as JSON.
    """

    template_fields: Sequence[str] = (*ModelLifecycleOperator.template_fields, "endpoints", "grace")
    tells = True

    def __init__(
        self,
        *,
        endpoints: Sequence[str] | str | None = None,
        grace: timedelta | float | str = timedelta(minutes=2),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoints = endpoints
        self.grace = grace

    def perform(self, context: Context, **resumed: Any) -> list[dict[str, Any]]:
        """Go through the endpoints, one after the other."""
        done, failed = [], []
        for endpoint in self._endpoints():
            try:
                release = self._reconcile(context, endpoint)
            except ModelLifecycleError as error:
                self.log.error("%s: %s", endpoint, error)
                failed.append(f"{endpoint}: {error}")
                continue
            if release is not None:
                done.append(release.to_dict())
        if failed:
            raise RuntimeError(f"{len(failed)} endpoints could not be reconciled: {'; '.join(failed)}")
        return done

    def _endpoints(self) -> list[str]:
        if not self.endpoints or self.endpoints == "None":
            return sorted(self.model_store().logs())
        return json.loads(self.endpoints) if isinstance(self.endpoints, str) else list(self.endpoints)

    def _grace(self) -> timedelta:
        return self.grace if isinstance(self.grace, timedelta) else timedelta(seconds=float(self.grace))

    def _reconcile(self, context: Context, endpoint: str) -> Release | None:
        ledger, release = Ledger(self.model_store(), Endpoint.parse(endpoint)), None
        newest = ledger.newest()
        if newest is not None and is_orphan(newest, is_alive(context), datetime.now(UTC), self._grace()):
            rollout = open_rollout(
                endpoint, store=self.store_uri(), registry_conn_id=self.registry_connection(), actor=actor(context)
            )
            release = reconcile(rollout, newest)
        tell_releases(context, lambda: ledger)
        return release


def is_alive(context: Context) -> Any:
    """Ask Airflow whether the task that an actor names is still running, waiting, or going to be tried again."""

    def alive(who: Mapping[str, str]) -> bool:
        if not {"dag", "run", "task"} <= who.keys():
            return True  # not a task: only its deadline can tell
        ti: Any = context["ti"]
        place = int(who["map_index"]) if "map_index" in who else None
        found = ti.get_task_states(dag_id=who["dag"], task_ids=[who["task"]], run_ids=[who["run"]], map_index=place)
        states = [str(state) for tasks in found.values() for state in tasks.values()]
        return bool(states) and not all(state in ENDED for state in states)

    return alive
