"""JSON that every reader reads alike."""

from __future__ import annotations

import pytest

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.stores.formats import jsons
from tests.trust.look import trip


def test_plain_json_is_read():
    assert jsons.parse(b'{"a": [1, {"b": null}]}', "x", trip()) == {"a": [1, {"b": None}]}


@pytest.mark.parametrize("data", [b"", b"{", b'{"a": 1, "a": 1}', b"[" * 100_000, b"\xff\xfe", b"{'a': 1}"])
def test_anything_else_is_refused(data):
    with pytest.raises(Untrusted, match="x is no plain JSON"):
        jsons.parse(data, "x", trip())


def test_json_has_a_bound(monkeypatch):
    monkeypatch.setattr(jsons, "MAX_JSON", 3)
    with pytest.raises(Untrusted, match="more than 3 bytes"):
        jsons.parse(b'"ab"', "x", trip())
