from __future__ import annotations

from pathlib import Path

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.scorer.log_target import open_target
from model_lifecycle.stores.local import LocalFilesystem
from model_lifecycle.stores.webhdfs import WebHdfs


def test_a_folder_is_named_by_its_path_or_its_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for text in (str(tmp_path / "log"), "log", (tmp_path / "log").as_uri()):
        target = open_target(text)
        assert isinstance(target, LocalFilesystem)
        assert target.root == tmp_path / "log"
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("text", ["webhdfs://one:9870,two:9870/models", "swebhdfs://one:9871/models"])
def test_hdfs_is_named_as_hadoops_own_clients_do(text: str):
    target = open_target(text)
    assert isinstance(target, WebHdfs)
    assert target.root == "/models"


@pytest.mark.parametrize(
    "text",
    ["s3://bucket/models", "webhdfs:///models", "webhdfs://user:secret@one:9870/models", "file://host/models", "x://"],
)
def test_any_other_place_is_refused_without_its_secrets(text: str):
    with pytest.raises(Invalid) as refused:
        open_target(text)
    assert "secret" not in str(refused.value)
