"""The machine's parts: arguments, marks, and the bounds of its memory."""

from __future__ import annotations

import pytest

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.stores.formats import pickle_machine
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.pickle_machine import MARK, VALUE, Halt, Machine, Named
from tests.trust.look import trip


def machine(data: bytes, start: int = 0) -> Machine:
    return Machine(Blob.of_bytes(data), start, trip(), "x")


def test_lines_of_any_length_end_where_they_end():
    long = b"x" * 200_000
    found = machine(long + b"\nnext\nlast!")
    assert found.line() == long[: pickle_machine.MAX_LINE]
    assert found.line() == b"next"
    assert found.line() == b"last", "without a line feed the last byte is dropped"
    assert found.line() == b""


def test_arguments_with_a_length_are_stepped_over_and_never_beyond_the_end():
    found = machine(b"X\x05\0\0\0helloB\xff\xff\xff\x7f")
    assert found.argument(found.opcode()) == b"hello"
    with pytest.raises(Halt):
        found.argument(found.opcode())
    with pytest.raises(Halt):
        machine(b"\xff").opcode()
    with pytest.raises(Halt):
        machine(b"").opcode()


def test_nothing_is_popped_through_a_mark():
    found = machine(b"")
    found.stack = [1, MARK, 2, 3]
    assert found.pop() == 3
    assert found.pop_marked() == [2]
    assert found.stack == [1]
    found.stack = [1, MARK]
    with pytest.raises(Halt):
        found.pop()
    found.stack = [1]
    with pytest.raises(Halt):
        found.pop_marked()


def test_only_what_was_imported_can_be_called():
    with pytest.raises(Halt):
        machine(b"").calls(VALUE, ())
    found = machine(b"")
    found.imports("os", "system")
    found.calls(Named("os", "system"), ())
    assert found.called
    assert not found.unclear
    found.calls(found.pop(), ())
    assert found.unclear
    with pytest.raises(Halt):
        found.imports("no module", "x")


def test_what_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(pickle_machine, "MAX_HELD", 10)
    found = machine(b"")
    found.stack = [VALUE] * 11
    with pytest.raises(Untrusted, match="too many values"):
        found.check_size()
    found = machine(b"")
    found._texts = 3
    found.hold("four")
    with pytest.raises(Untrusted, match="too many values"):
        found.check_size()


def test_the_mark_of_later_protocols_is_known():
    assert machine(b"\x80\x04").magic
    assert not machine(b"\x80\x06").magic
    assert not machine(b"(").magic
