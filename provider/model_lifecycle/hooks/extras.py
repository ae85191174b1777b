"""The extras of a connection, read so that a slip in them is told and not overlooked."""

from __future__ import annotations

from json import JSONDecodeError, loads
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import Invalid

if TYPE_CHECKING:
    from airflow.sdk import Connection


def extras(connection: Connection) -> dict[str, Any]:
    """The extras by name.

    Airflow logs extras that are no JSON and gives none, so that ``verify`` and all others would be the defaults.

    :raises Invalid: if they are no JSON, or no object; the message says where, and shows nothing of them.
    """
    try:
        found = loads(connection.extra) if connection.extra else {}
    except JSONDecodeError as error:
        message = f"the extra of the connection is not JSON: line {error.lineno}, column {error.colno}"
        raise Invalid(message, target=connection.conn_id, hint="correct it, or leave it empty") from None
    if not isinstance(found, dict):
        raise Invalid("the extra of the connection is no object of JSON", target=connection.conn_id, hint="write {...}")
    known: dict[str, Any] = connection.extra_dejson  # which masks what is secret in logs
    return known


def changed(connection: Connection, **fields: Any) -> Connection:
    """The connection with other fields.

    Airflow 3.1 gives one of its database's class where it was read from the environment: attrs cannot change that.
    """
    from airflow.sdk import Connection

    names = ("conn_id", "conn_type", "host", "schema", "login", "password", "port", "extra")
    return Connection(**{name: getattr(connection, name) for name in names} | fields)
