"""Where a scorer writes its prediction log: a folder, or HDFS over WebHDFS."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from model_lifecycle.core.errors import Invalid
from model_lifecycle.stores.filesystem import Filesystem
from model_lifecycle.stores.local import LocalFilesystem
from model_lifecycle.stores.webhdfs import WebHdfs

TIMEOUT, DEADLINE = (5.0, 15.0), 60.0
"""Seconds to connect, of silence, and for one verb: a file that cannot be written is dropped, and the next is tried."""


def open_target(text: str) -> Filesystem:
    """The file system below a root: a path, ``file:///path``, or ``webhdfs://host:port[,host2:port2]/path``.

    With TLS the scheme is ``swebhdfs``. The user is ``HADOOP_USER_NAME``, as for Hadoop's own clients, else the one of
    the operating system. Nothing is asked of the root before the first file is written.

    :raises Invalid: if it is none of these; HDFS with Kerberos, or through a gateway with a login, is not written.
    """
    scheme, separator, _ = text.partition("://")
    if not separator:
        return LocalFilesystem(Path(text).absolute())
    parts = urlsplit(text)
    if scheme == "file" and not parts.netloc and parts.path.strip("/"):
        return LocalFilesystem(Path(unquote(parts.path)))
    if scheme not in ("webhdfs", "swebhdfs") or not parts.netloc or "@" in parts.netloc or parts.query:
        raise Invalid(
            f"{ascii(_without_login(text))[:200]} is no place for a prediction log",
            hint="give a folder, or webhdfs://host:port/path without a login",
        )
    protocol = "https" if scheme == "swebhdfs" else "http"
    urls = [f"{protocol}://{host}" for host in parts.netloc.split(",")]
    user = os.environ.get("HADOOP_USER_NAME") or None
    return WebHdfs(urls, parts.path, user=user, timeout=TIMEOUT, deadline=DEADLINE)


def _without_login(text: str) -> str:
    scheme, _, rest = text.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
