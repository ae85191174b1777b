"""What an alert becomes inside Airflow: a DAG run, or an asset event; each once, however often it is asked for.

This runs in the API server, which owns the database. Only names that Airflow 3.1, 3.2 and 3.3 share are used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from model_lifecycle.core.errors import Invalid, Unavailable

STARTED, ALREADY, EVENT, NOBODY = "started", "already", "event", "nobody listens"


def start_run(dag_id: str, run_id: str, params: Mapping[str, Any], user: str) -> str:
    """Start a DAG run, unless one of that id was ever started: :data:`STARTED` or :data:`ALREADY`.

    :param user: who is said to have started it.
    :raises Unavailable: if the DAG cannot run now, so that whoever asked asks again.
    :raises Invalid: if the DAG does not take these params.
    """
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.exceptions import DagNotFound, DagRunAlreadyExists
    from airflow.providers.common.compat.sdk import ParamValidationError
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy.exc import IntegrityError

    if _exists(dag_id, run_id):
        return ALREADY
    _check_can_run(dag_id)
    try:
        with _database():
            trigger_dag(
                dag_id,
                triggered_by=DagRunTriggeredByType.REST_API,
                triggering_user_name=user,
                run_id=run_id,
                conf=dict(params),
            )
    except (DagRunAlreadyExists, IntegrityError):
        # Two deliveries at once: the database lets one of them in.
        if _exists(dag_id, run_id):
            return ALREADY
        raise
    except DagNotFound as error:
        raise Unavailable(f"Airflow has not read DAG {dag_id} yet", target=dag_id) from error
    except (ParamValidationError, ValueError) as error:
        raise Invalid(f"DAG {dag_id} refused the run: {error}", target=dag_id) from error
    return STARTED


def record_event(asset: str, key: str, extra: Mapping[str, Any]) -> str:
    """Record an asset event: :data:`EVENT`, :data:`ALREADY`, or :data:`NOBODY` if no DAG names the asset.

    :param key: names the event; it is kept in the event's extra, by which it is known when it comes again.
    :raises Unavailable: if the database does not answer.
    """
    from airflow.assets.manager import asset_manager
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import String, cast, select, update

    with _database(), create_session() as session:
        found = session.scalar(select(AssetModel).where(AssetModel.name == asset, AssetModel.active.has()))
        if found is None:
            return NOBODY
        # Changes nothing, and holds the row until the end: two deliveries at once come one after the other.
        session.execute(update(AssetModel).where(AssetModel.id == found.id).values(name=AssetModel.name))
        same = (AssetEvent.asset_id == found.id, cast(AssetEvent.extra, String).contains(key))
        if session.scalar(select(AssetEvent.id).where(*same).limit(1)) is not None:
            return ALREADY
        asset_manager.register_asset_change(asset=found, extra={**extra, "key": key}, session=session)
    return EVENT


def _exists(dag_id: str, run_id: str) -> bool:
    from airflow.models.dagrun import DagRun

    with _database():
        return DagRun.find_duplicate(dag_id=dag_id, run_id=run_id) is not None


def _check_can_run(dag_id: str) -> None:
    from airflow.models.dag import DagModel

    with _database():
        dag = DagModel.get_current(dag_id)
    if dag is None or dag.is_stale:
        raise Unavailable(f"there is no DAG {dag_id}", target=dag_id, hint="put it into the DAGs folder")
    if dag.has_import_errors:
        raise Unavailable(f"DAG {dag_id} cannot be imported", target=dag_id, hint="see Airflow's import errors")
    if dag.is_paused:
        # A run that waits would act whenever somebody unpauses the DAG, days later.
        raise Unavailable(f"DAG {dag_id} is paused", target=dag_id, hint="unpause it")


@contextmanager
def _database() -> Iterator[None]:
    """A database that is locked or away is an error that passes."""
    from sqlalchemy.exc import OperationalError

    try:
        yield
    except OperationalError as error:
        raise Unavailable("Airflow's database does not answer") from error
