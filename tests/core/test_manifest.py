"""The manifest: one canonical form, read back exactly or refused."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Corrupt, Invalid
from model_lifecycle.core.manifest import MAX_BYTES, FileEntry, Manifest, is_digest
from tests.core.bad_names import BAD_NAMES, RESERVED

DIGEST = sha256(b"weights").hexdigest()
ENTRY = FileEntry("model.bin", 7, DIGEST)
PARTS = st.text("abcXYZ019._-", min_size=1, max_size=6).filter(lambda part: part[0] not in ".-_" and part[-1] != ".")
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('aé\n"\\'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=10,
)


def entries(paths: list[str]) -> tuple[FileEntry, ...]:
    return tuple(FileEntry(path, len(path), sha256(path.encode()).hexdigest()) for path in paths)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    paths = draw(st.lists(PATHS, min_size=1, max_size=6, unique=True))
    files = [path for path in paths if not any(other.startswith(f"{path}/") for other in paths)]
    signature = draw(st.none() | st.dictionaries(st.sampled_from(["inputs", "outputs"]), JSON))
    provenance = draw(st.dictionaries(st.text("abé", max_size=4), st.text("x\n\u2028", max_size=4), max_size=3))
    return Manifest(draw(PARTS), entries(files), signature, provenance)


@given(manifests())
def test_what_is_written_is_read_back_equal(manifest: Manifest) -> None:
    again = Manifest.from_json(manifest.to_json())
    assert again == manifest
    assert again.digest == manifest.digest == sha256(manifest.to_json()).hexdigest()
    assert is_digest(manifest.digest)


@given(manifests(), st.randoms())
def test_the_order_of_files_and_keys_changes_nothing(manifest: Manifest, random: object) -> None:
    files = list(manifest.files)
    random.shuffle(files)  # type: ignore[attr-defined]
    provenance = dict(reversed(manifest.provenance.items()))
    assert Manifest(manifest.model, tuple(files), manifest.signature, provenance).digest == manifest.digest


@given(manifests(), st.data())
def test_any_other_bytes_are_refused_or_another_artifact(manifest: Manifest, data: st.DataObject) -> None:
    raw = bytearray(manifest.to_json())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = Manifest.from_json(bytes(raw))
    except Corrupt:
        return
    assert other.digest != manifest.digest


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_bytes_that_are_no_manifest_are_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        Manifest.from_json(data)


@pytest.mark.parametrize(
    "mutate",
    [
        lambda text: text + "\n",
        lambda text: text.replace(":", ": "),
        lambda text: text.replace('"schema":1', '"schema":2'),
        lambda text: text.replace('"schema":1', '"schema":true'),
        lambda text: text.replace('"schema":1', '"schema":1.0'),
        lambda text: text.replace("model.bin", "../model.bin"),
        lambda text: text.replace("model.bin", "%2e%2e/model.bin"),
        lambda text: text.replace('"size":7', '"size":7.0'),
        lambda text: text.replace('"size":7', '"size":true'),
        lambda text: text.replace('"size":7', '"size":-7'),
        lambda text: text.replace('"size":7', '"size":"7"'),
        lambda text: text.replace(DIGEST, DIGEST.upper()),
        lambda text: text.replace('"signature":null', '"signature":NaN'),
        lambda text: text.replace('"signature":null', '"signature":1e999'),
        lambda text: text.replace('"provenance":{}', '"provenance":{"a":1}'),
        lambda text: text.replace('"provenance":{}', '"provenance":[]'),
        lambda text: text.replace('"provenance":{}', '"provenance":null'),
        lambda text: text.replace('"signature":null', '"more":null,"signature":null'),
        lambda text: text.replace(',"signature":null', ""),
        lambda text: text.replace('"signature":null', '"signature":[]'),
        lambda text: text.replace('"signature":null', '"signature":{"a":"\\ud800"}'),
        lambda text: text.replace('"signature":null', f'"signature":{"[" * 100_000}'),
        lambda text: text.replace('"signature":null', f'"signature":{"9" * 5000}'),
    ],
)
def test_a_manifest_in_any_other_form_is_corrupt(mutate) -> None:
    text = Manifest("flights", (ENTRY,)).to_json().decode()
    assert mutate(text) != text
    with pytest.raises(Corrupt):
        Manifest.from_json(mutate(text).encode())


def test_a_manifest_that_is_too_long_is_not_even_parsed() -> None:
    with pytest.raises(Corrupt):
        Manifest.from_json(b"[" * (MAX_BYTES + 1))


@pytest.mark.parametrize("path", [*BAD_NAMES.values(), *RESERVED])
def test_a_file_entry_with_a_bad_path_is_refused(path: str) -> None:
    with pytest.raises(Invalid):
        FileEntry(path, 0, DIGEST)


@pytest.mark.parametrize(("size", "digest"), [(-1, DIGEST), (True, DIGEST), (1.0, DIGEST), (0, ""), (0, "é" * 64)])
def test_a_file_entry_without_a_size_or_digest_is_refused(size: int, digest: str) -> None:
    with pytest.raises(Invalid):
        FileEntry("model.bin", size, digest)


@pytest.mark.parametrize("paths", [[], ["a", "a"], ["a", "a/b"], ["a/b/c", "a/b"], ["a/b", "c", "a/b/c/d"]])
def test_files_that_make_no_tree_are_refused(paths: list[str]) -> None:
    with pytest.raises(Invalid):
        Manifest("flights", entries(paths))


def test_names_that_begin_alike_are_no_conflict() -> None:
    assert len(Manifest("flights", entries(["a", "a.b", "ab/c", "a-b/c"])).files) == 4


@pytest.mark.parametrize("provenance", [{"a": 1}, {1: "a"}, {"a": None}, {"a": ["b"]}])
def test_provenance_holds_strings_only(provenance: dict) -> None:
    with pytest.raises(Invalid):
        Manifest("flights", (ENTRY,), None, provenance)


@pytest.mark.parametrize("name", BAD_NAMES.values())
def test_a_manifest_of_a_bad_model_name_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        Manifest(name, (ENTRY,))


def test_the_size_is_that_of_all_files() -> None:
    assert Manifest("flights", entries(["a", "bb/ccc"])).size == 7
