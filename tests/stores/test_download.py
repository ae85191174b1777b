"""The local side of a fetch; what it keeps and refuses is proven by the store contract."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from model_lifecycle.core.errors import Conflict, Denied
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.stores.download import Download
from model_lifecycle.stores.filesystem import part_of
from model_lifecycle.stores.folder import describe
from model_lifecycle.testing.store_contract import MODEL, write_files
from tests.stores.test_folder import as_nobody

FILES = {"MLmodel": b"flavors: {}\n", "data/deep/model.bin": b"weights"}


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return describe(write_files(tmp_path / "source", FILES), MODEL)


def test_everything_is_missing_from_a_new_folder(tmp_path: Path, manifest: Manifest) -> None:
    download = Download(tmp_path / "copy", manifest)
    assert list(download.prepare(2)) == list(manifest.files)
    assert (tmp_path / "copy" / "data" / "deep").is_dir()


def test_the_manifest_is_the_last_file_and_comes_whole(tmp_path: Path, manifest: Manifest) -> None:
    download = Download(tmp_path / "copy", manifest)
    download.prepare(2)
    assert not (tmp_path / "copy" / "_manifest.json").exists()
    part_of(tmp_path / "copy" / "_manifest.json").write_bytes(b"half")
    download.finish()
    assert (tmp_path / "copy" / "_manifest.json").read_bytes() == manifest.to_json()
    assert not part_of(tmp_path / "copy" / "_manifest.json").exists()


def test_a_part_that_is_a_link_is_refused(tmp_path: Path, manifest: Manifest) -> None:
    (tmp_path / "copy").mkdir()
    part_of(tmp_path / "copy" / "MLmodel").symlink_to("/etc/hostname")
    with pytest.raises(Conflict):
        Download(tmp_path / "copy", manifest).prepare(2)


@pytest.mark.parametrize("kind", [os.mkfifo, os.mkdir])
def test_something_else_under_the_name_of_a_file_is_refused(tmp_path: Path, manifest: Manifest, kind) -> None:
    (tmp_path / "copy").mkdir()
    kind(tmp_path / "copy" / "MLmodel")
    with pytest.raises(Conflict):
        Download(tmp_path / "copy", manifest).prepare(2)


def test_a_folder_that_cannot_be_written_is_denied(manifest: Manifest) -> None:
    with TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        with as_nobody(), pytest.raises(Denied):
            Download(Path(top) / "copy", manifest).prepare(2)


def test_a_file_in_the_way_of_the_folder_is_a_conflict(tmp_path: Path, manifest: Manifest) -> None:
    (tmp_path / "copy").write_bytes(b"")
    for place in (tmp_path / "copy", tmp_path / "copy" / "below"):
        with pytest.raises(Conflict):
            Download(place, manifest).prepare(2)
