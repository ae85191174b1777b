"""The form of HDFS, where Airflow's own HDFS provider, whose type it is, is not installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from model_lifecycle.forms.fields import connection_type, flag, number, timeout, tls

_OWNER = "apache-airflow-providers-apache-hdfs"


def stores() -> list[dict[str, Any]]:
    """``webhdfs``, or nothing: two forms of one type would be one too many for Airflow."""
    try:
        distribution(_OWNER)
    except PackageNotFoundError:
        return [_webhdfs()]
    return []


def _webhdfs() -> dict[str, Any]:
    return connection_type(
        "webhdfs",
        "webhdfs.WebHdfsHook",
        "HDFS (WebHDFS)",
        {
            "use_ssl": flag("https", "Whether the NameNodes are called by https.", default=False),
            "kerberos": flag("Kerberos", "Prove who we are with the ticket of the worker's process.", default=False),
            **tls(),
            **timeout(),
            "deadline": number("Deadline in seconds", "For one step, retries included; 600 by default."),
        },
        hidden=("schema", "password"),
        labels={"host": "NameNodes, by commas", "login": "HDFS user"},
        placeholders={"host": "namenode1,namenode2", "port": "9870", "login": "the user of the worker's process"},
    )
