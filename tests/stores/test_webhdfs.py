"""Every verb of the WebHDFS file system on a real HDFS: what it does, what it refuses, what it says."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Conflict, Corrupt, Denied, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.core.manifest import FileEntry
from model_lifecycle.stores.filesystem import part_of
from model_lifecycle.stores.webhdfs import WebHdfs
from tests.servers.hdfs import HdfsCluster

MIB = 1 << 20
Files = Callable[..., WebHdfs]


def nothing(count: int) -> None:
    """Progress that nobody looks at."""


def entry_of(data: bytes, path: str = "model.bin") -> FileEntry:
    return FileEntry(path, len(data), sha256(data).hexdigest())


def local(folder: Path, data: bytes, name: str = "model.bin") -> tuple[Path, FileEntry]:
    path = folder / name
    path.write_bytes(data)
    return path, entry_of(data)


@pytest.fixture
def files(hdfs_cluster: HdfsCluster, hdfs_root: str) -> WebHdfs:
    return WebHdfs([hdfs_cluster.url], hdfs_root, user="root", block_size=MIB, deadline=20)


def status(cluster: HdfsCluster, path: str) -> dict[str, object]:
    import hdfs

    found: dict[str, object] = hdfs.InsecureClient(cluster.url, user="root", timeout=(5, 60)).status(path)
    return found


# put and get


@pytest.mark.parametrize("size", [0, 1, 513, MIB, 4 * MIB, 4 * MIB + 1, 9 * MIB + 7])
def test_a_file_comes_back_byte_for_byte(files: WebHdfs, tmp_path: Path, size: int) -> None:
    source, entry = local(tmp_path, os.urandom(size))
    seen: list[int] = []
    files.put("a/model.bin", source, entry, seen.append)
    assert sum(seen) == size
    seen.clear()
    files.get("a/model.bin", tmp_path / "back", entry, seen.append)
    assert sum(seen) == size
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    assert not part_of(tmp_path / "back").exists()


def test_clients_that_are_not_ours_read_the_same(hdfs_cluster: HdfsCluster, files: WebHdfs, tmp_path: Path) -> None:
    source, entry = local(tmp_path, os.urandom(3 * MIB + 11))
    files.put("a/model.bin", source, entry, nothing)
    assert hdfs_cluster.go_client("cat", f"{files.root}/a/model.bin") == source.read_bytes()
    assert hdfs_cluster.fs_shell("-cat", f"{files.root}/a/model.bin") == source.read_bytes()


def test_modes_and_block_size_are_what_we_asked_for(hdfs_cluster: HdfsCluster, files: WebHdfs, tmp_path: Path) -> None:
    source, entry = local(tmp_path, b"weights")
    files.put("a/b/model.bin", source, entry, nothing)
    stored = status(hdfs_cluster, f"{files.root}/a/b/model.bin")
    assert (stored["permission"], stored["blockSize"]) == ("640", MIB)
    assert {status(hdfs_cluster, path)["permission"] for path in (f"{files.root}/a", f"{files.root}/a/b")} == {"750"}


def test_what_lay_there_is_replaced(files: WebHdfs, tmp_path: Path) -> None:
    for data in (b"old and longer", b"new"):
        source, entry = local(tmp_path, data)
        files.put("model.bin", source, entry, nothing)
    assert files.read_bytes("model.bin", 100) == b"new"


def test_a_folder_is_never_replaced_by_a_file(files: WebHdfs, tmp_path: Path) -> None:
    files.make_folder("a/model.bin")
    with pytest.raises(Conflict, match="is a folder"):
        files.put_bytes("a/model.bin", b"x")
    files.put_bytes("b", b"x")
    with pytest.raises(Conflict):
        files.put_bytes("b/c", b"x")


@pytest.mark.parametrize("size", [10, 6 * MIB])
@pytest.mark.parametrize("change", [b"", b"longer than promised"], ids=["shorter", "longer"])
def test_a_source_of_another_length_is_corrupt(files: WebHdfs, tmp_path: Path, size: int, change: bytes) -> None:
    source, entry = local(tmp_path, os.urandom(size))
    data = source.read_bytes()
    source.write_bytes(data + change if change else data[:-1])
    with pytest.raises(Corrupt):
        files.put("model.bin", source, entry, nothing)


@pytest.mark.parametrize("act", ["truncated", "grown"])
def test_a_source_that_changes_its_length_during_the_upload_is_corrupt(
    files: WebHdfs, tmp_path: Path, act: str
) -> None:
    source, entry = local(tmp_path, os.urandom(40 * MIB))
    moved: list[int] = []

    def change(count: int) -> None:
        moved.append(count)
        os.truncate(source, 5 * MIB if act == "truncated" else 41 * MIB)

    with pytest.raises(Corrupt, match="changed while it was read"):
        files.put("model.bin", source, entry, change)
    assert sum(moved) == 0


def test_a_source_with_other_bytes_is_corrupt_although_all_of_it_was_stored(files: WebHdfs, tmp_path: Path) -> None:
    source, entry = local(tmp_path, b"weights")
    source.write_bytes(b"WEIGHTS")
    with pytest.raises(Corrupt):
        files.put("model.bin", source, entry, nothing)


def test_links_and_fifos_are_not_read(files: WebHdfs, tmp_path: Path) -> None:
    source, entry = local(tmp_path, b"weights")
    link, fifo = tmp_path / "link", tmp_path / "fifo"
    link.symlink_to(source)
    os.mkfifo(fifo)
    for path in (link, fifo, tmp_path, tmp_path / "absent"):
        with pytest.raises(Invalid):
            files.put("model.bin", path, entry, nothing)
    assert files.children("model.bin") == {}


def test_a_stored_file_with_other_bytes_is_corrupt(files: WebHdfs, tmp_path: Path) -> None:
    files.put_bytes("model.bin", b"WEIGHTS")
    for data in (b"weights", b"weight", b"weights!"):
        with pytest.raises(Corrupt, match=r"model\.bin"):
            files.get("model.bin", tmp_path / "back", entry_of(data), nothing)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", [5 * MIB, 0], ids=["a part", "nothing"])
def test_a_broken_download_goes_on_where_it_stopped(files: WebHdfs, tmp_path: Path, kept: int) -> None:
    source, entry = local(tmp_path, os.urandom(9 * MIB))
    files.put("model.bin", source, entry, nothing)
    part_of(tmp_path / "back").write_bytes(source.read_bytes()[:kept])
    seen: list[int] = []
    files.get("model.bin", tmp_path / "back", entry, seen.append)
    assert sum(seen) == entry.size - kept
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("junk", [b"junk" * 1000, b"junk" * MIB], ids=["shorter", "longer"])
def test_a_part_that_was_something_else_is_read_anew(files: WebHdfs, tmp_path: Path, junk: bytes) -> None:
    source, entry = local(tmp_path, os.urandom(2 * MIB))
    files.put("model.bin", source, entry, nothing)
    part_of(tmp_path / "back").write_bytes(junk)
    seen: list[int] = []
    files.get("model.bin", tmp_path / "back", entry, seen.append)
    assert sum(seen) == entry.size
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_a_part_that_is_a_link_or_a_fifo_is_not_written_through(files: WebHdfs, tmp_path: Path) -> None:
    source, entry = local(tmp_path, b"weights")
    files.put("model.bin", source, entry, nothing)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    part = part_of(tmp_path / "back")
    for plant in (lambda: part.symlink_to(victim), lambda: os.mkfifo(part), part.mkdir):
        plant()
        with pytest.raises(Invalid):
            files.get("model.bin", tmp_path / "back", entry, nothing)
        part.rmdir() if part.is_dir() else part.unlink()
    assert victim.read_bytes() == b"precious"


def test_the_part_of_a_download_is_private(files: WebHdfs, tmp_path: Path) -> None:
    source, entry = local(tmp_path, b"weights")
    files.put("model.bin", source, entry, nothing)
    part_of(tmp_path / "back").write_bytes(b"")
    part_of(tmp_path / "back").chmod(0o666)
    files.get("model.bin", tmp_path / "back", entry, nothing)
    assert (tmp_path / "back").stat().st_mode & 0o777 == 0o600


# proven


def test_only_a_whole_right_file_is_proven(files: WebHdfs, tmp_path: Path) -> None:
    data = os.urandom(2 * MIB + 3)
    source, entry = local(tmp_path, data)
    assert not files.proven("model.bin", source, entry)
    files.put_bytes("model.bin", data[:-1])
    assert not files.proven("model.bin", source, entry)
    files.put_bytes("model.bin", data[:-1] + bytes([data[-1] ^ 1]))
    assert not files.proven("model.bin", source, entry)
    files.put("model.bin", source, entry, nothing)
    assert files.proven("model.bin", source, entry)
    source.write_bytes(bytes(len(data)))
    assert not files.proven("model.bin", source, entry)


def test_a_file_written_with_another_block_size_is_proven_all_the_same(
    hdfs_cluster: HdfsCluster, files: WebHdfs, tmp_path: Path
) -> None:
    source, entry = local(tmp_path, os.urandom(3 * MIB))
    WebHdfs([hdfs_cluster.url], files.root, user="root").put("model.bin", source, entry, nothing)
    assert files.proven("model.bin", source, entry)


def test_a_folder_or_an_empty_file_is_proven_for_what_it_is(files: WebHdfs, tmp_path: Path) -> None:
    source, entry = local(tmp_path, b"")
    files.make_folder("model.bin")
    assert not files.proven("model.bin", source, entry)
    files.put_bytes("empty", b"")
    assert files.proven("empty", source, entry)


def test_where_checksums_cannot_agree_the_file_is_read_back(
    files: WebHdfs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A double in the place of a cluster with erasure coding or another CRC: it keeps a checksum we cannot compute.
    monkeypatch.setattr(files._names, "checksum", lambda place, deadline: None)
    source, entry = local(tmp_path, os.urandom(2 * MIB))
    files.put("model.bin", source, entry, nothing)
    assert files.proven("model.bin", source, entry)
    files.put_bytes("model.bin", os.urandom(2 * MIB))
    assert not files.proven("model.bin", source, entry)


# small files


@pytest.mark.parametrize("data", [b"", b"{}", os.urandom(MIB + 1)], ids=len)
def test_small_files_come_back(files: WebHdfs, data: bytes) -> None:
    files.put_bytes("a/entry.json", data)
    assert files.read_bytes("a/entry.json", len(data)) == data
    if data:
        with pytest.raises(Corrupt, match="longer than"):
            files.read_bytes("a/entry.json", len(data) - 1)


# folders and names


def test_a_tree_lists_files_and_nothing_else(hdfs_cluster: HdfsCluster, files: WebHdfs) -> None:
    files.put_bytes("a/b/c/deep", b"123")
    files.put_bytes("a/top", b"")
    files.make_folder("a/empty")
    assert files.tree("a") == {"b/c/deep": 3, "top": 0}
    hdfs_cluster.fs_shell("-mkdir", "-p", f"{files.root}/a/b/odd name/below")
    assert files.tree("a")["b/odd name"] == -1


def test_what_is_no_folder_has_no_tree_and_no_children(files: WebHdfs) -> None:
    files.put_bytes("a/file", b"1")
    for path in ("absent", "a/file", "a/file/below", "a/absent"):
        assert files.children(path) == {}
        with pytest.raises(NotFound):
            files.tree(path)


def test_times_are_those_of_the_newest_change(files: WebHdfs) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    files.put_bytes("a/b/file", b"1")
    files.put_bytes("a/b/later", b"2")
    assert before < files.children("a")["b"] <= files.modified("a") == files.children("a/b")["later"]
    assert files.modified("a/b/later") == files.modified("a")
    assert files.modified("a") < datetime.now(UTC) + timedelta(seconds=2)
    with pytest.raises(NotFound):
        files.modified("absent")


def test_a_missing_file_is_not_found_by_any_verb(files: WebHdfs, tmp_path: Path) -> None:
    source, entry = local(tmp_path, b"weights")
    for verb in (
        lambda: files.read_bytes("absent", 10),
        lambda: files.get("absent", tmp_path / "back", entry, nothing),
        lambda: files.rename_exclusive("absent", "other"),
    ):
        with pytest.raises(NotFound):
            verb()
    assert not files.proven("absent", source, entry)
    files.remove("absent")


def test_removing_takes_everything_below_and_may_be_repeated(files: WebHdfs) -> None:
    files.put_bytes("a/b/c", b"1")
    files.put_bytes("a/d", b"1")
    for path in ("a/b", "a/b", "a/d"):
        files.remove(path)
    assert files.children("a") == {}


def test_a_folder_may_be_made_twice_but_not_over_a_file(files: WebHdfs) -> None:
    files.make_folder("a/b")
    files.make_folder("a/b")
    files.put_bytes("file", b"1")
    for path in ("file", "file/below"):
        with pytest.raises(Conflict):
            files.make_folder(path)


# rename


def test_a_rename_moves_a_folder_once_and_never_into_another(files: WebHdfs) -> None:
    files.put_bytes("staging/x", b"1")
    files.put_bytes("taken/y", b"2")
    with pytest.raises(Conflict):
        files.rename_exclusive("staging", "taken")
    assert files.tree("taken") == {"y": 1}
    files.rename_exclusive("staging", "new/parent/final")
    assert files.tree("new/parent/final") == {"x": 1}
    with pytest.raises(NotFound):
        files.rename_exclusive("staging", "elsewhere")


def test_a_folder_name_can_be_used_again_after_a_rename(hdfs_cluster: HdfsCluster, files: WebHdfs) -> None:
    files.put_bytes("a/x", b"1")
    files.rename_exclusive("a", "b")
    files.put_bytes("a/x", b"2")
    assert status(hdfs_cluster, f"{files.root}/a")["permission"] == "750"


def test_of_eight_racing_renames_one_wins(hdfs_cluster: HdfsCluster, files: WebHdfs) -> None:
    for number in range(8):
        files.put_bytes(f"racer{number}/file", str(number).encode())
    barrier, outcome = threading.Barrier(8), dict[int, str]()

    def run(number: int) -> None:
        barrier.wait()
        try:
            files.rename_exclusive(f"racer{number}", "winner")
            outcome[number] = "won"
        except Conflict:
            outcome[number] = "lost"

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = (number for number, how in outcome.items() if how == "won")
    assert len(outcome) == 8
    assert files.read_bytes("winner/file", 1) == str(winner).encode()


# names that must not leave the root

BAD_PATHS = [
    *("", ".", "..", "../x", "a/../../b", "/abs", "//host/x", "C:\\x", "..\\x", "%2e%2e/x", "%252e%252e", "x\0y"),
    *("a\nb", "a\tb", "a:b", "per%cent", "a+b", "a?b", "a#b", "a;b", "a&op=DELETE", "#LATEST", "a/#LATEST{2}", "~"),
    *("-rf", "$(id)", "`id`", "{{ var.value.x }}", ".snapshot", "a/.snapshot/b", "a//b", "a/", "a/./b", " a", "a "),
    *("a.", "\u00e9", "\u202egpj", "x" * 256, "/".join(["abc"] * 1500)),
]


@pytest.mark.parametrize("path", BAD_PATHS, ids=ascii)
def test_no_verb_takes_a_path_that_is_not_plain(files: WebHdfs, tmp_path: Path, path: str) -> None:
    source, entry = local(tmp_path, b"weights")
    for verb in (
        lambda: files.put(path, source, entry, nothing),
        lambda: files.put_bytes(path, b""),
        lambda: files.read_bytes(path, 1),
        lambda: files.get(path, tmp_path / "back", entry, nothing),
        lambda: files.proven(path, source, entry),
        lambda: files.tree(path),
        lambda: files.children(path),
        lambda: files.modified(path),
        lambda: files.make_folder(path),
        lambda: files.remove(path),
        lambda: files.rename_exclusive(path, "x"),
        lambda: files.rename_exclusive("x", path),
    ):
        with pytest.raises(Invalid, match="not a path of plain names"):
            verb()


@given(path=st.text(st.sampled_from("ab/.%#_-\\ \0é?2e"), max_size=12))
def test_whatever_is_taken_lies_below_the_root(path: str) -> None:
    files = WebHdfs(["http://127.0.0.1:1"], "/models/root")
    try:
        place = files._at(path)
    except Invalid:
        return
    assert os.path.normpath(place) == place
    assert place.startswith("/models/root/")
    assert place.isascii()


@pytest.mark.parametrize("root", ["", "models", "/a/../b", "/a//b", "/a/%2e", "/a b", "/.snapshot", "//", "/a#b"])
def test_a_root_that_is_not_plain_is_refused(root: str) -> None:
    with pytest.raises(Invalid, match="absolute path"):
        WebHdfs(["http://127.0.0.1:1"], root)


@pytest.mark.parametrize(
    "url", ["", "nn:9870", "ftp://nn", "http://", "http://user:secret@nn:9870", "http://nn:9870?op=DELETE"]
)
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        WebHdfs([url], "/models")
    assert "secret" not in str(caught.value)


# permissions and quotas


def test_another_users_folder_is_denied(hdfs_cluster: HdfsCluster, files: WebHdfs, tmp_path: Path) -> None:
    source, entry = local(tmp_path, b"weights")
    files.put("a/model.bin", source, entry, nothing)
    stranger = WebHdfs([hdfs_cluster.url], files.root, user="mallory", deadline=20)
    for verb in (
        lambda: stranger.read_bytes("a/model.bin", 10),
        lambda: stranger.get("a/model.bin", tmp_path / "back", entry, nothing),
        lambda: stranger.put_bytes("a/x", b""),
        lambda: stranger.tree("a"),
        lambda: stranger.remove("a"),
        lambda: stranger.rename_exclusive("a", "b"),
        lambda: stranger.make_folder("b"),
    ):
        with pytest.raises(Denied, match="Permission denied"):
            verb()
    assert files.tree("a") == {"model.bin": 7}


def test_a_user_who_cannot_be_one_is_denied(hdfs_cluster: HdfsCluster, files: WebHdfs) -> None:
    with pytest.raises(ModelLifecycleError) as caught:
        WebHdfs([hdfs_cluster.url], files.root, user="$(id)", deadline=5).children("a")
    assert isinstance(caught.value, Denied | Invalid)


def test_a_full_space_quota_is_told_although_the_server_answered_201(
    hdfs_cluster: HdfsCluster, files: WebHdfs, tmp_path: Path
) -> None:
    source, entry = local(tmp_path, os.urandom(8 * MIB))
    files.make_folder("small")
    hdfs_cluster.set_space_quota(f"{files.root}/small", 4 * MIB)
    moved: list[int] = []
    with pytest.raises(Denied, match=rf"space quota of {files.root}/small is 4,194,304 bytes"):
        files.put("small/a/model.bin", source, entry, moved.append)
    assert sum(moved) == 0


def test_a_full_quota_of_names_is_told(hdfs_cluster: HdfsCluster, files: WebHdfs) -> None:
    files.make_folder("few")
    hdfs_cluster.set_name_quota(f"{files.root}/few", 2)
    files.put_bytes("few/one", b"1")
    with pytest.raises(Denied, match="quota"):
        files.put_bytes("few/two", b"2")


def test_memory_stays_flat_in_the_size_of_a_file(files: WebHdfs, tmp_path: Path) -> None:
    import tracemalloc

    source, entry = local(tmp_path, bytes(64 * MIB))
    tracemalloc.start()
    try:
        files.put("model.bin", source, entry, nothing)
        files.get("model.bin", tmp_path / "back", entry, nothing)
        assert files.proven("model.bin", source, entry)
        assert tracemalloc.get_traced_memory()[1] < 24 * MIB
    finally:
        tracemalloc.stop()


def test_a_server_that_does_not_answer_ends_with_the_deadline() -> None:
    with pytest.raises(Unavailable, match="nothing listens there"):
        WebHdfs(["http://127.0.0.1:1"], "/models", deadline=1).children("a")


def test_a_web_server_that_is_no_namenode_proves_no_absence(hdfs_cluster: HdfsCluster, files: WebHdfs) -> None:
    with pytest.raises(Invalid, match="404"):
        WebHdfs([f"{hdfs_cluster.url}/nowhere"], files.root, deadline=5).children("a")
