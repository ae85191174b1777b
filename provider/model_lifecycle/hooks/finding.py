"""How a hook of ours is found: by its connection's type, as Airflow finds any (DESIGN section 2)."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException
from airflow.sdk import BaseHook

from model_lifecycle.core.errors import Invalid


def find_hook(conn_id: str, kinds: str) -> BaseHook:
    """The hook of a connection, of whatever kind.

    :param kinds: the connection types that would do, for people.
    :raises Invalid: if there is no such connection, or nobody knows its type.
    """
    try:
        hook: BaseHook = BaseHook.get_hook(conn_id)
    except AirflowNotFoundException as error:
        raise Invalid(f"there is no connection {conn_id}", target=conn_id, hint=f"make one of type {kinds}") from error
    except AirflowException as error:
        raise Invalid(f"connection {conn_id}: {error}", target=conn_id, hint=f"install what serves {kinds}") from error
    return hook


def wrong_kind(conn_id: str, does: str, kinds: str) -> Invalid:
    """The error of a connection whose hook is none of ours.

    :param does: such as ``"serves no models"``.
    """
    message = f"connection {conn_id} is of a type that {does}"
    return Invalid(message, target=conn_id, hint=f"use a connection of type {kinds}")
