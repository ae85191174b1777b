"""Text is what everybody reads as text, and names no code."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.stores.formats import texts
from model_lifecycle.stores.formats.blob import BLOCK, Blob
from tests.trust.look import refusal


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_letters_of_any_language_are_text(text):
    assert texts.looks(Blob.of_bytes(text.encode()))


@pytest.mark.parametrize("data", [b"\0", b"a\x01b", b"\xff", b"\xc3", "x".encode("utf-16"), b"x" * BLOCK + b"\x1b"])
def test_anything_else_is_not(data):
    assert not texts.looks(Blob.of_bytes(data))


def test_a_letter_between_two_blocks_is_one_letter():
    assert texts.looks(Blob.of_bytes(b"x" * (BLOCK - 1) + "ü".encode()))


@pytest.mark.parametrize(
    "text", ["a: !!python/name:os.system", "x" * (BLOCK - 5) + "!!python/x", "!<tag:yaml.org,2002:python/x> y"]
)
@pytest.mark.parametrize("name", ["a.yaml", "readme.txt", "b.json"])
def test_a_tag_that_makes_objects_is_refused_under_any_name(text, name):
    assert "YAML tag" in str(refusal(text.encode(), name, "code, pickle"))


@pytest.mark.parametrize(
    "line",
    ["--index-url http://x", "-i https://x", "-e .", "--find-links x", "git+https://x/y", "a @ file:///x",
     "./local.whl", "/abs/a.whl", "-r ../other.txt", "-r /etc/x", "https://x/y.whl", "  - a @ git+ssh://x"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["requirements.txt", "conda.yaml", "requirements-dev.txt", "constraints.txt"])
def test_requirements_from_a_place_need_a_word(line, name):
    data = (
        f"a==1\n{line}\n".encode()
        if name.endswith("txt")
        else f"dependencies:\n- pip:\n  - '{line.strip(' -')}'\n".encode()
    )
    if name == "conda.yaml" and line.startswith("-"):
        data = f"pip: ['{line}']\n".encode().replace(b"['", b"\n- '").replace(b"']", b"'")
    assert "place of its own" in str(refusal(data, name, "code"))
    assert refusal(data, name, "foreign_requirements") is None
    assert refusal(data.replace(b"!", b"x"), "notes.txt") is None


@pytest.mark.parametrize(
    "line", ["a==1", "a[b]>=1,<2", "a; python_version > '3'", "-c constraints.txt", "-r more.txt", "# a/b"]
)
def test_plain_requirements_pass(line):
    assert refusal(line.encode(), "requirements.txt") is None


def test_modules_that_mlflow_imports_by_a_file_are_its_own():
    assert refusal(b"mlflow.pytorch.pickle_module", "data/pickle_module_info.txt") is None
    assert refusal(b"keras", "data/keras_module.txt") is None
    for name in ("pickle_module_info.txt", "keras_module.txt"):
        assert "names the module evil" in str(refusal(b"evil", name, "code, pickle"))


def test_json_that_names_code_is_refused_also_with_letters_written_as_escapes():
    assert "auto_map" in str(refusal(b'{"auto_map": {"AutoModel": "x.Y"}}', "config.json"))
    assert "auto_map" in str(refusal(b'{"\\u0061uto_map": {}}', "config.json"))
    assert refusal(b'{"auto_map": {}}', "config.json", "code") is None
    keras = json.dumps({"class_name": "Sequential", "config": {}}).encode()
    assert "formats keras" in str(refusal(keras, "a.json"))
    assert refusal(keras, "a.json", "keras") is None
    assert refusal(b'{"class_name": 3, "auto_mapped": "x", "more": "\\u00fc"}', "a.json") is None


def test_json_that_is_too_large_to_look_through_is_refused_only_if_it_may_name_code(monkeypatch):
    monkeypatch.setattr(texts, "MAX_JSON", 10)
    assert refusal(b'{"a": "' + b"x" * 20 + b'"}', "a.json") is None
    assert "too large" in str(refusal(b'{"auto_map": "xxxxxxxx"}', "a.json"))
