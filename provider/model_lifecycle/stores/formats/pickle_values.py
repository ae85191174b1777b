"""The opcodes of a pickle that bring plain values: text and numbers, as the real machine would take them.

Where it is in doubt whether the real machine would take a value, it is taken: a walk that stops too early misses what
comes after.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from model_lifecycle.stores.formats.pickle_machine import MARK, MAX_LINE, MAX_TEXT, VALUE, Halt, Machine

Act = Callable[[Machine, bytes], None]

_INT = re.compile(rb"[ \t\r\v\f]*[+-]?(0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[\d_]+)[ \t\r\v\f]*L?[ \t\r\v\f]*")
_FLOAT = re.compile(rb"[ \t\r\v\f\d_.eE+-]*|[+-]?(inf|infinity|nan)", re.IGNORECASE)
_PLAIN_INT = re.compile(rb"-?\d{1,18}")
_INDEX = re.compile(rb"[ \t\r\v\f]*\+?0*(?P<digits>[\d_]+?)[ \t\r\v\f]*")


def key_of(line: bytes) -> int | bytes:
    """The key of a memo entry, which may be written with signs, zeros and underscores, and be of any length.

    :raises Halt: if it is no number.
    """
    found = _INDEX.fullmatch(line.split(b"\0")[0])
    if not found:
        raise Halt
    digits: bytes = found["digits"].replace(b"_", b"").lstrip(b"0")
    return digits if len(digits) > 18 else int(digits or b"0")


def _text(encoding: str, errors: str = "strict") -> Act:
    def act(machine: Machine, argument: bytes) -> None:
        try:
            machine.hold(argument.decode(encoding, errors) if len(argument) <= MAX_TEXT else None)
        except UnicodeDecodeError as error:
            raise Halt from error

    return act


def _quoted(machine: Machine, line: bytes) -> None:
    whole = len(line) < MAX_LINE
    if whole and (len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]):
        raise Halt
    # An escape may stand for any letter: nobody needs it in a name.
    machine.hold(line[1:-1].decode("latin-1") if whole and b"\\" not in line else None)


def _int(machine: Machine, line: bytes) -> None:
    text = line.split(b"\0")[0]  # as in C, which also takes nothing at all for a number there
    if len(line) < MAX_LINE and text == line and not _INT.fullmatch(text):
        raise Halt
    if text in (b"00", b"01"):
        machine.stack.append(text == b"01")
    else:
        machine.stack.append(int(text) if _PLAIN_INT.fullmatch(text) else VALUE)


def _float(machine: Machine, line: bytes) -> None:
    if len(line) < MAX_LINE and b"\0" not in line and not _FLOAT.fullmatch(line):
        raise Halt
    machine.stack.append(VALUE)


def _binary(*, signed: bool) -> Act:
    def act(machine: Machine, argument: bytes) -> None:
        machine.stack.append(int.from_bytes(argument, "little", signed=signed) if len(argument) <= 16 else VALUE)

    return act


def constant(value: Any) -> Act:
    """The opcode that puts this value on the stack."""
    return lambda machine, _: machine.stack.append(value)


VALUES: dict[str, Act] = {
    **dict.fromkeys(["BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"], _text("utf-8", "surrogatepass")),
    **dict.fromkeys(["BINSTRING", "SHORT_BINSTRING"], _text("latin-1")),
    "UNICODE": _text("raw-unicode-escape"),
    "STRING": _quoted,
    "INT": _int,
    "LONG": _int,
    "FLOAT": _float,
    **dict.fromkeys(["BININT", "LONG1", "LONG4"], _binary(signed=True)),
    **dict.fromkeys(["BININT1", "BININT2"], _binary(signed=False)),
    "NONE": constant(None),
    "NEWTRUE": constant(True),
    "NEWFALSE": constant(False),
    "MARK": constant(MARK),
}
