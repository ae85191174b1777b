"""The archive of a version: always the same bytes for the same files, in S3 whole and once."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from airflow.sdk import Connection
from botocore.stub import ANY, Stubber

from model_lifecycle.core.errors import Invalid, NotFound, Unavailable
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.hooks import sagemaker_data
from model_lifecycle.hooks.aws_calls import AwsCalls
from model_lifecycle.hooks.sagemaker_data import ModelData, pack
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.local import local_store
from tests.servers.moto import KEYS, REGION, MotoServer

BUCKET = "archives"


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    with MotoServer(tmp_path_factory.mktemp("moto") / "moto.log") as server:
        server.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield server


def data(url: str, prefix: str = "live", bucket: str = BUCKET) -> ModelData:
    extra = json.dumps({"region_name": REGION, "endpoint_url": url})
    login, password = KEYS.values()
    connection = Connection(conn_id="aws_tried", conn_type="aws", login=login, password=password, extra=extra)
    return ModelData(AwsCalls(connection, 5.0), bucket, prefix)


def model(folder: Path, text: str = "weights") -> Path:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "weights").write_text(text)
    (folder / "MLmodel").write_text("flavors: {}")
    return folder


def packed(folder: Path, manifest: Manifest) -> bytes:
    out = io.BytesIO()
    pack(folder, manifest, out)
    return out.getvalue()


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    one, two = model(tmp_path / "one"), model(tmp_path / "two")
    os.utime(two / "MLmodel", (1, 1))
    (two / "MLmodel").chmod(0o600)
    (two / "_notes").touch()  # not in the manifest
    manifest = describe(one, "churn")
    assert packed(one, manifest) == packed(two, manifest)
    with tarfile.open(fileobj=io.BytesIO(packed(one, manifest))) as archive:
        assert archive.getnames() == ["MLmodel", "data/weights"]
        assert {(info.mtime, info.uid, info.mode, info.uname) for info in archive} == {(0, 0, 0o644, "")}


@pytest.mark.parametrize("prefix", ["live", "/live/", "", "a/b"])
def test_an_archive_is_named_after_the_manifest(tmp_path: Path, prefix: str) -> None:
    manifest = describe(model(tmp_path / "m"), "churn")
    key = data("http://x", prefix).key(manifest)
    assert key == "/".join(filter(None, [prefix.strip("/"), "churn", manifest.digest, "model.tar.gz"]))


def test_several_workers_put_it_once(moto: MotoServer, tmp_path: Path) -> None:
    store, folder = local_store(tmp_path / "store"), model(tmp_path / "m")
    manifest = describe(folder, "several")
    uri = store.publish(folder, manifest)
    with ThreadPoolExecutor(4) as pool:
        urls = set(pool.map(lambda _: data(moto.url).put(uri, manifest, store), range(4)))
    assert urls == {f"s3://{BUCKET}/live/several/{manifest.digest}/model.tar.gz"}
    body = moto.client("s3").get_object(Bucket=BUCKET, Key=data(moto.url).key(manifest))["Body"].read()
    assert body == packed(folder, manifest)


def test_a_bucket_that_is_not_there_is_not_found(moto: MotoServer, tmp_path: Path) -> None:
    store, folder = local_store(tmp_path / "store"), model(tmp_path / "m")
    manifest = describe(folder, "churn")
    uri = store.publish(folder, manifest)
    with pytest.raises(NotFound, match="NoSuchBucket"):
        data(moto.url, bucket="nowhere").put(uri, manifest, store)


def test_what_another_worker_is_putting_is_waited_for_and_then_unavailable(
    moto: MotoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 answers 409 while another conditional write goes on; moto never does, so botocore's stubber says it."""
    store, folder = local_store(tmp_path / "store"), model(tmp_path / "m")
    manifest = describe(folder, "churn")
    uri = store.publish(folder, manifest)
    monkeypatch.setattr(sagemaker_data, "LOOKS", 2)
    mine = data("http://127.0.0.1:9")
    with Stubber(mine.aws.client("s3")) as stubbed:
        missing = {"service_error_code": "404", "http_status_code": 404}
        stubbed.add_client_error("head_object", **missing)
        stubbed.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
        stubbed.add_client_error("head_object", **missing)
        stubbed.add_client_error("head_object", **missing)
        with pytest.raises(Unavailable, match="another worker is putting"):
            mine.put(uri, manifest, store)
        stubbed.assert_no_pending_responses()


def test_s3_is_given_the_checksum_and_refuses_a_second_writer(tmp_path: Path) -> None:
    store, folder = local_store(tmp_path / "store"), model(tmp_path / "m")
    manifest = describe(folder, "churn")
    uri = store.publish(folder, manifest)
    mine = data("http://127.0.0.1:9")
    asked = {
        "Bucket": BUCKET,
        "Key": mine.key(manifest),
        "Body": ANY,
        "ContentLength": len(packed(folder, manifest)),
        "ChecksumAlgorithm": "SHA256",
        "ChecksumSHA256": ANY,
        "IfNoneMatch": "*",
        "Metadata": {"manifest-digest": manifest.digest},
    }
    with Stubber(mine.aws.client("s3")) as stubbed:
        stubbed.add_client_error("head_object", "404", http_status_code=404)
        stubbed.add_response("put_object", {}, asked)
        mine.put(uri, manifest, store)


def test_an_archive_that_s3_does_not_take_at_once_is_refused(
    moto: MotoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, folder = local_store(tmp_path / "store"), model(tmp_path / "m")
    manifest = describe(folder, "large")
    uri = store.publish(folder, manifest)
    monkeypatch.setattr(sagemaker_data, "LARGEST", 10)
    with pytest.raises(Invalid, match="S3 takes 10 at once"):
        data(moto.url).put(uri, manifest, store)
