"""numpy's files: every type that holds no objects passes, as numpy itself writes it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trust import raw
from tests.trust.look import refusal

KINDS = ["b1", "i1", "u2", "<i4", ">i8", "f2", "f4", "f8", "c8", "c16", "S5", "U3", "V7", "M8[ns]", "m8[D]", "M8"]


def saved(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@settings(max_examples=100)
@given(st.sampled_from(KINDS), st.lists(st.integers(0, 4), max_size=3), st.sampled_from("CF"))
def test_arrays_without_objects_pass(kind, shape, order):
    assert refusal(saved(np.zeros(shape, dtype=kind, order=order))) is None


@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4), st.integers(0, 3))
def test_records_pass_unless_one_field_holds_objects(kinds, rows):
    fields = [(f"f{n}", kind) for n, kind in enumerate(kinds)]
    assert refusal(saved(np.zeros(rows, dtype=fields))) is None
    data = saved(np.zeros(rows, dtype=[*fields, ("o", "O")]))
    assert "array of objects" in str(refusal(data))
    assert refusal(data, words="pickle") is None


@pytest.mark.parametrize(
    "descr", ["'O'", "'|O8'", "'object'", "'f8,O'", "'f8' ", "[('a', [('b', '|O')])]", "{'names': []}", "3", ""]
)
def test_other_ways_to_say_a_type_are_refused(descr):
    assert refusal(raw.npy(descr, "(1,)", b"\0" * 8)) is not None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (raw.npy("'<f8'", "(3,)", b"\0" * 16), "less than its header"),
        (raw.npy("'<f8'", "(10000000000000,)", b"\0" * 16), "less than its header"),
        pytest.param(raw.npy("'<f8'", f"({'9' * 5000},)", b"\0" * 8), "no array", id="a-number-of-5000-digits"),
        pytest.param(raw.npy(f"[('a', '<f8', ({'9' * 5000},))]", "(1,)", b""), "no array", id="the-same-in-a-field"),
        pytest.param(raw.npy("'<f8'", f"({'9, ' * 9000}1)", b"\0" * 8), "no array", id="9000-dimensions"),
        (raw.npy("'<f8'", "(1,)", b"\0" * 8) + b"more", "no array"),
        (raw.npy("'<f8'", "(-1,)", b"\0" * 8), "no array"),
        (raw.npy("'<f8'", "(1,)", b"")[:20], "no array"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "no array"),
        (b"\x93NUMPY", "no array"),
    ],
)
def test_a_file_is_what_its_header_says_or_is_refused(data, why):
    assert why in str(refusal(data))


def test_the_policy_can_leave_arrays_out():
    assert "formats numpy" in str(refusal(saved(np.ones(2)), words={"formats": ["text"], "exact": True}))
