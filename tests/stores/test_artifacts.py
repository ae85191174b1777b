"""The commit protocol where file systems and neighbours misbehave; that it keeps the contract is proven per store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from model_lifecycle.core.errors import Conflict, Denied, ModelLifecycleError, NotFound, Unavailable
from model_lifecycle.core.manifest import FileEntry, Manifest
from model_lifecycle.stores.artifacts import ArtifactStore
from model_lifecycle.stores.filesystem import Progress
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.local import LocalFilesystem
from model_lifecycle.testing.store_contract import MODEL, read_files, write_files


class Meddled(LocalFilesystem):
    """A folder (not a mock) in which something happens right before one call."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.before: dict[str, Callable[..., None]] = {}
        self.stored: list[str] = []

    def put(self, path: str, source: Path, entry: FileEntry, progress: Progress) -> None:
        self.stored.append(entry.path)
        self.meddle("put", path)
        super().put(path, source, entry, progress)

    def rename_exclusive(self, source: str, target: str) -> None:
        self.meddle("rename_exclusive", source, target)
        super().rename_exclusive(source, target)

    def tree(self, path: str) -> dict[str, int]:
        self.meddle("tree", path)
        return super().tree(path)

    def meddle(self, call: str, *arguments: str) -> None:
        if call in self.before:
            self.before.pop(call)(*arguments)


@pytest.fixture
def files(tmp_path: Path) -> Meddled:
    return Meddled(tmp_path / "store")


@pytest.fixture
def store(files: Meddled) -> ArtifactStore:
    return ArtifactStore(files, files.root.as_uri(), threads=1)


@pytest.fixture
def other(files: Meddled) -> ArtifactStore:
    return ArtifactStore(LocalFilesystem(files.root), files.root.as_uri())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_files(tmp_path / "source", {"MLmodel": b"flavors: {}\n", "data/model.bin": b"weights" * 10})


@pytest.fixture
def manifest(source: Path) -> Manifest:
    return describe(source, MODEL)


def failing(error: ModelLifecycleError) -> Callable[..., None]:
    def fail(*arguments: str) -> None:
        raise error

    return fail


@pytest.mark.parametrize("moment", ["put", "rename_exclusive"])
def test_losing_to_a_publisher_of_the_same_bytes_is_success(
    store: ArtifactStore, other: ArtifactStore, files: Meddled, source: Path, manifest: Manifest, moment: str
) -> None:
    files.before[moment] = lambda *_: other.publish(source, manifest)
    assert other.exists(store.publish(source, manifest))
    assert [path.name for path in (files.root / MODEL).iterdir()] == [manifest.digest]


def test_losing_to_something_else_is_a_conflict_and_leaves_it_alone(
    store: ArtifactStore, files: Meddled, source: Path, manifest: Manifest
) -> None:
    def occupy(old: str, new: str) -> None:
        write_files(files.root / new, {"something": b"else"})

    files.before["rename_exclusive"] = occupy
    with pytest.raises(Conflict, match="something other"):
        store.publish(source, manifest)
    assert read_files(files.root) == {f"{MODEL}/{manifest.digest}/something": b"else"}


@pytest.mark.parametrize("moment", ["put", "rename_exclusive"])
def test_a_publish_that_is_overtaken_stops_and_leaves_the_other_its_folder(
    store: ArtifactStore, files: Meddled, source: Path, manifest: Manifest, moment: str
) -> None:
    taken = f"{MODEL}/_staging-{manifest.digest}-00000000-00000000"

    def overtake(path: str, *_: str) -> None:
        staging = "/".join(path.split("/")[:2])
        LocalFilesystem(files.root).make_folder(staging)
        LocalFilesystem(files.root).rename_exclusive(staging, taken)

    files.before[moment] = overtake
    if moment == "put":  # nothing was in the folder yet, so nothing is missed
        assert store.exists(store.publish(source, manifest, owner="task"))
    else:
        with pytest.raises(Unavailable, match="taken over"):
            store.publish(source, manifest, owner="task")
        assert not store.exists(store.artifact_uri(MODEL, manifest.digest))
    assert (files.root / taken).exists()
    assert len(list((files.root / MODEL).iterdir())) == 1 + (moment == "put")


def test_a_try_that_failed_for_now_leaves_its_folder_to_the_next(
    store: ArtifactStore, files: Meddled, source: Path, manifest: Manifest
) -> None:
    def lose_connection(*_: str) -> None:
        files.before["put"] = failing(Unavailable("the NameNode is gone"))

    files.before["put"] = lose_connection
    with pytest.raises(Unavailable, match="NameNode is gone"):
        store.publish(source, manifest, owner="task")
    first, files.stored = files.stored, []
    assert first == ["data/model.bin", "MLmodel"]
    assert store.publish(source, manifest, owner="task")
    assert files.stored == ["MLmodel"]


def test_a_try_that_can_never_succeed_leaves_nothing(
    store: ArtifactStore, files: Meddled, source: Path, manifest: Manifest
) -> None:
    def refuse_the_next(*_: str) -> None:
        files.before["put"] = failing(Denied("quota"))

    files.before["put"] = refuse_the_next
    with pytest.raises(Denied, match="quota"):
        store.publish(source, manifest)
    assert read_files(files.root) == {}
    assert list((files.root / MODEL).iterdir()) == []


def test_an_error_while_cleaning_up_does_not_hide_why(
    store: ArtifactStore, files: Meddled, source: Path, manifest: Manifest
) -> None:
    files.before["put"] = failing(Denied("quota"))
    files.before["rename_exclusive"] = failing(Unavailable("gone"))
    with pytest.raises(Denied, match="quota"):
        store.publish(source, manifest)


def test_files_not_begun_when_one_fails_are_not_begun(store: ArtifactStore, files: Meddled, tmp_path: Path) -> None:
    source = write_files(tmp_path / "many", {f"f{n:03d}": b"x" * (1000 - n) for n in range(100)})
    files.before["put"] = failing(Unavailable("gone"))
    with pytest.raises(Unavailable):
        store.publish(source, describe(source, MODEL))
    assert files.stored[0] == "f000"
    assert len(files.stored) < 100


def test_an_artifact_removed_while_it_is_compared_is_published_again(
    store: ArtifactStore, other: ArtifactStore, files: Meddled, source: Path, manifest: Manifest
) -> None:
    uri = other.publish(source, manifest)
    files.before["tree"] = lambda *_: other.remove(uri)
    assert store.publish(source, manifest) == uri
    assert store.exists(uri)


def test_an_artifact_removed_while_it_is_fetched_is_not_found(
    store: ArtifactStore, other: ArtifactStore, source: Path, manifest: Manifest, tmp_path: Path
) -> None:
    uri = store.publish(source, manifest)
    get = store.files.get

    def remove_then_get(*arguments: object) -> None:
        other.remove(uri)
        get(*arguments)  # type: ignore[arg-type]

    store.files.get = remove_then_get  # type: ignore[method-assign, assignment]
    with pytest.raises(NotFound):
        store.fetch(uri, tmp_path / "copy")
    assert not (tmp_path / "copy" / "_manifest.json").exists()


def test_owners_are_never_written_down(store: ArtifactStore, files: Meddled, source: Path, manifest: Manifest) -> None:
    files.before["rename_exclusive"] = failing(Unavailable("gone"))
    with pytest.raises(Unavailable):
        store.publish(source, manifest, owner="secret-run-id")
    assert not [path for path in files.root.rglob("*") if "secret" in path.name]
