"""What all operators of the provider share: defaults, provenance, and the one place where errors meet Airflow."""

from __future__ import annotations

import logging
import sys
from abc import abstractmethod
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout, conf
from airflow.sdk import BaseOperator, BaseOperatorLink, Context

from model_lifecycle.assets.model import MODEL_EVENTS
from model_lifecycle.core.errors import Invalid, Rejected
from model_lifecycle.hooks.registry import ModelRegistryHook, registry_hook
from model_lifecycle.hooks.store import open_store
from model_lifecycle.operators.links import DashboardLink, EndpointLink, ModelVersionLink
from model_lifecycle.stores.base import ModelStore

SECTION = "model_lifecycle"
log = logging.getLogger(__name__)


class ModelLifecycleOperator(BaseOperator):
    """Base of the operators: runs :meth:`perform` and turns what can never succeed into a failure without retries.

    :param store: URI of the model store; ``[model_lifecycle] store`` by default.
    :param registry_conn_id: connection of the registry; ``[model_lifecycle] registry_conn_id`` by default.
    """

    template_fields: Sequence[str] = ("store", "registry_conn_id")
    operator_extra_links: Sequence[BaseOperatorLink] = (ModelVersionLink(), EndpointLink(), DashboardLink())
    dashboard: ClassVar[str] = "model-lifecycle-versions"
    """The dashboard, by its uid, that shows what such tasks are about."""
    _result: Any = None
    tells: ClassVar[bool] = False
    """Whether its tasks tell of what they change, see :mod:`model_lifecycle.operators.telling`."""

    def __init__(self, *, store: str | None = None, registry_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.store = store
        self.registry_conn_id = registry_conn_id
        if self.tells and MODEL_EVENTS not in self.outlets:
            self.outlets = [*self.outlets, MODEL_EVENTS]

    def execute(self, context: Context) -> Any:
        """Run the task; Airflow retries :class:`Unavailable` and never retries :class:`Rejected`."""
        return self.guarded(context)

    def guarded(self, context: Context, **resumed: Any) -> Any:
        """Run :meth:`perform` with errors as Airflow understands them."""
        try:
            self._result = self.perform(context, **resumed)
        except Rejected as error:
            raise AirflowFailException(str(error)) from error
        return self._result

    def get_openlineage_facets_on_start(self) -> Any:
        """What this task is going to read; None where OpenLineage is not installed."""
        from model_lifecycle.operators.lineage import lineage

        return lineage(self, None)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What this task read and made; None where OpenLineage is not installed."""
        from model_lifecycle.operators.lineage import lineage

        return lineage(self, self._result)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any:
        """What this task would have read; it made nothing that counts."""
        from model_lifecycle.operators.lineage import lineage

        return lineage(self, None)

    @abstractmethod
    def perform(self, context: Context, **resumed: Any) -> Any:
        """Do the work of the task; ``resumed`` holds what a wait carried over."""

    def store_uri(self) -> str:
        """The URI of this task's store.

        :raises Invalid: if neither the task nor the configuration names one.
        """
        uri = self.store or conf.get(SECTION, "store", fallback=None)
        if not uri:
            raise Invalid("no model store is named", hint="pass store= or set [model_lifecycle] store")
        return str(uri)

    def model_store(self) -> ModelStore:
        """The store of this task."""
        return open_store(self.store_uri())

    def registry_connection(self) -> str:
        """The id of this task's registry connection."""
        return self.registry_conn_id or str(conf.get(SECTION, "registry_conn_id", fallback="mlflow_default"))

    def model_registry(self) -> ModelRegistryHook:
        """The registry of this task, found by its connection's type.

        :raises Invalid: if the connection is of another kind.
        """
        return registry_hook(self.registry_connection())


def actor(context: Context) -> dict[str, str]:
    """Who acts, for the ledger and for provenance: strings only."""
    ti = context["ti"]
    run = context.get("dag_run")
    known = {
        "dag": ti.dag_id,
        "run": ti.run_id,
        "task": ti.task_id,
        "map_index": ti.map_index,
        "try": ti.try_number,
        "user": getattr(run, "triggering_user_name", None),
    }
    return {name: str(value) for name, value in known.items() if value is not None and value != -1}


def goes_on(context: Context) -> bool:
    """Whether another try will go on with a task that is told to stop: its machine stops it, and no person.

    A person's stop changes the state of the task before the task hears of it; that of a machine (a pod is evicted, a
    node is drained) does not. An execution timeout is told within the task. Where Airflow does not answer,
    nobody is counted on.
    """
    ti = context["ti"]
    if isinstance(sys.exception(), AirflowTaskTimeout) or ti.try_number > ti.max_tries:
        return False
    try:
        states = ti.get_task_states(ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index)
    except Exception:  # whatever it is: what was begun is undone
        log.exception("Airflow does not tell whether this task is still wanted")
        return False
    return {str(state) for state in states.get(ti.run_id, {}).values()} == {"running"}


def task_key(context: Context) -> str:
    """A short name of this task of this run, equal in all its tries and after it was cleared."""
    ti = context["ti"]
    identity = "\n".join([ti.dag_id, ti.run_id, ti.task_id, str(ti.map_index)])
    return sha256(identity.encode()).hexdigest()[:12]


def provenance(context: Context) -> dict[str, str]:
    """Where an artifact comes from; equal in all tries of a task, so that a retry makes the same artifact."""
    ti = context["ti"]
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    known = {
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": ti.task_id,
        "data_interval": f"{start.isoformat()}/{end.isoformat()}" if start and end else None,
    }
    return {name: value for name, value in known.items() if value}
