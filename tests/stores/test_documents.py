"""What the contract of a store does not ask of its documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.stores import documents
from model_lifecycle.stores.local import local_store


def test_a_document_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES", 10)
    with pytest.raises(Invalid, match="too long"):
        local_store(tmp_path).keep_document("flights", b"x" * 11)


def test_documents_are_no_artifacts_and_no_logs(tmp_path: Path) -> None:
    store = local_store(tmp_path)
    store.keep_document("flights/window", b"{}")
    assert (list(store.list("flights")), list(store.logs())) == ([], [])
