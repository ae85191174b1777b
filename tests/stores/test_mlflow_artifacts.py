"""MLflow reads what we published, on a real HDFS and a real MLflow server, and nothing that was tampered with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests
from hdfs import InsecureClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from model_lifecycle.core.names import MANIFEST_NAME
from model_lifecycle.hooks.mlflow import API, MlflowHook
from model_lifecycle.stores.artifacts import ArtifactStore
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.hdfs import hdfs_store
from model_lifecycle.stores.local import local_store
from model_lifecycle.stores.mlflow_artifacts import FolderArtifactRepository, WebHdfsArtifactRepository
from model_lifecycle.testing.store_contract import write_files
from tests.servers.hdfs import HdfsCluster
from tests.servers.mlflow import MlflowServer

FILES = {"MLmodel": b"flavors: {}\n", "data/weights.bin": b"0123456789" * 1000, "data/deep/er/empty": b""}

SAVE = """
import sys, mlflow.sklearn, numpy as np
from sklearn.linear_model import LinearRegression
x = np.arange(10.0).reshape(-1, 1)
mlflow.sklearn.save_model(LinearRegression().fit(x, 2 * x.ravel() + 1), sys.argv[1])
"""
LOAD = """
import sys, mlflow
print(mlflow.pyfunc.load_model(sys.argv[1]).predict([[3.0]])[0])
"""

RUN = """
import sys, mlflow, mlflow.sklearn, numpy as np
from sklearn.linear_model import LinearRegression
name, location = sys.argv[1:]
mlflow.set_experiment(experiment_id=mlflow.create_experiment(name, artifact_location=location))
x = np.arange(10.0).reshape(-1, 1)
with mlflow.start_run() as run:
    mlflow.log_text("hello", "notes/a.txt")
    mlflow.sklearn.log_model(LinearRegression().fit(x, 2 * x.ravel() + 1), name="m", registered_model_name=name)
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/notes/a.txt"))
print(mlflow.pyfunc.load_model(f"models:/{name}/1").predict([[3.0]])[0])
"""


class Place(NamedTuple):
    """A store, and how to reach what is stored behind its back."""

    store: ArtifactStore
    client: InsecureClient
    cluster: HdfsCluster


@pytest.fixture
def place(hdfs_cluster: HdfsCluster, hdfs_root: str) -> Place:
    client = InsecureClient(hdfs_cluster.url, user=None)
    return Place(hdfs_store([hdfs_cluster.url], hdfs_root), client, hdfs_cluster)


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    done = python(SAVE, str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def artifact(place: Place, tmp_path: Path) -> str:
    """A small published artifact that is no model."""
    return publish(place.store, write_files(tmp_path / "source", FILES))


def publish(store: ArtifactStore, folder: Path, model: str = "churn") -> str:
    return store.publish(folder, describe(folder, model))


def python(code: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run code as a user of MLflow would: nothing of Hadoop or Java in sight."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("HADOOP", "JAVA", "AIRFLOW"))}
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    return subprocess.run(command, env={**mine, **env}, capture_output=True, text=True, timeout=120)


def download(uri: str, target: Path, path: str = "") -> dict[str, bytes]:
    target.mkdir(exist_ok=True)
    get_artifact_repository(uri).download_artifacts(path, str(target))
    return {file.relative_to(target).as_posix(): file.read_bytes() for file in target.rglob("*") if file.is_file()}


def path_of(uri: str) -> str:
    return urlsplit(uri).path


def test_plain_mlflow_loads_a_registered_model_from_hdfs_and_refuses_one_that_was_changed(
    place: Place, saved_model: Path, mlflow_server: MlflowServer, mlflow_connection: str
) -> None:
    name = f"flights-{uuid4().hex[:8]}"
    manifest = describe(saved_model, name)
    uri = place.store.publish(saved_model, manifest)
    hook = MlflowHook(mlflow_connection)
    version = hook.register(name, uri, manifest.digest)
    hook.session.close()
    done = python(LOAD, version.uri, MLFLOW_TRACKING_URI=mlflow_server.url)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) == pytest.approx(7.0)

    weights = f"{path_of(uri)}/model.skops"
    with place.client.read(weights) as stream:
        data = bytearray(stream.read())
    data[len(data) // 2] ^= 1
    place.client.write(weights, bytes(data), overwrite=True)
    done = python(LOAD, version.uri, MLFLOW_TRACKING_URI=mlflow_server.url)
    assert done.returncode != 0
    assert "other bytes than its manifest says" in done.stderr


def test_what_was_published_is_listed_and_downloaded_without_its_manifest(
    place: Place, artifact: str, tmp_path: Path
) -> None:
    repository = get_artifact_repository(artifact)
    assert isinstance(repository, WebHdfsArtifactRepository)
    assert [(one.path, one.is_dir, one.file_size) for one in repository.list_artifacts()] == [
        ("MLmodel", False, 12),
        ("data", True, None),
    ]
    assert [one.path for one in repository.list_artifacts("data")] == ["data/deep", "data/weights.bin"]
    assert repository.list_artifacts("data/weights.bin") == []
    assert repository.list_artifacts("nothing") == []
    assert download(artifact, tmp_path / "all") == FILES
    assert download(artifact, tmp_path / "one", "MLmodel") == {"MLmodel": FILES["MLmodel"]}


def test_a_uri_that_leads_into_an_artifact_is_proven_all_the_same(place: Place, artifact: str, tmp_path: Path) -> None:
    assert download(f"{artifact}/data", tmp_path / "inside") == {
        "weights.bin": FILES["data/weights.bin"],
        "deep/er/empty": b"",
    }
    place.client.write(f"{path_of(artifact)}/data/weights.bin", b"9876543210" * 1000, overwrite=True)
    with pytest.raises(MlflowException, match="other bytes than its manifest says"):
        download(f"{artifact}/data", tmp_path / "tampered")
    assert not list((tmp_path / "tampered").rglob("weights.bin"))


def bytes_of(file: Path) -> bytes | None:
    """What a block holds; HDFS may remove it meanwhile, as other tests delete files."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def test_a_bit_that_flipped_on_the_disk_of_a_datanode_is_refused(place: Place, tmp_path: Path) -> None:
    marker = uuid4().bytes * 4096
    artifact = publish(place.store, write_files(tmp_path / "source", {"model.bin": marker}))
    found = [file for file in place.cluster.folder.rglob("blk_*") if bytes_of(file) == marker]
    assert len(found) == 1
    data = bytearray(marker)
    data[len(data) // 2] ^= 1
    found[0].write_bytes(bytes(data))
    with pytest.raises(MlflowException):
        download(artifact, tmp_path / "target")
    assert [file for file in (tmp_path / "target").rglob("model.bin") if file.is_file()] == []


@pytest.mark.parametrize("change", ["other manifest", "no manifest", "file removed", "file added", "file longer"])
def test_whatever_was_changed_behind_the_manifest_is_refused_or_overlooked(
    place: Place, artifact: str, tmp_path: Path, change: str
) -> None:
    path = path_of(artifact)
    other = describe(write_files(tmp_path / "other", {"MLmodel": b"evil"}), "churn")
    if change == "other manifest":
        place.client.write(f"{path}/{MANIFEST_NAME}", other.to_json(), overwrite=True)
    elif change == "no manifest":
        place.client.delete(f"{path}/{MANIFEST_NAME}")
    elif change == "file removed":
        place.client.delete(f"{path}/MLmodel")
    elif change == "file added":
        place.client.write(f"{path}/evil.py", b"import os")
        assert download(artifact, tmp_path / "target") == FILES
        return
    else:
        place.client.write(f"{path}/MLmodel", FILES["MLmodel"] + b"more", overwrite=True)
    with pytest.raises(MlflowException):
        download(artifact, tmp_path / "target")


def test_a_published_artifact_is_neither_written_nor_deleted_through_mlflow(
    place: Place, artifact: str, tmp_path: Path
) -> None:
    before = place.store.files.tree("churn")
    local = write_files(tmp_path / "local", {"more.txt": b"more"})
    releases = artifact.replace(path_of(artifact), f"{path_of(artifact).split('/churn')[0]}/_releases/scorer/churn")
    for uri in (artifact, f"{artifact}/data", releases):
        repository = get_artifact_repository(uri)
        for verb in (
            lambda one: one.log_artifact(str(local / "more.txt")),
            lambda one: one.log_artifacts(str(local), "data"),
            lambda one: one.delete_artifacts(),
            lambda one: one.delete_artifacts("MLmodel"),
        ):
            with pytest.raises(MlflowException, match="never") as caught:
                verb(repository)
            assert caught.value.error_code == "RESOURCE_CONFLICT"
    assert place.store.files.tree("churn") == before


def test_the_artifacts_of_a_run_can_lie_on_hdfs(place: Place, hdfs_root: str, tmp_path: Path) -> None:
    root = f"{place.cluster.url.replace('http', 'webhdfs')}{hdfs_root}/runs/1/artifacts"
    repository = get_artifact_repository(root)
    assert repository.list_artifacts() == []
    folder = write_files(tmp_path / "local", FILES)
    repository.log_artifacts(str(folder), "model")
    repository.log_artifact(str(folder / "MLmodel"))
    (folder / "MLmodel").write_bytes(b"flavors: {sklearn: {}}\n")
    repository.log_artifact(str(folder / "MLmodel"))
    repository.log_artifact(str(folder / "MLmodel"))
    expected = {**{f"model/{name}": data for name, data in FILES.items()}, "MLmodel": b"flavors: {sklearn: {}}\n"}
    assert download(root, tmp_path / "all") == expected
    assert sorted(place.store.files.tree("runs/1/artifacts")) == sorted(expected)
    repository.delete_artifacts("model")
    repository.delete_artifacts("model")
    assert [one.path for one in repository.list_artifacts()] == ["MLmodel"]
    repository.delete_artifacts()
    assert repository.list_artifacts() == []


@pytest.mark.parametrize(
    "path", ["../../secret", "/etc/passwd", "a/../b", ".hidden", "a b", "_manifest.json", "%2e%2e"]
)
def test_a_path_that_is_not_allowed_is_refused(place: Place, artifact: str, tmp_path: Path, path: str) -> None:
    repository = get_artifact_repository(artifact)
    with pytest.raises(MlflowException):
        repository._download_file(path, str(tmp_path / "target"))
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    "uri", ["webhdfs://", "webhdfs://h:1", "webhdfs://h:1/", "webhdfs://h:1/a/../b", "webhdfs:///a"]
)
def test_a_uri_that_names_no_folder_of_a_host_is_invalid(uri: str) -> None:
    with pytest.raises(MlflowException) as caught:
        get_artifact_repository(uri)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_the_first_namenode_may_be_down(place: Place, artifact: str, tmp_path: Path) -> None:
    host = urlsplit(artifact).netloc
    assert download(artifact.replace(host, f"127.0.0.1:9,{host}"), tmp_path / "all") == FILES


def test_a_tracking_server_does_not_connect_to_the_hosts_that_a_version_names(
    artifact: str, mlflow_server: MlflowServer, mlflow_connection: str
) -> None:
    hook = MlflowHook(mlflow_connection)
    name = f"churn-{uuid4().hex[:8]}"
    version = hook.register(name, artifact, artifact.rpartition("/")[2])
    hook.session.close()
    answer = requests.get(
        f"{mlflow_server.url}/model-versions/get-artifact",
        params={"name": name, "version": version.version, "path": "MLmodel"},
        timeout=30,
    )
    assert answer.status_code == 403
    assert "does not connect" in answer.text


class TestFolder:
    @pytest.fixture
    def artifact(self, tmp_path: Path) -> str:
        return publish(local_store(tmp_path / "store"), write_files(tmp_path / "source", FILES))

    def test_plain_mlflow_reads_a_registered_artifact_from_a_folder(
        self, artifact: str, mlflow_server: MlflowServer, mlflow_connection: str, tmp_path: Path
    ) -> None:
        hook = MlflowHook(mlflow_connection)
        name = f"churn-{uuid4().hex[:8]}"
        hook.register(name, artifact, artifact.rpartition("/")[2])
        hook.session.close()
        row = requests.get(
            f"{mlflow_server.url}{API}/model-versions/get-download-uri",
            params={"name": name, "version": "1"},
            timeout=10,
        ).json()
        assert isinstance(get_artifact_repository(row["artifact_uri"]), FolderArtifactRepository)
        assert download(row["artifact_uri"], tmp_path / "target") == FILES

    def test_a_changed_file_is_refused(self, artifact: str, tmp_path: Path) -> None:
        Path(path_of(artifact), "MLmodel").chmod(0o600)
        Path(path_of(artifact), "MLmodel").write_bytes(b"flavors: []\n")
        with pytest.raises(MlflowException, match="other bytes than its manifest says"):
            download(artifact.replace("file:", "artifact-file:"), tmp_path / "target")

    def test_nothing_but_a_published_artifact_can_be_read(self, artifact: str, tmp_path: Path) -> None:
        secret = write_files(tmp_path / "secret", {"passwd": b"root"})
        posing = write_files(tmp_path / ("a" * 64), {"passwd": b"root"})
        link = tmp_path / "store/churn" / ("b" * 64)
        link.symlink_to(secret)
        for folder in (secret, posing, link, Path("/etc")):
            with pytest.raises(MlflowException):
                download(f"artifact-file://{folder}", tmp_path / "target")
        with pytest.raises(MlflowException, match="never written"):
            get_artifact_repository(artifact.replace("file:", "artifact-file:")).log_artifact(str(secret / "passwd"))

    def test_the_manifest_names_every_file_that_is_listed(self, artifact: str) -> None:
        manifest = json.loads(Path(path_of(artifact), MANIFEST_NAME).read_bytes())
        repository = get_artifact_repository(artifact.replace("file:", "artifact-file:"))
        listed = [one.path for one in repository._iter_artifacts_recursive("") if not one.is_dir]
        assert sorted(listed) == [entry["path"] for entry in manifest["files"]]
