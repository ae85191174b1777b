"""Tables in S3, on moto's server: a double of S3, not AWS."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import Connection

from model_lifecycle.core.errors import Conflict, Invalid, NotFound, Unavailable
from model_lifecycle.hooks.s3_data import S3Objects
from tests.servers.moto import KEYS, REGION, MotoServer
from tests.servers.process import free_ports

BUCKET = "tables"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with MotoServer(tmp_path_factory.mktemp("moto") / "moto.log") as server:
        client = server.client("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield client


def objects(url: str) -> S3Objects:
    extra = {**KEYS, "region_name": REGION, "endpoint_url": url, "timeout": 5}
    return S3Objects(Connection(conn_id="aws_tables", conn_type="aws", extra=json.dumps(extra)))


@pytest.fixture
def files(s3: Any) -> S3Objects:
    return objects(s3.meta.endpoint_url)


def test_one_column_of_a_table_is_read_in_ranges(files: S3Objects, s3: Any) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": list(range(90_000)), "y": ["v"] * 90_000}), sink, row_group_size=30_000)
    s3.put_object(Bucket=BUCKET, Key="month=01/a.parquet", Body=sink.getvalue())
    with files.open(f"{BUCKET}/month=01/a.parquet") as file:
        assert pq.ParquetFile(file).read_row_group(1, columns=["x"])["x"][0].as_py() == 30_000
        file.seek(0)
        assert file.read() == sink.getvalue()


def test_keys_are_listed_as_folders_page_by_page(files: S3Objects, s3: Any) -> None:
    for number in range(1003):
        s3.put_object(Bucket=BUCKET, Key=f"many/{number:04}", Body=b"")
    s3.put_object(Bucket=BUCKET, Key="many/below/one", Body=b"")
    s3.put_object(Bucket=BUCKET, Key="many/", Body=b"")
    found = files.children(f"{BUCKET}/many")
    assert [name for name, is_folder in found if is_folder] == ["below"]
    assert sorted(name for name, is_folder in found if not is_folder) == [f"{number:04}" for number in range(1003)]
    assert (files.is_folder(f"{BUCKET}/many"), files.is_folder(f"{BUCKET}/many/0001")) == (True, False)


def test_an_object_that_is_replaced_while_it_is_read_is_a_conflict(files: S3Objects, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="a.csv", Body=b"old" * 100)
    with files.open(f"{BUCKET}/a.csv") as file:
        s3.put_object(Bucket=BUCKET, Key="a.csv", Body=b"new" * 100)
        with pytest.raises(Conflict):
            file.read()


def test_what_is_not_there_is_not_found_and_a_server_that_is_away_unavailable(files: S3Objects) -> None:
    for ask in (files.open, files.is_folder):
        with pytest.raises(NotFound):
            ask(f"{BUCKET}/nothing")
    with pytest.raises(NotFound):
        files.children("nobodys/key")
    with pytest.raises(Invalid, match="no bucket"):
        files.open("/key")
    (port,) = free_ports()
    with pytest.raises(Unavailable):
        objects(f"http://127.0.0.1:{port}").open(f"{BUCKET}/a.csv")
