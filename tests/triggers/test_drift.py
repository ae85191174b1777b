from __future__ import annotations

from pathlib import Path

import pytest

from model_lifecycle.core.errors import Corrupt
from model_lifecycle.hooks.store import open_store
from model_lifecycle.triggers.drift import DriftTrigger, ask_verdict

QUESTION = {"name": "flights", "window_start": "2013-02-01", "window": "training"}


def test_a_verdict_that_cannot_be_read_is_corrupt_and_none_is_not_yet(tmp_path: Path) -> None:
    store = tmp_path.as_uri()
    assert ask_verdict(store=store, **QUESTION) is None
    open_store(store).keep_document("flights/20130201T000000Z/verdict-training", b"[]")
    with pytest.raises(Corrupt, match="20130201T000000Z cannot be read"):
        ask_verdict(store=store, **QUESTION)


def test_the_trigger_carries_names_only(tmp_path: Path) -> None:
    path, told = DriftTrigger(5.0, store="hdfs://hdfs_models@/models", **QUESTION).serialize()
    assert path == "model_lifecycle.triggers.drift.DriftTrigger"
    assert told == {"poll_interval": 5.0, "store": "hdfs://hdfs_models@/models", **QUESTION}
