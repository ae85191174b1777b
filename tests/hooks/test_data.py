"""What a URI of data names: one table of schemes, the same folders and patterns on each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hdfs import InsecureClient

from model_lifecycle.core.errors import Denied, Invalid, NotFound
from model_lifecycle.hooks.data import list_data, open_data
from tests.hooks.test_s3_data import BUCKET, s3  # noqa: F401
from tests.servers.hdfs import HdfsCluster
from tests.servers.moto import KEYS, REGION

FILES = ["2013-01/a.csv", "2013-01/deep/er/b.csv", "2013-02/a.csv", "2013-02/_SUCCESS", "2013-02/.part", "_old/a.csv"]
FILES += ["b.parquet"]
SHOWN = ["2013-01/a.csv", "2013-01/deep/er/b.csv", "2013-02/a.csv", "b.parquet"]


@pytest.fixture(params=["plain", "file", "hdfs", "s3", "object storage"])
def base(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of a folder that holds FILES, each with its own name as its bytes."""
    if request.param == "hdfs":
        return in_hdfs(request.getfixturevalue("hdfs_cluster"), request.getfixturevalue("hdfs_root"), monkeypatch)
    if request.param == "s3":
        return in_s3(request.getfixturevalue("s3"), monkeypatch)
    folder = tmp_path / "tables of us"
    write(
        lambda name, data: (
            (folder / name).parent.mkdir(parents=True, exist_ok=True) or (folder / name).write_bytes(data)
        )
    )
    return {"plain": str(folder), "file": f"file://{tmp_path}/tables%20of%20us", "object storage": f"local://{folder}"}[
        request.param
    ]


def write(put: Callable[[str, bytes], object]) -> None:
    for name in FILES:
        put(name, name.encode())


def in_hdfs(cluster: HdfsCluster, root: str, monkeypatch: pytest.MonkeyPatch) -> str:
    host, port = cluster.url.removeprefix("http://").split(":")
    known = {"conn_type": "webhdfs", "host": host, "port": int(port), "login": "root"}
    monkeypatch.setenv("AIRFLOW_CONN_HDFS_TABLES", json.dumps(known))
    client = InsecureClient(cluster.url, user="root", root=root)
    write(client.write)
    return f"hdfs://hdfs_tables@{root}"


def in_s3(client, monkeypatch: pytest.MonkeyPatch) -> str:
    extra = {**KEYS, "region_name": REGION, "endpoint_url": client.meta.endpoint_url}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_TABLES", json.dumps({"conn_type": "aws", "extra": extra}))
    write(lambda name, data: client.put_object(Bucket=BUCKET, Key=f"tables/{name}", Body=data))
    return f"s3://aws_tables@{BUCKET}/tables"


def test_a_folder_lists_its_files_a_pattern_those_that_match_and_a_file_itself(base: str) -> None:
    def relative(uri: str) -> list[str]:
        found = list_data(uri)
        assert all(one.startswith(f"{base}/") for one in found)
        return [one.removeprefix(f"{base}/") for one in found]

    assert relative(base) == relative(f"{base}/") == SHOWN
    assert relative(f"{base}/2013-*/*.csv") == ["2013-01/a.csv", "2013-02/a.csv"]
    assert relative(f"{base}/2013-0[1]") == relative(f"{base}/2013-01") == SHOWN[:2]
    assert relative(f"{base}/b.parquet") == ["b.parquet"]
    assert relative(f"{base}/2014-*/a.csv") == []
    with pytest.raises(NotFound):
        list_data(f"{base}/2014")


def test_what_was_listed_can_be_opened(base: str) -> None:
    for uri, name in zip(list_data(base), SHOWN, strict=True):
        with open_data(uri) as file:
            file.seek(3)
            assert file.read() == name.encode()[3:]
    with pytest.raises(NotFound):
        open_data(f"{base}/2014/a.csv")


@pytest.mark.parametrize(
    "uri", ["hdfs:///data", "hdfs://host:9870/data", "hdfs://a@b/c", "file://host/x", "hdfs://nobody@/x",
            "s3://nobody@bucket/key", "hdfs://../x@/y", "nothing://x/y"],
)  # fmt: skip
def test_a_uri_that_names_no_data_is_refused_by_its_form_or_its_connection(uri: str) -> None:
    with pytest.raises(Invalid):
        list_data(uri)
    with pytest.raises(Invalid):
        open_data(uri)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises((Invalid, Denied)):
        open_data(str(tmp_path))
