"""Stores by URI: each scheme and each part of a connection, and one clear error for all else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.store import open_store
from model_lifecycle.stores.artifacts import ArtifactStore
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.webhdfs import WebHdfs
from model_lifecycle.testing.store_contract import MODEL, write_files
from tests.servers.hdfs import HdfsCluster

DIGEST = "0" * 64


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch):
    """Define the connection ``hdfs_models`` and open a store over it."""

    def connect(host: str | None = "nn", path: str = "/models", extra: Any = None, **fields: Any) -> ArtifactStore:
        known = {"conn_type": "webhdfs", "host": host, "extra": json.dumps(extra or {}), **fields}
        monkeypatch.setenv("AIRFLOW_CONN_HDFS_MODELS", json.dumps(known))
        store = open_store(f"hdfs://hdfs_models@{path}")
        assert isinstance(store, ArtifactStore)
        return store

    return connect


def test_a_folder_is_opened_and_keeps_its_uri(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/models%20of%20us"
    store = open_store(uri)
    source = write_files(tmp_path / "source", {"model.bin": b"weights"})
    artifact = store.publish(source, describe(source, MODEL))
    assert store.uri == uri
    assert artifact.startswith(uri)
    assert (tmp_path / "models of us" / MODEL).is_dir()


def test_hdfs_is_opened_through_its_connection_and_works(
    hdfs_cluster: HdfsCluster, hdfs_root: str, tmp_path: Path, connect
) -> None:
    host, port = hdfs_cluster.url.removeprefix("http://").split(":")
    store = connect(host, hdfs_root, login="root", port=int(port))
    source = write_files(tmp_path / "source", {"model.bin": b"weights"})
    uri = store.publish(source, describe(source, MODEL))
    assert uri.startswith(f"webhdfs://{host}:{port}{hdfs_root}/{MODEL}/")
    assert store.uri == f"hdfs://hdfs_models@{hdfs_root}"
    assert open_store(store.uri).exists(uri)


@pytest.mark.parametrize(
    ("fields", "base"),
    [
        ({"host": "nn"}, "webhdfs://nn:9870/models"),
        ({"host": "nn", "port": 50070}, "webhdfs://nn:50070/models"),
        ({"host": "nn:14000", "port": 50070}, "webhdfs://nn:14000/models"),
        ({"host": "nn1, nn2:9871 ,NN3", "port": 50070}, "webhdfs://nn1:50070,nn2:9871,nn3:50070/models"),
        ({"host": "nn", "extra": {"use_ssl": True}}, "swebhdfs://nn:9870/models"),
        ({"host": "nn", "extra": {"use_ssl": "true"}}, "swebhdfs://nn:9870/models"),
        ({"host": "[::1]:9870"}, "webhdfs://[::1]:9870/models"),
        ({"host": "nn", "path": "/a/b/"}, "webhdfs://nn:9870/a/b"),
    ],
)
def test_the_connection_says_where_the_namenodes_are(connect, fields: dict[str, Any], base: str) -> None:
    assert connect(**fields).artifact_uri(MODEL, DIGEST) == f"{base}/{MODEL}/{DIGEST}"


@pytest.mark.parametrize(
    "host",
    [None, "", " ", ",", "nn/path", "nn?x", "nn#x", "user@nn", "user:pw@nn", "http://nn", "nn:0x1", "nn:99999", "n n",
     "nn\\evil", "nn%2f", "nn1,evil/x", ":9870", "nn:"],
)  # fmt: skip
def test_a_host_that_is_more_than_a_host_is_refused(connect, host: str | None) -> None:
    with pytest.raises(Invalid):
        connect(host)


@pytest.mark.parametrize(
    "extra",
    [{"use_ssl": "perhaps"}, {"kerberos": 7}, {"timeout": 0}, {"timeout": "soon"}, {"timeout": True}, {"deadline": -1},
     {"deadline": float("inf")}, {"verify": "/no/such/file"}, {"cert": "/no/such/file"}],
)  # fmt: skip
def test_an_extra_that_means_nothing_is_refused(connect, extra: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        connect(extra=extra)


def test_tls_is_verified_unless_the_connection_says_otherwise_with_a_warning(
    connect, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    class Watched(WebHdfs):
        def __init__(self, urls: Any, root: str, **options: Any) -> None:
            given.append(options)
            super().__init__(urls, root, **options)

    monkeypatch.setattr("model_lifecycle.stores.hdfs.WebHdfs", Watched)
    (tmp_path / "ca.pem").write_text("")
    for extra in ({}, {"verify": None}, {"verify": str(tmp_path / "ca.pem")}):
        connect(extra=extra)
    assert not [record for record in caplog.records if "not verified" in record.message]
    connect(extra={"verify": False, "timeout": 7, "deadline": 30}, login="alice")
    assert "not verified" in caplog.text
    assert [options["session"].verify for options in given] == [True, True, str(tmp_path / "ca.pem"), False]
    assert (given[3]["user"], given[3]["timeout"], given[3]["deadline"]) == ("alice", (5.0, 7.0), 30.0)
    assert (given[0]["user"], given[0]["kerberos"]) == (None, False)


@pytest.mark.parametrize(
    "uri",
    ["", "models", "/models", "s3://bucket/models", "HDFS://c@/models", "http://nn:9870/models", "file:models", None, 7,
     "://", "file", "hdfs"],
)  # fmt: skip
def test_an_unknown_scheme_is_refused_by_naming_the_known_ones(uri: Any) -> None:
    with pytest.raises(Invalid, match="known are file, hdfs"):
        open_store(uri)


@pytest.mark.parametrize(
    "uri",
    ["file://", "file:///", "file://host/models", "file:///models?x=1", "file:///models#x", "file://[/models",
     "hdfs://hdfs_models/models", "hdfs://@/models", "hdfs://hdfs_models@", "hdfs://hdfs_models@/",
     "hdfs://hdfs_models@nn:9870/models", "hdfs://hdfs_models@nn/models", "hdfs://user:pw@/models",
     "hdfs://a b@/models", "hdfs://../x@/models", "hdfs://hdfs_models@/models?op=DELETE",
     "hdfs://hdfs_models@/models#x", "hdfs://hdfs_models@/../etc", "hdfs://hdfs_models@/a/../b",
     "hdfs://hdfs_models@/%2e%2e/x", "hdfs://hdfs_models@/.snapshot", "hdfs://hdfs_models@//models",
     "hdfs://hdfs_models@/a b"],
)  # fmt: skip
def test_a_uri_of_another_form_is_refused(connect, uri: str) -> None:
    connect()
    with pytest.raises(Invalid):
        open_store(uri)


def test_a_connection_that_does_not_exist_is_an_error_that_names_it() -> None:
    with pytest.raises(Invalid, match="no_such_connection"):
        open_store("hdfs://no_such_connection@/models")


def test_every_store_satisfies_the_protocol(connect, tmp_path: Path) -> None:
    assert isinstance(connect(), ModelStore)
    assert isinstance(open_store(tmp_path.as_uri()), ModelStore)
