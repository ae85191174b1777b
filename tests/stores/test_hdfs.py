"""The HDFS store on a real HDFS: the contract, and artifacts read back by clients that are not ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hdfs import HdfsError, InsecureClient

from model_lifecycle.core.errors import Invalid
from model_lifecycle.stores.artifacts import ArtifactStore
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.hdfs import hdfs_store
from model_lifecycle.testing.store_contract import MODEL, SHAPES, StoreContract, now, write_files
from tests.servers.hdfs import HdfsCluster


class HdfsVandal:
    """HdfsCLI, another client of the same HDFS."""

    def __init__(self, url: str, root: str) -> None:
        self.client = InsecureClient(url, user="root", root=root)

    def paths(self) -> dict[str, int]:
        return {path: status["length"] for path, status in self._walk("") if status["type"] == "FILE"}

    def read(self, path: str) -> bytes:
        with self.client.read(path) as stream:
            return bytes(stream.read())

    def write(self, path: str, data: bytes) -> None:
        self.client.write(path, data, overwrite=True)

    def delete(self, path: str) -> None:
        self.client.delete(path, recursive=True)

    def move(self, path: str, target: str) -> None:
        self.client.makedirs(target.rpartition("/")[0])
        self.client.rename(path, target)

    def age(self, path: str, by: timedelta) -> None:
        then = int((now() - by).timestamp() * 1000)
        for one in [path, *(found for found, _ in self._walk(path))]:
            self.client.set_times(one, modification_time=then)

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp(self.client.status(path)["modificationTime"] / 1000, UTC)

    def _walk(self, top: str) -> Iterator[tuple[str, dict[str, Any]]]:
        with contextlib.suppress(HdfsError):
            for name, status in self.client.list(top, status=True):
                if name:
                    path = f"{top}/{name}" if top else name
                    yield path, status
                    if status["type"] == "DIRECTORY":
                        yield from self._walk(path)


@pytest.fixture
def store(hdfs_cluster: HdfsCluster, hdfs_root: str) -> ArtifactStore:
    return hdfs_store([hdfs_cluster.url], hdfs_root, user="root")


class TestHdfsStore(StoreContract):
    @pytest.fixture
    def store(self, hdfs_cluster: HdfsCluster, hdfs_root: str) -> ArtifactStore:
        return hdfs_store([hdfs_cluster.url], hdfs_root, user="root")

    @pytest.fixture
    def vandal(self, hdfs_cluster: HdfsCluster, hdfs_root: str) -> HdfsVandal:
        return HdfsVandal(hdfs_cluster.url, hdfs_root)


@pytest.mark.parametrize("client", ["go", "java"])
def test_clients_that_are_not_ours_read_back_every_byte(
    hdfs_cluster: HdfsCluster, hdfs_root: str, store: ArtifactStore, tmp_path: Path, client: str
) -> None:
    files = {
        name: data for shape in ("ten megabytes", "an empty file among others") for name, data in SHAPES[shape].items()
    }
    source = write_files(tmp_path / "source", files)
    manifest = describe(source, MODEL)
    place = f"{hdfs_root}/{MODEL}/{manifest.digest}"
    store.publish(source, manifest)
    stored = [f"{place}/{name}" for name in [*sorted(files), "_manifest.json"]]
    read = hdfs_cluster.go_client("cat", *stored) if client == "go" else hdfs_cluster.fs_shell("-cat", *stored)
    assert read == b"".join(files[name] for name in sorted(files)) + manifest.to_json()


def test_artifact_uris_name_the_namenodes(hdfs_cluster: HdfsCluster) -> None:
    host = hdfs_cluster.url.removeprefix("http://")
    store = hdfs_store([hdfs_cluster.url, "http://OTHER:9870"], "/models", user="root")
    uri = store.artifact_uri(MODEL, "0" * 64)
    assert uri == f"webhdfs://{host},other:9870/models/{MODEL}/{'0' * 64}"


def test_an_artifact_uri_with_one_namenode_in_common_belongs_to_the_store(
    hdfs_cluster: HdfsCluster, hdfs_root: str, store: ArtifactStore, tmp_path: Path
) -> None:
    source = write_files(tmp_path / "source", {"model.bin": b"weights"})
    uri = store.publish(source, describe(source, MODEL))
    host = hdfs_cluster.url.removeprefix("http://")
    assert store.exists(uri.replace(host, f"retired:9870,{host}"))
    for other in ("retired:9870", "127.0.0.1:1", ""):
        with pytest.raises(Invalid, match="not an artifact of the store"):
            store.exists(uri.replace(host, other))
    with pytest.raises(Invalid):
        store.exists(uri.replace("webhdfs://", "swebhdfs://"))


@pytest.mark.parametrize("urls", [[], ["namenode:9870"], ["http://a:1", "https://b:2"], ["hdfs://a:8020"]])
def test_addresses_that_are_not_all_http_or_all_https_are_refused(urls: list[str]) -> None:
    with pytest.raises(Invalid):
        hdfs_store(urls, "/models")
