"""Numbers and text as the real machines take them: every one that they take is taken."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.pickle_machine import Halt, Machine
from model_lifecycle.stores.formats.pickle_values import key_of
from model_lifecycle.stores.formats.pickle_walk import walk
from tests.trust.look import trip

LINES = st.text(st.sampled_from("0123456789abxXoO_-+.eEL \t\0nfi'\"\\u"), max_size=8).map(str.encode)


@given(st.sampled_from([b"I", b"L", b"F", b"S", b"V", b"(g", b"Np"]), LINES)
def test_whatever_a_real_machine_takes_is_taken(opcode, line):
    data = opcode + line + b"\n."
    taken = False
    for machine in (pickle.loads, pickle._loads):  # type: ignore[attr-defined]
        try:
            machine(data)
            taken = True
        except Exception:  # whatever it is, it was not taken
            pass
    if taken:
        assert walk(Machine(Blob.of_bytes(data), 0, trip(), "x")).complete


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b"1", 1),
        (b" +0001 ", 1),
        (b"1_0", 10),
        (b"0", 0),
        (b"1\0junk", 1),
        (b"9" * 30, b"9" * 30),
        (b"0" * 5000 + b"7", 7),
    ],
)
def test_one_key_has_many_spellings(line, key):
    assert key_of(line) == key


@pytest.mark.parametrize("line", [b"", b"-1", b"x", b"0x1", b"1.0", b"\0"])
def test_what_is_no_key_ends_the_walk(line):
    with pytest.raises(Halt):
        key_of(line)
