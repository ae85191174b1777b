"""The contract between the commit protocol and a storage system, on every system we have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from model_lifecycle.core.errors import Conflict, Corrupt, Invalid, NotFound
from model_lifecycle.core.manifest import FileEntry
from model_lifecycle.core.names import check_path
from model_lifecycle.stores.filesystem import Filesystem, part_of
from model_lifecycle.stores.local import LocalFilesystem
from model_lifecycle.stores.webhdfs import WebHdfs
from tests.servers.hdfs import HdfsCluster

DATA = b"weights" * 1000
ENTRY = FileEntry("model.bin", len(DATA), sha256(DATA).hexdigest())


@pytest.fixture(params=["folder", "hdfs"])
def files(request: pytest.FixtureRequest, tmp_path: Path, hdfs_root: str) -> Filesystem:
    if request.param == "folder":
        return LocalFilesystem(tmp_path / "store")
    cluster: HdfsCluster = request.getfixturevalue("hdfs_cluster")
    return WebHdfs([cluster.url], hdfs_root, user="root")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "model.bin").write_bytes(DATA)
    return tmp_path / "model.bin"


def test_a_file_is_put_proven_and_got_again(files: Filesystem, source: Path, tmp_path: Path) -> None:
    moved: list[int] = []
    assert not files.proven("a/b/model.bin", source, ENTRY)
    files.put("a/b/model.bin", source, ENTRY, moved.append)
    assert files.proven("a/b/model.bin", source, ENTRY)
    assert files.tree("a") == {"b/model.bin": len(DATA)}
    files.get("a/b/model.bin", tmp_path / "copy", ENTRY, moved.append)
    assert (tmp_path / "copy").read_bytes() == DATA
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    assert not part_of(tmp_path / "copy").exists()
    assert sum(moved) == 2 * len(DATA)


def test_what_is_there_is_replaced_by_a_put_and_not_proven_before(files: Filesystem, source: Path) -> None:
    for other in (b"short", DATA.swapcase(), DATA + b"x"):
        files.put_bytes("a/model.bin", other)
        assert not files.proven("a/model.bin", source, ENTRY)
        files.put("a/model.bin", source, ENTRY, lambda _: None)
        assert files.read_bytes("a/model.bin", len(DATA)) == DATA


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"x", DATA.swapcase()])
def test_a_source_that_is_not_what_was_promised_is_corrupt(files: Filesystem, source: Path, data: bytes) -> None:
    source.write_bytes(data)
    with pytest.raises(Corrupt):
        files.put("a/model.bin", source, ENTRY, lambda _: None)


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"x", DATA.swapcase(), b""])
def test_stored_bytes_that_are_not_what_was_promised_get_no_name(
    files: Filesystem, tmp_path: Path, data: bytes
) -> None:
    files.put_bytes("a/model.bin", data)
    with pytest.raises(Corrupt):
        files.get("a/model.bin", tmp_path / "copy", ENTRY, lambda _: None)
    assert list(tmp_path.glob("*copy*")) == []


@pytest.mark.parametrize("data", [b"", b"x", DATA])
def test_bytes_are_put_and_read_up_to_a_limit(files: Filesystem, data: bytes) -> None:
    files.put_bytes("a/b", data)
    assert files.read_bytes("a/b", len(data)) == data
    if data:
        with pytest.raises(Corrupt):
            files.read_bytes("a/b", len(data) - 1)


def test_what_does_not_exist_is_not_found(files: Filesystem, tmp_path: Path) -> None:
    calls = [
        lambda: files.read_bytes("no", 1),
        lambda: files.get("no", tmp_path / "copy", ENTRY, lambda _: None),
        lambda: files.tree("no"),
        lambda: files.modified("no"),
        lambda: files.rename_exclusive("no", "new/name"),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()
    assert files.children("no") == files.children("new") == {}
    files.remove("no")
    assert list(tmp_path.glob("*copy*")) == []


def test_a_rename_moves_a_folder_whole_and_makes_parents(files: Filesystem) -> None:
    files.put_bytes("m/stage/data/x", b"x")
    files.rename_exclusive("m/stage", "other/place")
    assert files.tree("other") == {"place/data/x": 1}
    assert files.children("m") == {}


@pytest.mark.parametrize("occupied", ["file", "folder", "folder/inside", "empty"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_rename_never_replaces_and_never_moves_into_what_is_there(
    files: Filesystem, occupied: str, kind: str
) -> None:
    files.put_bytes("source/x" if kind == "folder" else "source", b"new")
    if occupied == "empty":
        files.make_folder("target")
    else:
        files.put_bytes({"file": "target", "folder": "target/x", "folder/inside": "target/source/x"}[occupied], b"old")
    with pytest.raises(Conflict):
        files.rename_exclusive("source", "target")
    assert files.tree("source") == {"x": 3} if kind == "folder" else files.read_bytes("source", 9) == b"new"
    if occupied == "file":
        assert files.read_bytes("target", 9) == b"old"
    else:
        assert set(files.tree("target").values()) <= {3}
        assert len(files.tree("target")) == (occupied != "empty")


def test_folders_are_made_once_and_removed_with_all_they_hold(files: Filesystem) -> None:
    files.make_folder("a/b/c")
    files.make_folder("a/b/c")
    assert files.tree("a") == {}
    files.put_bytes("a/b/c/x", b"x")
    with pytest.raises(Conflict):
        files.make_folder("a/b/c/x")
    files.remove("a/b")
    files.remove("a/b")
    assert files.children("a") == {}


def test_times_are_in_utc_and_the_newest_inside_counts(files: Filesystem) -> None:
    files.put_bytes("a/b/x", b"x")
    now = datetime.now(UTC)
    for when in (*files.children("a").values(), files.modified("a"), files.modified("a/b/x")):
        assert abs(when - now) < timedelta(minutes=5)
    assert files.modified("a") >= files.modified("a/b/x")


def test_an_unfinished_file_has_a_name_that_no_artifact_can_hold(tmp_path: Path) -> None:
    part = part_of(tmp_path / "model.bin")
    assert part.parent == tmp_path
    with pytest.raises(Invalid, match="not allowed"):
        check_path(part.name)
