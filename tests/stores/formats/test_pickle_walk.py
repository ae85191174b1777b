"""What a pickle would do, seen without doing it."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.pickle_machine import Machine
from model_lifecycle.stores.formats.pickle_walk import walk
from tests.trust.look import trip

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(bytearray(b"x")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner) | st.sets(st.text()),
    max_leaves=20,
)


def walked(data: bytes) -> Machine:
    return walk(Machine(Blob.of_bytes(data), 0, trip(), "x"))


def names(data: bytes) -> list[str]:
    return [str(name) for name in walked(data).names]


@given(PLAIN, st.integers(0, 5))
def test_plain_values_are_followed_to_their_end_and_do_nothing(value, protocol):
    data = pickle.dumps(value, protocol)
    found = walked(data + b"more")
    assert found.complete
    assert found.position == len(data)
    assert not found.unclear
    assert {str(name) for name in found.names} <= {
        "_codecs.encode", "builtins.set", "builtins.bytearray",
        "__builtin__.set", "__builtin__.bytearray", "__builtin__.bytes",
    }  # fmt: skip


@pytest.mark.parametrize("protocol", range(6))
def test_what_an_object_is_made_of_is_named(protocol):
    data = pickle.dumps([OrderedDict(a=1), datetime(2013, 1, 1, tzinfo=UTC), Decimal(1)], protocol)
    found = walked(data)
    assert found.called
    assert not found.unclear
    assert {"collections.OrderedDict", "datetime.datetime", "decimal.Decimal"} <= {str(name) for name in found.names}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"cos\nsystem\n", ["os.system"]),
        (b"(ios\nsystem\n", ["os.system"]),
        (b"Vos\nVsystem\n\x93", ["os.system"]),
        (b"Vx\nVos\n2Vsystem\n\x930cposix\nabc\n", ["os.system", "posix.abc"]),
        (b"Vos\np7\n0g7\nVsystem\n\x93", ["os.system"]),
        (b"Vos\n2Vx\n0\x94h\0Vsystem\n\x93", ["os.system"]),
        (b"(Vos\nVsystem\n\x85", []),
        (b"carrier,origin\nx\ncos\nsystem\n", []),
    ],
)
def test_names_are_found_on_every_way_to_the_stack(data, named):
    assert names(data) == named


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"]Vx\n\x93", "put together"),
        (b"cx\ny\n]]R", None),
        (b"cx\ny\n)R)R", "was made before"),
        (b"cx\ny\n}b", "new state"),
        (b"cx\ny\nNa", "added"),
        (b"cx\ny\n(NNe", "added"),
        (b"cx\ny\nNNs", "items set"),
        (b"cx\ny\n(NNu", "items set"),
    ],
)
def test_what_cannot_be_told_is_said(data, what):
    found = walked(data)
    assert (found.unclear and what in found.unclear[0]) if what else found.called


def test_objects_that_lie_elsewhere_are_noticed():
    assert walked(b"Vid\nQ.").persistent
    assert walked(b"Vid\nQ.").complete
    assert walked(b"Pid\n.").persistent
    assert not walked(b"Pid\n.").complete


def test_an_import_by_number_is_noticed():
    assert walked(b"\x82\x01.").extended


def test_an_end_too_early_keeps_what_was_reached():
    found = walked(b"cos\nsystem\n(Vx\ntR\xff")
    assert not found.complete
    assert found.called
    assert [str(name) for name in found.names] == ["os.system"]
