"""A store behind the gate: what it gives out, what it leaves behind, and what it thinks of what lies there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_lifecycle.core.errors import Conflict, Corrupt, Untrusted
from model_lifecycle.core.trust import TrustPolicy
from model_lifecycle.hooks.staging import stage_into
from model_lifecycle.stores.artifacts import ArtifactStore
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.local import local_store
from model_lifecycle.stores.trusted import TrustedStore
from model_lifecycle.testing.store_contract import StoreContract
from tests.stores.test_local import FolderVandal
from tests.trust import malicious


class TestTrustedStore(StoreContract):
    """Whatever a store must do, one that trusts everything still does."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> TrustedStore:
        everything = TrustPolicy.parse("unknown, code")
        return TrustedStore(local_store(tmp_path / "store"), everything)

    @pytest.fixture
    def vandal(self, tmp_path: Path) -> FolderVandal:
        return FolderVandal(tmp_path / "store")


@pytest.fixture
def plain(tmp_path: Path) -> ArtifactStore:
    return local_store(tmp_path / "store")


def published(store: ArtifactStore, folder: Path, **files: bytes) -> str:
    malicious.write(folder, {"a.txt": b"text", **{name.replace("__", "/"): data for name, data in files.items()}})
    return store.publish(folder, describe(folder, "churn"))


@pytest.fixture
def good(plain: ArtifactStore, tmp_path: Path) -> str:
    return published(plain, tmp_path / "good", data__b=b"text")


@pytest.fixture
def bad(plain: ArtifactStore, tmp_path: Path) -> str:
    return published(plain, tmp_path / "bad", data__deep__model=malicious.call("true"))


def test_what_the_policy_allows_is_given_out(plain, good, tmp_path):
    store = TrustedStore(plain, TrustPolicy())
    assert store.fetch(good, tmp_path / "copy") == plain.read_manifest(good)
    assert store.uri == plain.uri
    store.prove(good, tmp_path / "copy")


def test_a_store_is_put_behind_the_gate_in_a_task_of_ones_own(plain, good, bad, tmp_path):
    store, artifact_uri, folder = plain, good, tmp_path / "copy"
    # [START trusted]
    from model_lifecycle.core.trust import TrustPolicy
    from model_lifecycle.stores.trusted import TrustedStore

    policy = TrustPolicy.parse({"formats": ["pickle"], "globals": ["ours.models.*"]})
    manifest = TrustedStore(store, policy).fetch(artifact_uri, folder)
    # [END trusted]
    assert manifest == plain.read_manifest(good)
    with pytest.raises(Untrusted):
        TrustedStore(store, policy).fetch(bad, tmp_path / "other")


def test_what_it_refuses_leaves_nothing_behind(plain, bad, tmp_path):
    with pytest.raises(Untrusted, match="data/deep/model is a pickle") as caught:
        TrustedStore(plain, TrustPolicy()).fetch(bad, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert caught.value.target == bad
    assert caught.value.model == "churn"


def test_a_folder_that_was_there_before_stays(plain, bad, tmp_path):
    (tmp_path / "copy").mkdir()
    with pytest.raises(Untrusted):
        TrustedStore(plain, TrustPolicy()).fetch(bad, tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []


def test_the_bytes_are_proven_before_they_are_looked_at(plain, good, tmp_path):
    (place,) = (path for path in (tmp_path / "store").rglob("b") if path.is_file())
    place.chmod(0o600)
    place.write_bytes(b"tex!")
    with pytest.raises(Corrupt):
        TrustedStore(plain, TrustPolicy()).fetch(good, tmp_path / "copy")


def test_a_policy_that_became_stricter_refuses_what_lies_there_already(plain, bad, tmp_path):
    repository = tmp_path / "repository"
    repository.mkdir()
    lax = TrustPolicy.parse({"formats": ["pickle"], "globals": ["posix.system"]})
    folder = stage_into(repository, "churn", 1, bad, TrustedStore(plain, lax))
    assert stage_into(repository, "churn", 1, bad, TrustedStore(plain, lax)) == folder
    with pytest.raises(Untrusted, match="model is a pickle"):
        stage_into(repository, "churn", 1, bad, TrustedStore(plain, TrustPolicy()))
    assert (folder / "data" / "deep" / "model").exists(), "a server may serve from there"


def test_nothing_refused_ever_stands_in_a_repository(plain, bad, tmp_path):
    repository = tmp_path / "repository"
    repository.mkdir()
    with pytest.raises(Untrusted):
        stage_into(repository, "churn", 1, bad, TrustedStore(plain, TrustPolicy()))
    assert list(repository.rglob("*")) == [repository / "churn"]


def test_another_folder_is_no_proof(plain, good, tmp_path):
    store = TrustedStore(plain, TrustPolicy())
    folder = tmp_path / "copy"
    store.fetch(good, folder)
    (folder / "more").write_text("x")
    with pytest.raises(Corrupt):
        store.prove(good, folder)
    with pytest.raises(Conflict):
        store.fetch(good, folder)
    assert (folder / "a.txt").exists()
