"""safetensors: every byte of a file belongs to its header or to one tensor."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.stores.formats import safetensors
from tests.trust import raw
from tests.trust.look import refusal

ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([("F32", 4), ("U8", 1), ("BF16", 2), ("I64", 8)]), st.lists(st.integers(0, 3), max_size=3)
        ),
        max_size=5,
    )
)
def test_tensors_one_behind_the_other_pass(tensors):
    header, end = {}, 0
    for number, ((dtype, width), shape) in enumerate(tensors):
        size = width
        for count in shape:
            size *= count
        header[f"t{number}"] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    assert refusal(raw.safetensors(header, b"\1" * end)) is None


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ({"a": ONE}, b"\0" * 7),
        ({"a": ONE}, b"\0" * 9),
        ({"a": ONE, "b": ONE}, b"\0" * 8),
        ({"a": {**ONE, "data_offsets": [1, 9]}}, b"\0" * 9),
        ({"a": {**ONE, "dtype": "OBJ"}}, b"\0" * 8),
        ({"a": {**ONE, "dtype": ["F32"]}}, b"\0" * 8),
        ({"a": {**ONE, "shape": [3]}}, b"\0" * 8),
        ({"a": {**ONE, "shape": [-2]}}, b"\0" * 8),
        ({"a": {**ONE, "shape": [2.0]}}, b"\0" * 8),
        ({"a": {**ONE, "shape": [2**62, 2**62]}}, b"\0" * 8),
        ({"a": {**ONE, "data_offsets": [8, 0]}}, b"\0" * 8),
        ({"a": {**ONE, "data_offsets": [True, 8]}}, b"\0" * 8),
        ({"a": {**ONE, "more": 1}}, b"\0" * 8),
        ({"a": 3}, b""),
        ({"__metadata__": {"a": 1}}, b""),
        ({"__metadata__": []}, b""),
        (json.dumps({"a": ONE}).encode()[:-1] + b', "a": {}}', b"\0" * 8),
        (b"{" * 3000, b""),
    ],
)
def test_anything_else_is_refused(header, data):
    assert refusal(raw.safetensors(header, data), words="unknown, pickle, code") is not None


LENGTHS = [0x8B1F, 0x2123, 0x0280, 0x0380, 0x82, 0x5D, 0x0178, 0x4C7B, 0x5A4D, 0x4F63, 0x088B1F]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_length_that_begins_like_another_format_is_a_length(length):
    assert refusal(raw.safetensors(json.dumps({"a": ONE}).ljust(length).encode(), b"\0" * 8)) is None


@pytest.mark.parametrize("length", [1_000, 99_000_000, 2**31])
def test_a_header_ends_inside_the_file(length):
    assert "claims a header" in str(refusal(raw.safetensors({"a": ONE}, b"\0" * 8, length=length)))


def test_a_header_has_a_bound(monkeypatch):
    monkeypatch.setattr(safetensors, "MAX_JSON", 10)
    assert "claims a header" in str(refusal(raw.safetensors({"a": ONE}, b"\0" * 8)))
