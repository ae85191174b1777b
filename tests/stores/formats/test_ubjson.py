"""UBJSON: one value from the first byte to the last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trust import raw
from tests.trust.look import refusal

VALUES = st.recursive(
    st.integers(-(2**31), 2**31 - 1) | st.text(max_size=5) | st.lists(st.floats(width=32), min_size=1, max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=8), VALUES, min_size=1, max_size=5))
def test_what_is_written_passes(value):
    assert refusal(raw.ubjson(value)) is None


@pytest.mark.parametrize(
    "tail", [b"}", b"#L\0\0\0\0\0\0\0\1i\1aZ", b"i\1a[#i\2TF}", b"i\1a[$U#i\3abc}", b"i\1aHi\00212}"]
)
def test_the_other_forms_pass(tail):
    data = b"{" + tail
    if tail != b"}":
        data = b"{i\1x{" + tail + b"}" if tail.startswith(b"#") else data
    assert refusal(data) is None


@pytest.mark.parametrize(
    "data",
    [
        raw.ubjson({"a": 1}) + b"more",
        raw.ubjson({"a": 1})[:-1],
        b"{L\xff\xff\xff\xff\xff\xff\xff\xffa",
        b"{L\x7f\xff\xff\xff\xff\xff\xff\xffa",
        b"{i\1a?}",
        b"{i\1a[$d}",
        b"{i\1a[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"{" + b"i\1a{" * 500,
    ],
)
def test_anything_else_is_refused(data):
    assert refusal(data, words="unknown, code, pickle") is not None
