"""YAML of plain values, and no more of them than are written down."""

from __future__ import annotations

import pytest

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.stores.formats import yamls
from model_lifecycle.stores.formats.blob import Blob
from tests.trust.look import trip

BOMB = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "\n".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 6)
)


def load(text: str) -> object:
    return yamls.load(Blob.of_bytes(text.encode()), "x.yaml", trip())


def test_plain_yaml_is_read_with_its_references():
    assert load("a: &a {b: 1}\nc: [*a, *a, ~]\nd: 2013-01-01\ne: !!str 3\n<<: *a") is not None
    assert load("\ufeffa: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: !ours {}", "YAML tag !ours"),
        ("!!python/name:os.system x", "YAML tag"),
        ("a: [", "no plain YAML"),
        ("[" * 200 + "]" * 200, "no plain YAML"),
        ("a: *b", "no plain YAML|stands for"),
        ("&a [*a]", "stands for"),
        (BOMB, "stands for"),
        ("a: 1\n---\nb: 2", "no plain YAML"),
        ("? [a, b]\n: c", "no plain YAML"),
        ("\x00", "no plain YAML"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(text, why):
    with pytest.raises(Untrusted, match=why):
        load(text)


def test_yaml_has_a_bound(monkeypatch):
    monkeypatch.setattr(yamls, "MAX_YAML", 3)
    with pytest.raises(Untrusted, match="more than 3 bytes"):
        load("a: 12")
