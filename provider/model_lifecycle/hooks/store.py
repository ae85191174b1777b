"""Model stores by URI: the one table of schemes, and what an Airflow Connection says about HDFS.

A connection of type ``webhdfs``, the one that Airflow's own HDFS provider uses, whether or not that is installed: the
host may be a list of NameNodes (``nn1,nn2:9871``), the port is for those that name none (9870 by default), the login is
the user. Extras: ``use_ssl``, ``verify`` (true, false or the path of a CA bundle), ``cert`` and ``key`` (paths),
``kerberos``, ``timeout`` (seconds a call may stay silent) and ``deadline`` (seconds for one verb, retries included).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow.providers.common.compat.sdk import AirflowNotFoundException
from airflow.sdk import BaseHook

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.extras import extras
from model_lifecycle.hooks.session import tls_certificate, tls_verify
from model_lifecycle.stores.base import ModelStore

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from requests import Session

DEFAULT_PORT = 9870
CONNECT_TIMEOUT = 5.0


def open_store(uri: str) -> ModelStore:
    """The model store that a URI names: ``file:///path`` or ``hdfs://<conn_id>@/path``.

    :raises Invalid: if the scheme is unknown, the URI has another form, or the connection cannot be used.
    """
    scheme, separator, _ = uri.partition("://") if isinstance(uri, str) else ("", "", "")
    if scheme not in _OPENERS or not separator:
        raise Invalid(f"{ascii(uri)[:300]} names no model store", hint=f"known are {', '.join(sorted(_OPENERS))}")
    return _OPENERS[scheme](uri)


def _open_local(uri: str) -> ModelStore:
    from model_lifecycle.stores.local import local_store

    parts = _split(uri)
    if parts.netloc or not parts.path.strip("/"):
        raise Invalid(f"{ascii(uri)[:300]} names no folder", hint="write file:///absolute/path")
    return local_store(Path(unquote(parts.path)), uri=uri)


def _open_hdfs(uri: str) -> ModelStore:
    from model_lifecycle.stores.hdfs import hdfs_store

    parts = _split(uri)
    conn_id, at, rest = parts.netloc.partition("@")
    if not at or rest or not parts.path.strip("/"):
        raise Invalid(f"{ascii(uri)[:300]} names no folder of HDFS", hint="write hdfs://<conn_id>@/path")
    urls, options = hdfs_access(check_name(conn_id, "connection"))
    return hdfs_store(urls, parts.path, uri=uri, **options)


def hdfs_access(conn_id: str) -> tuple[list[str], dict[str, Any]]:
    """The addresses of a connection's NameNodes, and who we are there and how long to wait.

    :raises Invalid: if there is no such connection, or a part of it cannot be used.
    """
    connection = _connection(conn_id)
    return _urls(connection), _options(connection)


def _connection(conn_id: str) -> Connection:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise Invalid(f"there is no connection {conn_id}", hint="make one of type webhdfs") from error


_OPENERS: dict[str, Callable[[str], ModelStore]] = {"file": _open_local, "hdfs": _open_hdfs}


def _split(uri: str) -> Any:
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise Invalid(f"{ascii(uri)[:300]} is not a URI: {error}") from error
    if parts.query or parts.fragment or ":" in parts.netloc:
        raise Invalid(f"{ascii(uri)[:300]} names no model store", hint="a store URI has no port, query or fragment")
    return parts


def _urls(connection: Connection) -> list[str]:
    """The WebHDFS addresses of the connection's NameNodes."""
    scheme = "https" if _flag(connection, "use_ssl") else "http"
    names = [name.strip() for name in (connection.host or "").split(",") if name.strip()]
    if not names:
        raise Invalid("the connection has no host", target=connection.conn_id, hint="give the NameNodes, by commas")
    return [f"{scheme}://{_host(name, connection)}" for name in names]


def _host(name: str, connection: Connection) -> str:
    """``host:port`` of one NameNode.

    :raises Invalid: if it is more than that: what is put into a URL must not be able to change where it leads.
    """
    try:
        parts = urlsplit(f"//{name}")
        host, port = parts.hostname, parts.port or connection.port or DEFAULT_PORT
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if (
        not host
        or parts.netloc != name
        or name[-1] == ":"
        or "@" in name
        or any(c.isspace() or c in "\\%" for c in name)
    ):
        raise Invalid(f"{ascii(name)[:200]} is not a host", target=connection.conn_id, hint="write host or host:port")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _options(connection: Connection) -> dict[str, Any]:
    options: dict[str, Any] = {
        "user": connection.login or None,
        "kerberos": _flag(connection, "kerberos"),
        "session": _session(connection),
    }
    timeout, deadline = _seconds(connection, "timeout"), _seconds(connection, "deadline")
    if timeout:
        options["timeout"] = (min(CONNECT_TIMEOUT, timeout), timeout)
    if deadline:
        options["deadline"] = deadline
    return options


def _session(connection: Connection) -> Session:
    from requests import Session

    extra, session = extras(connection), Session()
    session.verify = tls_verify(extra.get("verify"), connection.conn_id, extra.get("ca"))
    session.cert = tls_certificate(extra.get("cert"), extra.get("key"), connection.conn_id)
    return session


def _flag(connection: Connection, name: str) -> bool:
    word = str(connection.extra_dejson.get(name) or False).lower()
    if word not in ("true", "false"):
        raise Invalid(f"the extra {name} is neither true nor false", target=connection.conn_id)
    return word == "true"


def _seconds(connection: Connection, name: str) -> float | None:
    value = connection.extra_dejson.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10**7:
        raise Invalid(f"the extra {name} is not a number of seconds", target=connection.conn_id)
    return float(value)
