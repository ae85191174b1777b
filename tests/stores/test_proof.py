"""Proving a fetched folder long after it was fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_lifecycle.core.errors import Corrupt, Invalid, NotFound
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.names import MANIFEST_NAME
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.proof import own_manifest, prove


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("MLmodel", "data/weights", "data/bias"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
def manifest(folder: Path) -> Manifest:
    made = describe(folder, "churn", signature={"inputs": None}, provenance={"dag_id": "x"})
    (folder / MANIFEST_NAME).write_bytes(made.to_json())
    return made


def test_a_folder_that_is_as_it_was_is_proven(folder, manifest):
    assert own_manifest(folder) == manifest
    prove(folder, manifest)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda folder: (folder / "data" / "bias").write_text("data/bIas"), "data/bias"),
        (lambda folder: (folder / "data" / "bias").unlink(), "data/bias"),
        (lambda folder: (folder / "data" / "more").write_text(""), "data/more"),
        (lambda folder: (folder / "MLmodel").write_text(""), "MLmodel"),
    ],
)
def test_a_changed_folder_is_corrupt_and_the_file_is_named(folder, manifest, change, name):
    change(folder)
    with pytest.raises(Corrupt, match=f"{name} is not as the manifest says"):
        prove(folder, manifest)


def test_a_link_is_refused_even_to_the_same_bytes(folder, manifest, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "bias"
    (folder / "data" / "bias").rename(elsewhere)
    (folder / "data" / "bias").symlink_to(elsewhere)
    with pytest.raises(Invalid, match="symbolic link"):
        prove(folder, manifest)


def test_a_folder_without_a_manifest_is_not_found(folder):
    with pytest.raises(NotFound, match="is not whole, or not from a model store"):
        own_manifest(folder)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff"])
def test_a_manifest_that_is_none_is_corrupt(folder, data):
    (folder / MANIFEST_NAME).write_bytes(data)
    with pytest.raises(Corrupt, match="not a manifest"):
        own_manifest(folder)
