"""Reading what is about to be stored: exactly what was promised, or an error."""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Corrupt, Invalid, Unavailable
from model_lifecycle.core.manifest import FileEntry
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.sources import AHEAD, BLOCK, blocks, digest_of, opened, promised, sources_of
from model_lifecycle.testing.store_contract import write_files


def entry(data: bytes) -> FileEntry:
    return FileEntry("model.bin", len(data), sha256(data).hexdigest())


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, AHEAD, AHEAD + 1, 2 * AHEAD])
def test_a_file_is_read_whole_in_blocks(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    assert b"".join(bytes(block) for block in promised(path, entry(data))) == data
    with opened(path) as fd:
        assert digest_of(fd) == sha256(data).hexdigest()


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_a_file_is_what_was_promised_or_an_error_comes_and_never_more_bytes(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, wanted: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "model.bin"
    path.write_bytes(data)
    read = bytearray()
    try:
        for block in promised(path, entry(wanted)):
            read += block
        assert read == data == wanted
    except Corrupt:
        assert data != wanted
    assert len(read) <= len(wanted)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "device", "missing"])
def test_only_a_regular_file_is_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.bin"
    if kind == "link":
        path.symlink_to("/etc/hostname")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/zero")
    with pytest.raises(Invalid), opened(path):
        pass


def test_a_disk_that_fails_is_unavailable(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(Unavailable):
            list(blocks(fd))
    finally:
        os.close(fd)


def test_reading_that_is_given_up_leaves_no_thread_behind(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(bytes(3 * AHEAD))
    before = set(threading.enumerate())
    with opened(path) as fd:
        next(blocks(fd))
    assert set(threading.enumerate()) == before


def test_a_source_in_a_folder_that_became_a_link_is_refused(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "model", {"data/model.bin": b"weights"})
    manifest = describe(folder, "flights")
    assert sources_of(folder, manifest) == {"data/model.bin": folder / "data" / "model.bin"}
    (folder / "data").rename(tmp_path / "data")
    (folder / "data").symlink_to(tmp_path / "data")
    with pytest.raises(Corrupt):
        sources_of(folder, manifest)
