"""The folder store: the contract, and what only a folder can do wrong."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from model_lifecycle.core.errors import Conflict, Corrupt, Invalid, NotFound
from model_lifecycle.stores.artifacts import ArtifactStore
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.local import LocalFilesystem, local_store
from model_lifecycle.testing.store_contract import MODEL, StoreContract, now, write_files


class FolderVandal:
    """Writes into the store's folder as any other program could."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def paths(self) -> dict[str, int]:
        files = [path for path in self.root.rglob("*") if not path.is_dir()]
        return {path.relative_to(self.root).as_posix(): path.stat().st_size for path in files}

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        write_files(self.root, {path: data})

    def delete(self, path: str) -> None:
        target = self.root / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    def move(self, path: str, target: str) -> None:
        (self.root / target).parent.mkdir(exist_ok=True)
        (self.root / path).rename(self.root / target)

    def age(self, path: str, by: timedelta) -> None:
        then = (now() - by).timestamp()
        for one in [self.root / path, *(self.root / path).rglob("*")]:
            os.utime(one, (then, then))

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp((self.root / path).stat().st_mtime, UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "models of the team"


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, root: Path) -> ArtifactStore:
        return local_store(root)

    @pytest.fixture
    def vandal(self, root: Path) -> FolderVandal:
        return FolderVandal(root)


class TestWithoutNoReplace(TestLocalStore):
    """The same where the mounted file system knows no ``RENAME_NOREPLACE`` (a double: the kernel here knows it)."""

    @pytest.fixture(autouse=True)
    def _old_kernel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(old: Path, new: Path) -> None:
            raise OSError(errno.EINVAL, "no such flag")

        monkeypatch.setattr("model_lifecycle.stores.local._rename_noreplace", refuse)


def test_a_kernel_that_refuses_the_flag_is_survived(tmp_path: Path) -> None:
    source = write_files(tmp_path / "source", {"model.bin": b"weights"})
    program = (
        "import sys; from pathlib import Path; from model_lifecycle.stores.local import local_store;"
        "from model_lifecycle.stores.folder import describe; source = Path(sys.argv[1]);"
        "print(local_store(Path(sys.argv[2])).publish(source, describe(source, 'flights')))"
    )
    inject = ["strace", "-f", "-o", tmp_path / "trace", "-e", "trace=renameat2", "-e", "inject=renameat2:error=EINVAL"]
    done = subprocess.run(
        [*inject, sys.executable, "-c", program, source, tmp_path / "store"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "EINVAL" in (tmp_path / "trace").read_text()
    assert local_store(tmp_path / "store").exists(done.stdout.strip())


def test_artifact_uris_of_a_folder_with_odd_characters_are_valid_uris(root: Path) -> None:
    store = local_store(root)
    assert store.artifact_uri(MODEL, "0" * 64) == f"{root.as_uri()}/{MODEL}/{'0' * 64}"
    assert " " not in store.uri


def test_a_relative_root_is_refused() -> None:
    with pytest.raises(Invalid):
        LocalFilesystem(Path("models"))


def test_a_root_that_is_itself_a_link_is_the_folder_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert local_store(tmp_path / "link").base == (tmp_path / "real").as_uri()


def test_a_link_inside_the_store_is_reported_and_never_followed(root: Path, tmp_path: Path) -> None:
    source = write_files(tmp_path / "source", {"model.bin": b"weights"})
    store, manifest = local_store(root), describe(source, MODEL)
    outside = tmp_path / "outside"
    outside.mkdir()
    root.mkdir()
    (root / MODEL).symlink_to(outside)
    with pytest.raises(Corrupt):
        store.publish(source, manifest)
    assert list(outside.iterdir()) == []


def test_a_stored_file_replaced_by_a_link_is_not_read(root: Path, tmp_path: Path) -> None:
    source = write_files(tmp_path / "source", {"model.bin": b"weights"})
    store = local_store(root)
    uri = store.publish(source, describe(source, MODEL))
    stored = next(root.rglob("model.bin"))
    stored.unlink()
    stored.symlink_to(source / "model.bin")
    with pytest.raises(Corrupt):
        store.fetch(uri, tmp_path / "copy")
    assert not (tmp_path / "copy" / "model.bin").exists()


def test_a_disk_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    files = LocalFilesystem(tmp_path)
    with pytest.raises(Conflict):
        files.put_bytes("file/below", b"")
    with pytest.raises(Conflict):
        files.make_folder("file")
    with pytest.raises(NotFound):
        files.tree("nothing")
    with pytest.raises(NotFound):
        files.rename_exclusive("nothing", "new/place")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_stored_files_are_for_the_owner_and_the_group_only(root: Path, tmp_path: Path) -> None:
    source = write_files(tmp_path / "source", {"data/model.bin": b"weights"})
    local_store(root).publish(source, describe(source, MODEL))
    assert {path.stat().st_mode & 0o007 for path in root.rglob("*")} == {0}
