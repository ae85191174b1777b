"""Bringing an artifact into a server's folder, by killed and by racing workers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_lifecycle.core.errors import Conflict, Corrupt, Invalid, NotFound
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.names import MANIFEST_NAME, STAGING_PREFIX
from model_lifecycle.hooks.staging import STALE, stage_into
from model_lifecycle.stores.artifacts import ArtifactStore
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.local import local_store
from model_lifecycle.stores.proof import prove

FILES = {"MLmodel": b"flavors: {}\n", "data/weights.bin": b"w" * 10_000, "data/deep/empty": b""}


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return local_store(tmp_path / "store")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    return folder


def publish(store: ArtifactStore, folder: Path, **files: bytes) -> str:
    for name, data in {**FILES, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return store.publish(folder, describe(folder, "churn"))


@pytest.fixture
def uri(store: ArtifactStore, tmp_path: Path) -> str:
    return publish(store, tmp_path / "model")


def test_the_version_lies_whole_in_its_folder_and_nothing_else_does(store, repository, uri):
    folder = stage_into(repository, "churn", 3, uri, store)
    assert folder == repository / "churn" / "3"
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    prove(folder, store.read_manifest(uri))
    assert os.listdir(repository / "churn") == ["3"]


def test_the_server_may_read_what_the_workers_umask_allows(store, repository, uri):
    before = os.umask(0o027)
    try:
        folder = stage_into(repository, "churn", 3, uri, store)
    finally:
        os.umask(before)
    modes = {path.relative_to(folder).as_posix(): path.stat().st_mode & 0o777 for path in folder.rglob("*")}
    assert {modes["data"], modes["data/deep"], folder.stat().st_mode & 0o777} == {0o750}
    assert {modes[name] for name in (*FILES, MANIFEST_NAME)} == {0o640}


def test_staging_again_reads_and_changes_nothing(store, repository, uri):
    folder = stage_into(repository, "churn", 3, uri, store)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert stage_into(repository, "churn", 3, uri, store) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("change", ["another artifact", "a byte", "a file more", "a file less", "a link", "a file"])
def test_anything_else_under_the_versions_name_is_a_conflict_and_stays(store, repository, uri, tmp_path, change):
    folder = repository / "churn" / "3"
    if change == "a file":
        folder.parent.mkdir()
        folder.write_text("not a folder")
    else:
        stage_into(repository, "churn", 3, uri, store)
    if change == "another artifact":
        uri = publish(store, tmp_path / "other", more=b"1")
    elif change == "a byte":
        (folder / "MLmodel").write_bytes(b"flavors: []\n")
    elif change == "a file more":
        (folder / "evil.py").write_text("")
    elif change == "a file less":
        (folder / "data" / "weights.bin").unlink()
    elif change == "a link":
        (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(Conflict, match="lies at"):
        stage_into(repository, "churn", 3, uri, store)
    assert folder.exists()
    assert os.listdir(repository / "churn") == ["3"]


def test_of_many_workers_at_once_each_succeeds_and_one_folder_is_there(store, repository, uri):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: stage_into(repository, "churn", 3, uri, store), range(8)))
    assert os.listdir(repository / "churn") == ["3"]
    prove(repository / "churn" / "3", store.read_manifest(uri))


class Slow(ArtifactStore):
    """A store whose fetch ends with a signal to its own process, as if the worker were killed there."""

    def fetch(self, artifact_uri: str, folder: Path) -> Manifest:
        super().fetch(artifact_uri, folder)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def test_a_killed_worker_leaves_nothing_under_the_versions_name_and_the_next_one_succeeds(
    store, repository, uri, tmp_path
):
    code = (
        "import sys; from pathlib import Path; from tests.hooks.test_staging import Slow;"
        "from model_lifecycle.stores.local import LocalFilesystem;"
        "from model_lifecycle.hooks.staging import stage_into;"
        "files = LocalFilesystem(Path(sys.argv[1]));"
        "stage_into(Path(sys.argv[2]), 'churn', 3, sys.argv[3], Slow(files, files.root.as_uri()))"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "store"), str(repository), uri]
    done = subprocess.run(arguments, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (left,) = os.listdir(repository / "churn")
    assert left.startswith(STAGING_PREFIX)
    stage_into(repository, "churn", 3, uri, store)
    assert sorted(os.listdir(repository / "churn")) == ["3", left]


def test_what_killed_workers_left_is_swept_when_it_is_old_and_only_then(store, repository, uri):
    for name in (f"{STAGING_PREFIX}1-old", f"{STAGING_PREFIX}1-young", f"{STAGING_PREFIX}1-busy", "2", "theirs"):
        (repository / "churn" / name / "data").mkdir(parents=True)
        long_ago = time.time() - STALE - 60
        for path in (repository / "churn" / name / "data", repository / "churn" / name):
            os.utime(path, (long_ago, long_ago))
    os.utime(repository / "churn" / f"{STAGING_PREFIX}1-young")
    os.utime(repository / "churn" / f"{STAGING_PREFIX}1-busy" / "data")
    file = repository / "churn" / f"{STAGING_PREFIX}1-file"
    file.touch()
    os.utime(file, (long_ago, long_ago))
    stage_into(repository, "churn", 3, uri, store)
    left = sorted(os.listdir(repository / "churn"))
    assert left == ["2", "3", f"{STAGING_PREFIX}1-busy", f"{STAGING_PREFIX}1-young", "theirs"]


def test_an_artifact_that_cannot_be_fetched_leaves_nothing(store, repository, uri, tmp_path):
    (stored,) = (tmp_path / "store").rglob("weights.bin")
    stored.chmod(0o600)
    stored.write_bytes(b"v" * 10_000)
    with pytest.raises(Corrupt, match=r"weights\.bin"):
        stage_into(repository, "churn", 3, uri, store)
    assert os.listdir(repository / "churn") == []
    with pytest.raises(NotFound):
        stage_into(repository, "churn", 3, uri.replace(uri[-8:], "0" * 8), store)
    assert os.listdir(repository / "churn") == []


def test_a_repository_that_is_not_there_is_not_made(store, repository, uri):
    shutil.rmtree(repository)
    with pytest.raises(NotFound, match="mount the server's model repository"):
        stage_into(repository, "churn", 3, uri, store)
    assert not repository.exists()


@pytest.mark.parametrize("model", ["../churn", "a/b", "", ".."])
def test_a_name_that_leads_elsewhere_is_invalid(store, repository, uri, model):
    with pytest.raises(Invalid, match="model name"):
        stage_into(repository, model, 3, uri, store)
    assert os.listdir(repository) == []


def test_a_file_in_the_place_of_the_models_folder_is_a_conflict(store, repository, uri):
    (repository / "churn").write_text("")
    with pytest.raises(Conflict, match="lies at"):
        stage_into(repository, "churn", 3, uri, store)
