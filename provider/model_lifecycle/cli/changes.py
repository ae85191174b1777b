"""``rollback`` and ``reconcile``: what the operators do, by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.cli.endpoints import endpoint_row
from model_lifecycle.cli.frame import Row, command, registry_connection, shell_user, store_of, store_uri, text
from model_lifecycle.core.errors import Invalid, ModelLifecycleError, Rejected, Unavailable
from model_lifecycle.core.models import Endpoint
from model_lifecycle.operators.reconcile import ENDED
from model_lifecycle.operators.rollback import RollbackModelOperator
from model_lifecycle.releases.opening import open_rollout
from model_lifecycle.releases.reconcile import is_orphan
from model_lifecycle.releases.reconcile import reconcile as bring_to_its_end
from model_lifecycle.stores.ledger import Ledger


class ShellRollback(RollbackModelOperator):
    """The operator, run by a person in a shell: the ledger names that person."""

    def _names(self, context: Any) -> dict[str, Any]:
        return {**super()._names(context), "actor": shell_user()}


@command
def rollback(args: Any) -> Sequence[Row]:
    """Roll back through the operator's own code, and wait until it is over."""
    endpoint = Endpoint.parse(args.endpoint)
    row = endpoint_row(store_of(args), endpoint)
    target = args.to or row["way_back"] or "what served before"
    if not args.yes:
        _confirm(f"{endpoint} serves {text(row['traffic']) or 'nothing'}. Go back to {target}? [y/N] ")
    task = ShellRollback(
        task_id="rollback",
        endpoint=args.endpoint,
        to=args.to,
        reason=args.reason,
        store=store_uri(args),
        registry_conn_id=registry_connection(args),
        deferrable=False,
    )
    ti = SimpleNamespace(dag_id="shell", run_id=uuid4().hex, task_id="rollback", map_index=-1, try_number=1)
    try:
        return [task.execute({"ti": ti})]  # type: ignore[typeddict-item]
    except AirflowFailException as error:
        raise error.__cause__ if isinstance(error.__cause__, Rejected) else Rejected(str(error)) from error


@command
def reconcile(args: Any) -> Sequence[Row]:
    """End every release whose task is dead by Airflow's own database; endpoints that fail are rows that say so."""
    store, grace = store_of(args), timedelta(seconds=args.grace)
    rows, faults = [], 0
    for name in args.endpoint or sorted(store.logs()):
        try:
            rows.append(_reconciled(args, Endpoint.parse(name), grace))
        except ModelLifecycleError as error:
            rows.append({"endpoint": name, "release": None, "state": None, "done": f"failed: {error}"})
            faults += 1
    if faults:
        said = "; ".join(f"{row['endpoint']} {row['done']}" for row in rows if row["state"] is None)
        raise Unavailable(f"{faults} of {len(rows)} endpoints could not be reconciled: {said}")
    return rows


def _reconciled(args: Any, endpoint: Endpoint, grace: timedelta) -> dict[str, Any]:
    newest = Ledger(store_of(args), endpoint).newest()
    if newest is None:
        return {"endpoint": str(endpoint), "release": None, "state": "no releases", "done": "nothing"}
    done = "nothing"
    if is_orphan(newest, is_alive, datetime.now(UTC), grace):
        registry = registry_connection(args)
        rollout = open_rollout(str(endpoint), store=store_uri(args), registry_conn_id=registry, actor=shell_user())
        newest, left = bring_to_its_end(rollout, newest), newest.state
        done = f"was left {left}"
    elif not newest.state.terminal:
        done = "nothing: somebody works on it, or it is too new to tell"
    return {"endpoint": str(endpoint), "release": newest.id, "state": str(newest.state), "done": done}


def is_alive(who: Mapping[str, str]) -> bool:
    """Whether the task that an actor names will go on, by Airflow's database.

    A run that this database does not know may be another Airflow's: only the release's deadline can tell.
    """
    if not {"dag", "run", "task"} <= who.keys():
        return True
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    place = int(who.get("map_index", -1))
    with create_session() as session:
        run = select(DagRun.id).where(DagRun.dag_id == who["dag"], DagRun.run_id == who["run"])
        if session.scalar(run) is None:
            return True
        state = select(TaskInstance.state).where(
            TaskInstance.dag_id == who["dag"],
            TaskInstance.run_id == who["run"],
            TaskInstance.task_id == who["task"],
            TaskInstance.map_index == place,
        )
        found = session.execute(state).first()
    return found is not None and str(found[0]) not in ENDED


def _confirm(question: str, ask: Callable[[str], str] = input) -> None:
    """Ask a person.

    :raises Invalid: if there is none, or the answer is anything but yes.
    """
    if not sys.stdin.isatty():
        raise Invalid("there is nobody to ask", hint="pass --yes to go back without being asked")
    if ask(question).strip().lower() not in ("y", "yes"):
        raise Invalid("nothing was changed: the answer was not yes")
