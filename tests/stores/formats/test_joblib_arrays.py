"""joblib's arrays: what joblib writes passes, and nothing hides where only it would look."""

from __future__ import annotations

import io

import joblib
import numpy as np
import pytest

from tests.trust.look import refusal

ARRAYS = {
    "numbers": np.arange(10.0),
    "text": np.array(["x", "yyy"]),
    "bytes": np.array([b"x", b"yyy"]),
    "objects": np.array([1, "x", None], dtype=object),
    "records": np.zeros(3, dtype=[("a", "f8"), ("b", "i4"), ("c", "U3")]),
    "times": np.array(["2013-01-01"], dtype="M8[D]"),
    "columns": np.asfortranarray(np.ones((2, 3))),
    "nothing": np.zeros((0, 4)),
    "scalar": np.float32(2),
    "many": [np.arange(3), {"deep": (np.ones(2), np.array([{}], dtype=object))}],
}


def dumped(value: object, **more: object) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(value, buffer, **more)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_joblib_writes_passes(name, protocol):
    data = dumped({"x": ARRAYS[name], "after": "it"}, protocol=protocol)
    assert refusal(data, "model.joblib", "pickle") is None
    assert refusal(dumped(ARRAYS[name], compress=("zlib", 3)), "model.joblib", "pickle") is None


def test_under_another_name_it_must_be_harmless_both_ways():
    assert refusal(dumped(ARRAYS["numbers"]), "model.pkl", "pickle") is None
    objects = dumped({"a": np.array([1, "x", {}], dtype=object), "b": np.arange(5)})
    assert refusal(objects, "model.joblib", "pickle") is None
    assert refusal(objects, "model.pkl", "pickle") is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\x8c\x02f8", b"\x8c\x02O8"),
        (b"\x8c\x02f8", b"\x8c\x02x8"),
        (b"\x8c\x05shape", b"\x8c\x05shapx"),
        (b"\x8c\x05dtype", b"\x8c\x05dtypx"),
        (b"NumpyArrayWrapper", b"NumpyArrayWrappex"),
    ],
)
def test_an_array_whose_size_cannot_be_told_is_refused(old, new):
    data = dumped(np.arange(4.0))
    assert old in data
    assert refusal(data.replace(old, new), "model.joblib", "pickle") is not None


def test_a_record_that_tells_two_sizes_hides_nothing():
    data = dumped(np.zeros(4, dtype=[("a", "f8")]))
    assert b"V8" in data
    assert refusal(data.replace(b"\x8c\x02V8", b"\x8c\x02V1"), "m.joblib", "pickle") is None, (
        "its state has the last word"
    )
    objects = dumped(np.zeros(2, dtype=[("a", "O")]))
    assert refusal(objects, "m.joblib", "pickle") is not None
