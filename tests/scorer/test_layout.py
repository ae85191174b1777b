"""The model repository on disk."""

from __future__ import annotations

import os

import pytest

from model_lifecycle.core.errors import Conflict
from model_lifecycle.scorer.layout import lock_folder, model_folders, version_folders


def test_models_and_versions_are_folders_with_allowed_names(tmp_path):
    for name in ("churn", "a.b-c_d", ".hidden", "a b", "_staging-1"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    assert sorted(model_folders(tmp_path)) == ["a.b-c_d", "churn"]
    for name in ("1", "12", "0", "01", "_staging-3-abc", "v1", "3.tmp", "\u0661", "9" * 19):
        (tmp_path / "churn" / name).mkdir()
    (tmp_path / "churn" / "4").touch()
    assert sorted(version_folders(tmp_path / "churn")) == [1, 12]
    assert version_folders(tmp_path / "absent") == []


def test_two_scorers_do_not_share_a_repository(tmp_path):
    first = lock_folder(tmp_path)
    with pytest.raises(Conflict, match="another scorer works on"):
        lock_folder(tmp_path)
    os.close(first)
    os.close(lock_folder(tmp_path))
