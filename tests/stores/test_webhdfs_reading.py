"""Tables on a real HDFS, written by another client under names that no store of ours would give."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hdfs import InsecureClient

from model_lifecycle.core.errors import Conflict, Invalid, NotFound
from model_lifecycle.stores.webhdfs_reading import HdfsFiles
from tests.servers.hdfs import HdfsCluster

MONTH = "month=01/über alles, 50.parquet"


@pytest.fixture
def client(hdfs_cluster: HdfsCluster, hdfs_root: str) -> InsecureClient:
    return InsecureClient(hdfs_cluster.url, user="root", root=hdfs_root)


@pytest.fixture
def files(hdfs_cluster: HdfsCluster) -> HdfsFiles:
    return HdfsFiles([hdfs_cluster.url], user="root", deadline=30)


def test_one_column_of_a_table_is_read_in_ranges(files: HdfsFiles, client: InsecureClient, hdfs_root: str) -> None:
    table = pa.table({"x": list(range(300_000)), "y": [f"v{number}" for number in range(300_000)]})
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=50_000)
    client.write(MONTH, sink.getvalue())
    assert files.children(f"{hdfs_root}/month=01") == [("über alles, 50.parquet", False)]
    assert files.children(hdfs_root) == [("month=01", True)], "a folder by any name"
    with files.open(f"{hdfs_root}/{MONTH}") as file:
        parquet = pq.ParquetFile(file)
        assert parquet.read_row_group(4, columns=["x"])["x"].to_pylist() == list(range(200_000, 250_000))
        file.seek(0)
        assert file.read() == sink.getvalue()


def test_folders_and_files_are_told_apart(files: HdfsFiles, client: InsecureClient, hdfs_root: str) -> None:
    client.write("day/part.csv", b"x\n1\n")
    assert files.is_folder(hdfs_root)
    assert not files.is_folder(f"{hdfs_root}/day/part.csv")
    with pytest.raises(NotFound):
        files.is_folder(f"{hdfs_root}/night")
    with pytest.raises(NotFound):
        files.open(f"{hdfs_root}/night")
    with pytest.raises(Invalid, match="is a folder"):
        files.open(f"{hdfs_root}/day")


def test_a_file_that_was_replaced_by_a_shorter_one_is_a_conflict(
    files: HdfsFiles, client: InsecureClient, hdfs_root: str
) -> None:
    client.write("part.csv", b"x" * 5000)
    with files.open(f"{hdfs_root}/part.csv") as file:
        client.write("part.csv", b"x" * 10, overwrite=True)
        with pytest.raises(Conflict, match="shorter"):
            file.read()


@pytest.mark.parametrize("path", ["data", "/a/../b", "/a/./b", "/a#LATEST", "/a?op=DELETE", "/a\nb", ""])
def test_a_path_that_means_something_else_is_refused(files: HdfsFiles, path: str) -> None:
    with pytest.raises(Invalid, match="absolute path"):
        files.open(path)
