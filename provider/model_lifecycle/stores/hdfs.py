"""HDFS as a model store, reached over WebHDFS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from model_lifecycle.core.errors import Invalid
from model_lifecycle.stores.artifacts import ArtifactStore
from model_lifecycle.stores.webhdfs import WebHdfs

THREADS = 8
"""Files moved at once. A DataNode that closes a file often sleeps 0.4 s until the NameNode has heard of its block, so
small files wait rather than work; eight large ones hold 64 MiB, and requests keeps ten connections to a host."""


def hdfs_store(
    urls: Sequence[str], root: str, *, uri: str | None = None, threads: int = THREADS, **options: Any
) -> ArtifactStore:
    """The model store below ``root`` of one HDFS.

    Its artifacts are named ``webhdfs://host:port[,host2:port2]/root/<model>/<digest>``; with TLS the scheme is
    ``swebhdfs``, as Hadoop's own clients call it.

    :param urls: the WebHDFS addresses of all its NameNodes, such as ``http://namenode:9870``.
    :param root: an absolute path, made when something is first published.
    :param options: of :class:`WebHdfs`: who we are and how long to wait.
    :raises Invalid: if the addresses are not all ``http`` or all ``https``.
    """
    schemes = {urlsplit(url).scheme for url in urls}
    if schemes not in ({"http"}, {"https"}):
        raise Invalid(f"the NameNodes {', '.join(urls)} are not all http:// or all https://")
    hosts = ",".join(urlsplit(url).netloc.lower() for url in urls)
    base = f"{'swebhdfs' if schemes == {'https'} else 'webhdfs'}://{hosts}/{root.strip('/')}"
    return ArtifactStore(WebHdfs(urls, root, **options), base, uri=uri, threads=threads)
