"""Where a SavedModel lies in an artifact, and the link that leads to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model_lifecycle.core.errors import Conflict, Invalid, NotFound
from model_lifecycle.core.manifest import FileEntry, Manifest
from model_lifecycle.hooks.tensorflow_layout import artifacts_in, is_staged, link, saved_model_of


def manifest(*paths: str) -> Manifest:
    return Manifest("churn", tuple(FileEntry(path, 0, "0" * 64) for path in paths))


@pytest.mark.parametrize(
    ("paths", "inner"),
    [
        (["saved_model.pb", "variables/variables.index"], ""),
        (["MLmodel", "tf2model/saved_model.pb", "tf2model/variables/variables.index"], "tf2model"),
        (["MLmodel", "data/model/saved_model.pb"], "data/model"),
        (["saved_model.pb", "teacher/saved_model.pb"], ""),
    ],
)
def test_the_one_savedmodel_is_found(paths: list[str], inner: str) -> None:
    assert saved_model_of(manifest(*paths)) == inner


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        (["model.keras"], "no SavedModel"),
        (["not_saved_model.pb"], "no SavedModel"),
        (["a/saved_model.pb", "b/saved_model.pb"], "several SavedModels: a/saved_model.pb, b/saved_model.pb"),
    ],
)
def test_none_and_several_are_refused(paths: list[str], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        saved_model_of(manifest(*paths))


@pytest.mark.parametrize("inner", ["", "tf2model"])
def test_a_version_is_a_relative_link_that_holds_when_the_repository_is_mounted_elsewhere(
    tmp_path: Path, inner: str
) -> None:
    repository = tmp_path / "here"
    repository.mkdir()
    artifact = artifacts_in(repository) / "churn" / "3" / inner
    artifact.mkdir(parents=True)
    (artifact / "saved_model.pb").touch()
    for _ in range(2):
        link(repository, "churn", 3, inner)
    assert is_staged(repository, "churn", 3)
    repository.rename(tmp_path / "there")
    assert is_staged(tmp_path / "there", "churn", 3)


def test_a_link_that_leads_nowhere_is_not_staged(tmp_path: Path) -> None:
    link(tmp_path, "churn", 3, "")
    assert not is_staged(tmp_path, "churn", 3)
    assert not is_staged(tmp_path, "churn", 4)


def test_something_else_in_the_place_of_a_version_is_a_conflict(tmp_path: Path) -> None:
    (tmp_path / "churn" / "3").mkdir(parents=True)
    os.symlink("../elsewhere", tmp_path / "churn" / "4")
    for version in (3, 4):
        with pytest.raises(Conflict, match="something else lies"):
            link(tmp_path, "churn", version, "")


def test_without_a_repository_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no model repository"):
        artifacts_in(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []
