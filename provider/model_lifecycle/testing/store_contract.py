"""What every model store must do, whatever it stores on: each sentence of :class:`ModelStore` as a test.

A backend's test class inherits :class:`StoreContract` and gives it two fixtures: ``store``, empty and used by no other
test, and ``vandal``, which reaches what is stored behind the store's back.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from threading import Barrier
from typing import Protocol

import pytest

from model_lifecycle.core.errors import Conflict, Corrupt, Invalid, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.names import MANIFEST_NAME
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.folder import describe

MODEL = "flights"
LOG = "scorer_default/flights"
LONG_AGO = timedelta(days=2)
SHAPES: dict[str, dict[str, bytes]] = {
    "one file": {"model.bin": b"weights"},
    "one empty file": {"empty": b""},
    "an empty file among others": {"MLmodel": b"flavors: {}\n", "data/empty": b""},
    "deep": {"/".join([f"level{depth}" for depth in range(12)] + ["leaf"]): b"x"},
    "many small files": {f"shard-{n % 7}/part-{n:03d}": bytes([n]) * n for n in range(60)},
    "names at the edge of the allow-list": {"__init__.py": b"", "A" * 128: b"1", "a-b_c.d/e..f": b"2", "_x": b"3"},
    "ten megabytes": {"model.bin": bytes(range(256)) * 40_000 + b"tail"},
    "around the checksum's chunks": {f"size-{size}": b"z" * size for size in (1, 511, 512, 513, 4096, 65537)},
}


class Vandal(Protocol):
    """Another client of the same storage, which knows nothing of artifacts; paths are relative to the store's root."""

    def paths(self) -> dict[str, int]:
        """Every stored file with its length; empty if there is nothing at all."""
        ...

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Write or replace a file, its parents too."""
        ...

    def delete(self, path: str) -> None:
        """Delete a file or a folder with what is in it."""
        ...

    def move(self, path: str, target: str) -> None:
        """Rename a file or folder."""
        ...

    def age(self, path: str, by: timedelta) -> None:
        """Set the modification time of a file or folder, and of everything below it, that far into the past."""
        ...

    def modified(self, path: str) -> datetime:
        """The modification time of a file, in UTC."""
        ...


def write_files(folder: Path, files: dict[str, bytes]) -> Path:
    """Write a folder of files and return it."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def read_files(folder: Path) -> dict[str, bytes]:
    """What a folder holds, by relative path, our manifest left out."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != MANIFEST_NAME}


def race(work: Callable[[int], object], racers: int = 8) -> list[object]:
    """Do the same from many threads at once; answers and our own errors in the racers' order."""
    barrier = Barrier(racers)

    def run(number: int) -> object:
        barrier.wait()
        try:
            return work(number)
        except ModelLifecycleError as error:
            return error

    with ThreadPoolExecutor(racers) as pool:
        return list(pool.map(run, range(racers)))


class StoreContract:
    """Inherit it as ``class TestMyStore(StoreContract)`` and define the fixtures ``store`` and ``vandal``."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        """A small model to publish."""
        return write_files(tmp_path / "source", {"MLmodel": b"flavors: {}\n", "data/model.bin": b"weights" * 1000})

    @pytest.fixture
    def manifest(self, source: Path) -> Manifest:
        """Its manifest."""
        return describe(source, MODEL)

    # Publish and fetch.

    @pytest.mark.parametrize("shape", SHAPES)
    def test_what_was_published_is_fetched_byte_for_byte(self, store: ModelStore, tmp_path: Path, shape: str) -> None:
        source = write_files(tmp_path / "source", SHAPES[shape])
        manifest = describe(source, MODEL, signature={"inputs": []}, provenance={"dag": "retrain"})
        uri = store.publish(source, manifest)
        assert store.fetch(uri, tmp_path / "copy") == manifest
        assert read_files(tmp_path / "copy") == SHAPES[shape]
        assert (tmp_path / "copy" / MANIFEST_NAME).read_bytes() == manifest.to_json()

    def test_a_store_satisfies_the_protocol_and_shows_no_secret(self, store: ModelStore) -> None:
        assert isinstance(store, ModelStore)
        assert "://" in store.uri

    def test_an_artifact_is_named_by_its_model_and_digest(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal
    ) -> None:
        uri = store.publish(source, manifest)
        assert uri == store.artifact_uri(MODEL, manifest.digest)
        assert uri.endswith(f"/{MODEL}/{manifest.digest}")
        place = f"{MODEL}/{manifest.digest}"
        assert set(vandal.paths()) == {f"{place}/{name}" for name in ("MLmodel", "data/model.bin", MANIFEST_NAME)}

    def test_a_published_artifact_exists_and_is_listed(
        self, store: ModelStore, source: Path, manifest: Manifest
    ) -> None:
        uri = store.publish(source, manifest)
        assert store.exists(uri)
        assert list(store.list(MODEL)) == [uri]
        assert store.read_manifest(uri) == manifest

    def test_what_was_never_published_is_not_found(self, store: ModelStore, tmp_path: Path) -> None:
        uri = store.artifact_uri(MODEL, "0" * 64)
        assert not store.exists(uri)
        assert list(store.list(MODEL)) == []
        for call in (store.read_manifest, lambda uri: store.fetch(uri, tmp_path / "copy")):
            with pytest.raises(NotFound):
                call(uri)
        assert not (tmp_path / "copy").exists()

    def test_publishing_again_moves_no_bytes(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal
    ) -> None:
        uri = store.publish(source, manifest)
        before = {path: vandal.modified(path) for path in vandal.paths()}
        assert store.publish(source, manifest) == uri
        assert store.publish(source, manifest, owner="another") == uri
        assert {path: vandal.modified(path) for path in vandal.paths()} == before

    def test_other_bytes_are_another_artifact(self, store: ModelStore, source: Path, manifest: Manifest) -> None:
        first = store.publish(source, manifest)
        (source / "MLmodel").write_bytes(b"flavors: {a: 1}\n")
        second = store.publish(source, describe(source, MODEL))
        assert first != second
        assert set(store.list(MODEL)) == {first, second}

    @pytest.mark.parametrize("change", ["other bytes", "longer", "shorter", "missing", "a link", "a folder"])
    def test_a_file_changed_after_it_was_described_is_not_published(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal, tmp_path: Path, change: str
    ) -> None:
        victim = source / "data" / "model.bin"
        data = victim.read_bytes()
        victim.unlink()
        if change == "a link":
            (tmp_path / "elsewhere").write_bytes(data)
            victim.symlink_to(tmp_path / "elsewhere")
        elif change == "a folder":
            victim.mkdir()
        elif change != "missing":
            victim.write_bytes({"other bytes": data.swapcase(), "longer": data + b"x", "shorter": data[:-1]}[change])
        with pytest.raises((Corrupt, Invalid) if change in ("a link", "a folder") else Corrupt):
            store.publish(source, manifest)
        assert vandal.paths() == {}
        assert list(store.list(MODEL)) == []

    # Many writers.

    def test_racing_publishers_of_the_same_bytes_all_succeed_with_one_artifact(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal, tmp_path: Path
    ) -> None:
        uri = store.artifact_uri(MODEL, manifest.digest)
        assert race(lambda number: store.publish(source, manifest)) == [uri] * 8
        assert {path.split("/")[1] for path in vandal.paths()} == {manifest.digest}
        assert store.fetch(uri, tmp_path / "copy") == manifest

    def test_of_tries_of_the_same_task_at_once_the_overtaken_stop_and_one_artifact_results(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal, tmp_path: Path
    ) -> None:
        uri = store.artifact_uri(MODEL, manifest.digest)
        answers = race(lambda number: store.publish(source, manifest, owner="dag/task"))
        assert uri in answers
        assert all(answer == uri or isinstance(answer, Unavailable) for answer in answers), answers
        assert list(store.list(MODEL)) == [uri]
        assert store.fetch(uri, tmp_path / "copy") == manifest
        assert store.publish(source, manifest, owner="dag/task") == uri

    @pytest.mark.parametrize("name", ["MLmodel", MANIFEST_NAME, "more"])
    def test_something_else_under_the_final_name_is_a_conflict_and_is_not_touched(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal, name: str
    ) -> None:
        uri = store.publish(source, manifest)
        vandal.write(f"{MODEL}/{manifest.digest}/{name}", b"something else")
        before = vandal.paths()
        with pytest.raises(Conflict):
            store.publish(source, manifest)
        assert vandal.paths() == before
        assert list(store.list(MODEL)) == [uri]

    # Damage is found.

    def test_a_byte_that_rotted_is_found_by_fetch_and_never_gets_its_name(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal, tmp_path: Path
    ) -> None:
        uri = store.publish(source, manifest)
        place = f"{MODEL}/{manifest.digest}/data/model.bin"
        data = bytearray(vandal.read(place))
        data[3500] ^= 1
        vandal.write(place, bytes(data))
        with pytest.raises(Corrupt):
            store.fetch(uri, tmp_path / "copy")
        assert "data/model.bin" not in read_files(tmp_path / "copy")
        assert not (tmp_path / "copy" / MANIFEST_NAME).exists()
        with pytest.raises(Corrupt):
            store.read_file(uri, "data/model.bin")

    @pytest.mark.parametrize("damage", ["shorter", "longer", "missing"])
    def test_a_stored_file_of_another_length_is_found_by_fetch(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal, tmp_path: Path, damage: str
    ) -> None:
        uri = store.publish(source, manifest)
        place = f"{MODEL}/{manifest.digest}/data/model.bin"
        data = vandal.read(place)
        vandal.delete(place)
        if damage != "missing":
            vandal.write(place, data[:-1] if damage == "shorter" else data + b"x")
        with pytest.raises(Corrupt):
            store.fetch(uri, tmp_path / "copy")
        assert "data/model.bin" not in read_files(tmp_path / "copy")

    @pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b"["])
    def test_a_damaged_manifest_is_never_believed(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal, tmp_path: Path, damage: bytes
    ) -> None:
        uri = store.publish(source, manifest)
        vandal.write(f"{MODEL}/{manifest.digest}/{MANIFEST_NAME}", damage)
        for call in (store.read_manifest, store.exists, lambda uri: store.fetch(uri, tmp_path / "copy")):
            with pytest.raises(Corrupt):
                call(uri)

    @pytest.mark.parametrize("target", [f"{MODEL}/{'0' * 64}", "delays/{digest}"])
    def test_an_artifact_under_another_name_is_never_believed(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal, target: str
    ) -> None:
        store.publish(source, manifest)
        target = target.format(digest=manifest.digest)
        vandal.move(f"{MODEL}/{manifest.digest}", target)
        model, digest = target.split("/")
        with pytest.raises(Corrupt):
            store.read_manifest(store.artifact_uri(model, digest))

    # The local side of a fetch.

    def test_fetch_makes_private_folders(self, store: ModelStore, source: Path, tmp_path: Path) -> None:
        write_files(source, {"code/inner/deeper/x": b"x"})
        store.fetch(store.publish(source, describe(source, MODEL)), tmp_path / "new" / "copy")
        made = [tmp_path / "new", *(path for path in (tmp_path / "new").rglob("*") if path.is_dir())]
        assert len(made) == 6
        assert {folder.stat().st_mode & 0o777 for folder in made} == {0o700}

    def test_fetch_keeps_what_is_right_and_brings_what_is_missing(
        self, store: ModelStore, source: Path, manifest: Manifest, tmp_path: Path
    ) -> None:
        uri, copy = store.publish(source, manifest), tmp_path / "copy"
        store.fetch(uri, copy)
        kept = (copy / "MLmodel").stat()
        (copy / "data" / "model.bin").unlink()
        (copy / "data" / ".model.bin.part").write_bytes(b"half of an earlier try")
        store.fetch(uri, copy)
        assert (copy / "MLmodel").stat().st_ino == kept.st_ino
        assert read_files(copy) == read_files(source)

    @pytest.mark.parametrize("foreign", ["note", "data/note", "data/.model.bin.other", "empty folder", "link", "wrong"])
    def test_fetch_refuses_a_folder_with_anything_else_in_it(
        self, store: ModelStore, source: Path, manifest: Manifest, tmp_path: Path, foreign: str
    ) -> None:
        uri, copy = store.publish(source, manifest), tmp_path / "copy"
        if foreign == "empty folder":
            (copy / "more").mkdir(parents=True)
        elif foreign == "link":
            copy.mkdir()
            (copy / "data").symlink_to(source / "data")
        elif foreign == "wrong":
            write_files(copy, {"MLmodel": b"changed by hand"})
        else:
            write_files(copy, {foreign: b"mine"})
        before = sorted(copy.rglob("*"))
        with pytest.raises(Conflict):
            store.fetch(uri, copy)
        assert sorted(copy.rglob("*")) == before

    def test_fetch_refuses_the_folder_of_another_artifact(
        self, store: ModelStore, source: Path, manifest: Manifest, tmp_path: Path
    ) -> None:
        store.fetch(store.publish(source, manifest), tmp_path / "copy")
        again = describe(source, MODEL, provenance={"run": "2"})
        uri = store.publish(source, again)
        with pytest.raises(Conflict):
            store.fetch(uri, tmp_path / "copy")

    def test_fetch_refuses_a_file_in_the_place_of_the_folder(
        self, store: ModelStore, source: Path, manifest: Manifest, tmp_path: Path
    ) -> None:
        (tmp_path / "copy").write_bytes(b"")
        uri = store.publish(source, manifest)
        with pytest.raises(Conflict):
            store.fetch(uri, tmp_path / "copy")

    # One file.

    def test_one_file_is_read_and_proven(self, store: ModelStore, source: Path, manifest: Manifest) -> None:
        uri = store.publish(source, manifest)
        assert store.read_file(uri, "MLmodel") == b"flavors: {}\n"
        for path in ("nothing", "../MLmodel", "data", MANIFEST_NAME):
            with pytest.raises(NotFound):
                store.read_file(uri, path)
        with pytest.raises(Invalid):
            store.read_file(uri, "data/model.bin", limit=100)

    # What killed processes leave behind.

    def _killed(self, vandal: Vandal, manifest: Manifest, source: Path, owner: str) -> str:
        """The staging folder of a publish that was killed in its second file."""
        mark = sha256(owner.encode()).hexdigest()[:8]
        staging = f"{MODEL}/_staging-{manifest.digest}-{mark}-0123abcd"
        vandal.write(f"{staging}/MLmodel", (source / "MLmodel").read_bytes())
        vandal.write(f"{staging}/data/model.bin", (source / "data/model.bin").read_bytes()[:100])
        return staging

    def test_the_next_try_takes_over_what_a_killed_one_left_and_moves_only_the_rest(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal, tmp_path: Path
    ) -> None:
        staging = self._killed(vandal, manifest, source, "dag/task")
        vandal.age(staging, timedelta(minutes=10))
        proven = vandal.modified(f"{staging}/MLmodel")
        uri = store.publish(source, manifest, owner="dag/task")
        assert vandal.modified(f"{MODEL}/{manifest.digest}/MLmodel") == proven
        assert {path.split("/")[1] for path in vandal.paths()} == {manifest.digest}
        assert store.fetch(uri, tmp_path / "copy") == manifest

    @pytest.mark.parametrize("stray", [".half", "data/more", "MLmodel.bak"])
    def test_a_file_that_no_publish_left_never_gets_into_an_artifact(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal, stray: str
    ) -> None:
        vandal.write(f"{self._killed(vandal, manifest, source, 'dag/task')}/{stray}", b"stray")
        store.publish(source, manifest, owner="dag/task")
        place = f"{MODEL}/{manifest.digest}"
        assert set(vandal.paths()) == {f"{place}/{name}" for name in ("MLmodel", "data/model.bin", MANIFEST_NAME)}

    def test_a_rotten_file_of_an_earlier_try_is_sent_again(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal, tmp_path: Path
    ) -> None:
        staging = self._killed(vandal, manifest, source, "dag/task")
        vandal.write(f"{staging}/MLmodel", (source / "MLmodel").read_bytes().swapcase())
        uri = store.publish(source, manifest, owner="dag/task")
        assert store.fetch(uri, tmp_path / "copy") == manifest

    @pytest.mark.parametrize("hours", [0, 2])
    def test_an_unfinished_publish_of_another_owner_is_taken_over_only_when_abandoned(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal, hours: int
    ) -> None:
        staging = self._killed(vandal, manifest, source, "dag/task")
        vandal.age(staging, timedelta(hours=hours))
        store.publish(source, manifest, owner="another/task")
        assert any(path.startswith(staging) for path in vandal.paths()) is (hours == 0)

    def test_an_unfinished_publish_is_not_visible(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal
    ) -> None:
        self._killed(vandal, manifest, source, "dag/task")
        assert not store.exists(store.artifact_uri(MODEL, manifest.digest))
        assert list(store.list(MODEL)) == []

    def test_the_janitor_removes_only_what_is_ours_and_old(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal
    ) -> None:
        uri = store.publish(source, manifest)
        store.append_exclusive(LOG, 1, b"{}")
        old = self._killed(vandal, manifest, source, "dag/task")
        swept = [old, f"{MODEL}/_staging-removed-0123456789abcdef", f"_releases/{LOG}/_staging-entry-0123456789abcdef"]
        kept = [
            f"{MODEL}/_staging-mine",
            f"{MODEL}/_staging-{'0' * 64}",
            f"{MODEL}/_staging-{'0' * 64}-0123abcd-0123abcd.bak",
            f"{MODEL}/notes",
            f"delays/_staging-{'0' * 64}-0123abcd-0123abcd",
        ]
        vandal.write(swept[1] + "/x", b"x")
        vandal.write(swept[2], b"x")
        for folder in kept:
            vandal.write(f"{folder}/x", b"x")
        for path in {path.split("/")[0] for path in vandal.paths()}:
            vandal.age(path, LONG_AGO)
        fresh = self._killed(vandal, manifest, source, "dag/other")
        assert list(store.sweep(MODEL, timedelta(days=3))) == []
        assert sorted(store.sweep(MODEL, timedelta(days=1))) == sorted(path.rpartition("/")[2] for path in swept)
        left = vandal.paths()
        assert not [path for path in left if path.startswith(tuple(swept))]
        assert all(f"{folder}/x" in left for folder in kept)
        assert f"{fresh}/MLmodel" in left
        assert store.exists(uri)
        assert store.read_entry(LOG, 1) == b"{}"

    def test_the_janitor_leaves_a_folder_in_which_one_file_is_fresh(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal
    ) -> None:
        staging = self._killed(vandal, manifest, source, "dag/task")
        vandal.age(staging, LONG_AGO)
        vandal.age(f"{staging}/data/model.bin", timedelta())
        assert list(store.sweep(MODEL, timedelta(days=1))) == []
        assert f"{staging}/MLmodel" in vandal.paths()

    def test_sweeping_a_model_that_does_not_exist_does_nothing(self, store: ModelStore) -> None:
        assert list(store.sweep("nobody", timedelta(0))) == []

    def test_removing_an_artifact_leaves_the_others(
        self, store: ModelStore, source: Path, manifest: Manifest, vandal: Vandal
    ) -> None:
        gone = store.publish(source, manifest)
        kept = store.publish(source, describe(source, MODEL, provenance={"run": "2"}))
        store.remove(gone)
        store.remove(gone)
        assert not store.exists(gone)
        assert list(store.list(MODEL)) == [kept]
        assert len(vandal.paths()) == 3
        assert store.publish(source, manifest) == gone

    # Names.

    @pytest.mark.parametrize(
        "mutate",
        [
            lambda uri: "",
            lambda uri: None,
            lambda uri: uri + "/",
            lambda uri: uri + "/MLmodel",
            lambda uri: uri + "?op=DELETE",
            lambda uri: uri + "#fragment",
            lambda uri: uri[:-1],
            lambda uri: uri.replace(f"/{MODEL}/", "/../"),
            lambda uri: uri.replace(f"/{MODEL}/", "/a/../"),
            lambda uri: uri.replace(f"/{MODEL}/", "/%2e%2e/"),
            lambda uri: uri.replace(f"/{MODEL}/", "/_releases/"),
            lambda uri: uri.replace(f"/{MODEL}/", f"//{MODEL}/"),
            lambda uri: uri.replace(f"/{MODEL}/", f"/more/{MODEL}/"),
            lambda uri: uri.replace("://", "://evil@"),
            lambda uri: uri.replace("://", "://evil.example:1"),
            lambda uri: "s3" + uri[uri.index("://") :],
            lambda uri: uri.upper(),
        ],
    )
    def test_what_is_no_artifact_of_this_store_is_refused(
        self, store: ModelStore, source: Path, manifest: Manifest, tmp_path: Path, mutate: Callable[[str], str]
    ) -> None:
        uri = store.publish(source, manifest)
        for call in (store.exists, store.read_manifest, store.remove, lambda uri: store.fetch(uri, tmp_path / "copy")):
            with pytest.raises(Invalid):
                call(mutate(uri))
        assert store.exists(uri)

    @pytest.mark.parametrize("name", ["", ".", "..", "../x", "/abs", "a/b", "_releases", "_staging-x", "x%2e", "a b"])
    def test_a_model_name_outside_the_allow_list_is_refused(self, store: ModelStore, name: str) -> None:
        for call in (store.list, lambda n: store.artifact_uri(n, "0" * 64), lambda n: store.sweep(n, LONG_AGO)):
            with pytest.raises(Invalid):
                call(name)

    @pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "../" + "0" * 61])
    def test_what_is_no_digest_names_no_artifact(self, store: ModelStore, digest: str) -> None:
        with pytest.raises(Invalid):
            store.artifact_uri(MODEL, digest)

    # The ledger.

    def test_a_log_gives_back_what_was_appended(self, store: ModelStore) -> None:
        assert list(store.generations(LOG)) == []
        entries = {1: b'{"state": "PENDING"}', 2: b"", 10: os.urandom(100_000)}
        for generation, data in entries.items():
            store.append_exclusive(LOG, generation, data)
        assert list(store.generations(LOG)) == [1, 2, 10]
        assert {generation: store.read_entry(LOG, generation) for generation in entries} == entries
        assert list(store.generations("other_conn/flights")) == []

    def test_an_entry_is_never_overwritten(self, store: ModelStore, vandal: Vandal) -> None:
        store.append_exclusive(LOG, 1, b"first")
        for data in (b"second", b"first"):
            with pytest.raises(Conflict):
                store.append_exclusive(LOG, 1, data)
        assert store.read_entry(LOG, 1) == b"first"
        assert set(vandal.paths()) == {f"_releases/{LOG}/00000001.json"}

    def test_of_racing_writers_of_one_generation_exactly_one_wins(self, store: ModelStore, vandal: Vandal) -> None:
        for generation in range(1, 4):

            def append(number: int, generation: int = generation) -> None:
                store.append_exclusive(LOG, generation, f"writer {number}".encode())

            answers = race(append)
            assert answers.count(None) == 1
            assert sum(isinstance(answer, Conflict) for answer in answers) == 7
            assert store.read_entry(LOG, generation) == f"writer {answers.index(None)}".encode()
        assert list(store.generations(LOG)) == [1, 2, 3]
        assert len(vandal.paths()) == 3

    def test_what_else_lies_in_a_log_is_no_generation(self, store: ModelStore, vandal: Vandal) -> None:
        store.append_exclusive(LOG, 7, b"{}")
        for name in ("_staging-entry-0123456789abcdef", "7.json", "00000008.json.tmp", "notes"):
            vandal.write(f"_releases/{LOG}/{name}", b"x")
        assert list(store.generations(LOG)) == [7]

    def test_an_entry_that_does_not_exist_is_not_found(self, store: ModelStore) -> None:
        with pytest.raises(NotFound):
            store.read_entry(LOG, 1)

    @pytest.mark.parametrize("log", ["", "flights", "a/b/c", "../flights", "conn/..", "conn/_x", "/flights", "a/b%2f"])
    def test_a_log_that_is_no_endpoint_is_refused(self, store: ModelStore, log: str) -> None:
        for call in (store.generations, lambda log: store.read_entry(log, 1)):
            with pytest.raises(Invalid):
                call(log)
        with pytest.raises(Invalid):
            store.append_exclusive(log, 1, b"")

    @pytest.mark.parametrize("generation", [-1, 10**8, True, 1.0, "1", None])
    def test_what_is_no_generation_is_refused(self, store: ModelStore, generation: int) -> None:
        with pytest.raises(Invalid):
            store.append_exclusive(LOG, generation, b"")
        with pytest.raises(Invalid):
            store.read_entry(LOG, generation)

    # Documents.

    def test_a_document_is_kept_once_and_the_newest_counts(self, store: ModelStore, vandal: Vandal) -> None:
        folder = "flights/20130201T000000Z/merged"
        first = store.keep_document(folder, b'{"rows":1}')
        assert first.endswith(f"/_profiles/{folder}/00000001.json")
        assert store.keep_document(folder, b'{"rows":1}') == first == store.newest_document(folder)
        second = store.keep_document(folder, b'{"rows":2}')
        third = store.keep_document(folder, b'{"rows":1}')
        assert (len({first, second, third}), store.newest_document(folder)) == (3, third)
        assert [store.read_document(uri) for uri in (first, second)] == [b'{"rows":1}', b'{"rows":2}']
        assert len(vandal.paths()) == 3

    def test_racing_writers_of_one_document_leave_one_and_of_several_each_its_own(
        self, store: ModelStore, vandal: Vandal
    ) -> None:
        assert len(set(race(lambda _: store.keep_document("flights/same", b"{}")))) == 1
        kept = race(lambda number: store.keep_document("flights/each", f"{number}".encode()), 4)
        assert sorted(store.read_document(str(uri)) for uri in kept) == [b"0", b"1", b"2", b"3"]
        assert len(vandal.paths()) == 5

    def test_folders_of_documents_are_listed_without_what_else_lies_there(
        self, store: ModelStore, vandal: Vandal
    ) -> None:
        assert list(store.document_folders("flights")) == []
        for name in ("20130301T000000Z", "20130201T000000Z"):
            store.keep_document(f"flights/{name}", b"{}")
        store.keep_document("flights", b"{}")
        vandal.write("_profiles/flights/_staging-entry-0123456789abcdef", b"x")
        assert list(store.document_folders("flights")) == ["20130201T000000Z", "20130301T000000Z"]
        with pytest.raises(NotFound):
            store.newest_document("flights/20130101T000000Z")

    @pytest.mark.parametrize(
        "folder", ["", "..", "a/../b", "/a", "a//b", "_releases", "a/.b", "a b", "a%2e", "/".join("abcdefghi")]
    )
    def test_a_folder_of_documents_has_allowed_names_only(self, store: ModelStore, folder: str) -> None:
        for call in (store.document_folders, store.newest_document, lambda one: store.keep_document(one, b"{}")):
            with pytest.raises(Invalid):
                call(folder)

    def test_what_is_no_document_of_this_store_is_refused(self, store: ModelStore, source: Path) -> None:
        uri = store.keep_document("flights/window", b"{}")
        artifact = store.publish(source, describe(source, MODEL))
        other = uri.replace("/_profiles/", "/more/_profiles/")
        for wrong in ("", artifact, other, f"{uri}#x", uri.replace("window", ".."), f"s3{uri[uri.index('://') :]}"):
            with pytest.raises(Invalid):
                store.read_document(wrong)
        with pytest.raises(NotFound):
            store.read_document(uri.replace("00000001", "00000002"))


def now() -> datetime:
    """The time that a vandal counts back from, in UTC."""
    return datetime.now(UTC)
