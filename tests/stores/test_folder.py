"""Describing a folder: plain files with allowed names, or one clear error (bad inputs 1 to 50)."""

from __future__ import annotations

import math
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_lifecycle.core.errors import Corrupt, Invalid
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.names import check_path
from model_lifecycle.stores.folder import MAX_ARTIFACT, describe
from model_lifecycle.stores.local import local_store
from model_lifecycle.testing.store_contract import MODEL, SHAPES, read_files, write_files
from tests.core.bad_names import BAD_NAMES, RESERVED

NOBODY = 65534
STORABLE = [
    name
    for name in [*BAD_NAMES.values(), *RESERVED]
    if name not in ("", ".", "..") and not set(name) & {"/", "\0"} and len(os.fsencode(name)) < 256
]
"""The bad names that a file system can hold."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "model", {"MLmodel": b"flavors: {}\n", "data/model.bin": b"weights"})


@pytest.mark.parametrize("shape", SHAPES)
def test_every_file_is_listed_with_its_size_and_sha256(tmp_path: Path, shape: str) -> None:
    manifest = describe(write_files(tmp_path / "model", SHAPES[shape]), MODEL)
    found = {entry.path: (entry.size, entry.sha256) for entry in manifest.files}
    assert found == {path: (len(data), sha256(data).hexdigest()) for path, data in SHAPES[shape].items()}


def test_the_same_files_make_the_same_digest_wherever_they_lie(tmp_path: Path) -> None:
    one = write_files(tmp_path / "one", SHAPES["many small files"])
    two = write_files(tmp_path / "two", dict(reversed(SHAPES["many small files"].items())))
    (two / "shard-1" / "part-001").chmod(0o600)
    assert describe(one, MODEL).digest == describe(two, MODEL, threads=1).digest


# Names.


@pytest.mark.parametrize("name", STORABLE)
@pytest.mark.parametrize("place", ["{}", "data/{}", "{}/data"])
def test_a_file_with_a_name_outside_the_allow_list_is_refused(folder: Path, name: str, place: str) -> None:
    write_files(folder, {place.format(name): b"x"})
    with pytest.raises(Invalid) as caught:
        describe(folder, MODEL)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("names", [("Model.bin", "model.bin"), ("A/x", "a/y"), ("a/B", "a/b"), ("x/a/f", "X/b")])
def test_names_that_differ_only_by_case_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    folder = write_files(tmp_path / "model", dict.fromkeys(names, b"x"))
    with pytest.raises(Invalid, match="differ only by case"):
        describe(folder, MODEL)


@given(st.dictionaries(st.text("aA._-%é/x", min_size=1, max_size=8), st.binary(max_size=5), min_size=1, max_size=4))
@settings(max_examples=60)
def test_whatever_the_names_the_copy_is_the_same_or_nothing_is_published(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    top = tmp_path_factory.mktemp("any")
    try:
        source = write_files(top / "source", files)
    except OSError:
        return
    outside = set(top.iterdir())
    store = local_store(top / "store")
    try:
        uri = store.publish(source, describe(source, MODEL))
    except Invalid:
        assert not (top / "store").exists()
        return
    store.fetch(uri, top / "copy")
    assert read_files(top / "copy") == read_files(source)
    assert all(check_path(path) for path in read_files(source))
    assert set(top.iterdir()) == outside | {top / "store", top / "copy"}


# Kinds of files.


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    assert describe(write_files(tmp_path, {"empty": b""}), MODEL).size == 0


@pytest.mark.parametrize("content", [[], ["empty"], ["empty/inside"]])
def test_a_folder_without_files_is_refused(tmp_path: Path, content: list[str]) -> None:
    for name in content:
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(Invalid, match="holds no files"):
        describe(tmp_path, MODEL)


def test_an_empty_folder_among_files_is_left_out(folder: Path) -> None:
    before = describe(folder, MODEL)
    (folder / "assets").mkdir()
    assert describe(folder, MODEL) == before


@pytest.mark.parametrize("place", ["link", "data/link"])
@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "MLmodel", "/", ".", "..", "link", "nowhere", "data"])
def test_a_symbolic_link_is_refused_wherever_it_leads(folder: Path, place: str, target: str) -> None:
    (folder / place).symlink_to(target)
    with pytest.raises(Invalid, match="is a symbolic link"):
        describe(folder, MODEL)


def test_the_folder_itself_may_be_reached_by_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(folder)
    manifest = describe(tmp_path / "current", MODEL)
    assert manifest == describe(folder, MODEL)
    assert local_store(tmp_path / "store").publish(tmp_path / "current", manifest)


def test_a_hard_link_is_a_file_like_any_other(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"weights")
    (folder / "linked").hardlink_to(tmp_path / "elsewhere")
    assert [entry.path for entry in describe(folder, MODEL).files] == ["MLmodel", "data/model.bin", "linked"]


@pytest.mark.parametrize(("kind", "words"), [("fifo", "FIFO"), ("socket", "socket"), ("device", "device")])
def test_what_is_no_file_is_refused_and_never_waited_for(folder: Path, kind: str, words: str) -> None:
    place = folder / "data" / "odd"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(os.path.relpath(place))
    else:
        make_device(place)
    with pytest.raises(Invalid, match=words):
        describe(folder, MODEL)


def make_device(place: Path) -> None:
    try:
        os.mknod(place, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


@contextmanager
def as_nobody() -> Iterator[None]:
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("victim", ["data/model.bin", "data", "."])
def test_what_cannot_be_read_is_refused_by_name(victim: str) -> None:
    with TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        folder = write_files(Path(top) / "model", {"data/model.bin": b"weights"})
        (folder / victim).chmod(0)
        with as_nobody(), pytest.raises(Invalid, match="cannot"):
            describe(folder, MODEL)
        (folder / victim).chmod(0o700)


@pytest.mark.parametrize("path", ["nowhere", "MLmodel", "MLmodel/below", "\0", "x" * 300])
def test_what_is_no_folder_is_refused(folder: Path, path: str) -> None:
    with pytest.raises(Invalid):
        describe(folder / path, MODEL)


def test_a_sparse_file_of_one_tebibyte_is_refused_before_it_is_read(folder: Path) -> None:
    os.truncate(folder / "data" / "model.bin", 2**40)
    assert MAX_ARTIFACT < 2**40
    with pytest.raises(Invalid, match="more than the"):
        describe(folder, MODEL)


def test_the_limit_counts_all_files_together(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"a": b"x" * 600, "b": b"x" * 400})
    assert describe(folder, MODEL, max_bytes=1000).size == 1000
    with pytest.raises(Invalid, match="holds 1,000 bytes, more than the 999 allowed"):
        describe(folder, MODEL, max_bytes=999)


def test_a_file_that_grows_while_it_is_read_is_noticed(folder: Path) -> None:
    victim = folder / "data" / "model.bin"
    victim.write_bytes(b"x" * 2**26)
    stop = []

    def grow() -> None:
        with victim.open("ab") as out:
            while not stop:
                out.write(b"y" * 1000)
                out.flush()
                time.sleep(0.0005)

    writer = Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(Corrupt, match="changed while it was read"):
            describe(folder, MODEL)
    finally:
        stop.append(True)
        writer.join()


def test_many_small_files_are_described_and_come_back(tmp_path: Path) -> None:
    files = {f"part-{n // 100}/{n}": str(n).encode() for n in range(500)}
    source = write_files(tmp_path / "source", files)
    store = local_store(tmp_path / "store")
    manifest = describe(source, MODEL)
    assert len(manifest.files) == 500
    store.fetch(store.publish(source, manifest), tmp_path / "copy")
    assert read_files(tmp_path / "copy") == files


def test_a_manifest_says_the_same_in_any_order_of_threads(folder: Path) -> None:
    write_files(folder, {f"f{n}": os.urandom(100) for n in range(50)})
    one, many = describe(folder, MODEL, threads=1), describe(folder, MODEL, threads=16)
    assert one == many == Manifest.from_json(one.to_json())


# Our own manifest.


def test_a_folder_that_was_fetched_can_be_published_again(folder: Path, tmp_path: Path) -> None:
    store, manifest = local_store(tmp_path / "store"), describe(folder, MODEL)
    uri = store.publish(folder, manifest)
    store.fetch(uri, tmp_path / "copy")
    assert describe(tmp_path / "copy", MODEL) == manifest
    assert store.publish(tmp_path / "copy", manifest) == uri


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[]"])
def test_a_manifest_that_is_not_ours_is_refused(folder: Path, content: bytes) -> None:
    write_files(folder, {"_manifest.json": content})
    with pytest.raises(Invalid, match="no manifest of ours"):
        describe(folder, MODEL)


def test_a_manifest_further_down_is_refused(folder: Path) -> None:
    write_files(folder, {"data/_manifest.json": describe(folder, MODEL).to_json()})
    with pytest.raises(Invalid):
        describe(folder, MODEL)


@pytest.mark.parametrize(
    "signature",
    [{"a": math.nan}, {"a": math.inf}, {"a": object()}, {"a": {1}}, {"a": "\ud800"}, {"a": b"x"}, [1], {1: 2, "1": 3}],
)
def test_a_signature_that_could_not_be_read_back_is_refused(folder: Path, signature: dict) -> None:
    with pytest.raises(Invalid):
        describe(folder, MODEL, signature=signature)


def test_signature_and_provenance_are_part_of_the_digest(folder: Path) -> None:
    plain = describe(folder, MODEL)
    signed = describe(folder, MODEL, signature={"inputs": []})
    traced = describe(folder, MODEL, provenance={"dag": "retrain"})
    assert len({plain.digest, signed.digest, traced.digest, describe(folder, "other").digest}) == 4
