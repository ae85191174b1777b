"""The button of an HDFS connection's form; operators open stores and tables by URI and do not come here."""

from __future__ import annotations

from typing import Any

from model_lifecycle.hooks.connected import Connected
from model_lifecycle.hooks.store import hdfs_access

DEADLINE = 15.0
"""Seconds in which a NameNode must answer whoever waits before a form."""
_TIMEOUT = (5.0, 10.0)


class WebHdfsHook(Connected):
    """One HDFS behind one connection of type ``webhdfs``, as :mod:`model_lifecycle.hooks.store` reads it.

    Airflow's own HDFS provider has this type too; where that is installed, its form and its hook are used.

    :param webhdfs_conn_id: the connection's id.
    """

    conn_name_attr = "webhdfs_conn_id"
    default_conn_name = "webhdfs_default"
    conn_type = "webhdfs"
    hook_name = "HDFS (WebHDFS)"

    def __init__(self, webhdfs_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.webhdfs_conn_id = webhdfs_conn_id

    def prove_connection(self) -> str:
        """Ask whichever NameNode is active for the root folder, as the user of the connection."""
        from model_lifecycle.stores.webhdfs_calls import Deadline, NameNodes, content

        urls, access = hdfs_access(self.conn_id)
        timeout = tuple(min(pair) for pair in zip(_TIMEOUT, access.get("timeout", _TIMEOUT), strict=True))
        nodes = NameNodes(
            urls, user=access["user"], session=access["session"], kerberos=access["kerberos"], timeout=timeout
        )
        answer = nodes.once("_get_file_status", "/", Deadline(DEADLINE))
        content(answer, "FileStatus", "type", read=str)
        return f"HDFS answers at {nodes.target}"
