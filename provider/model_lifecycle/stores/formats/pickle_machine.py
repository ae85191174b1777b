"""A pickle machine of stand-ins: its stack, its memo, its arguments, and a record of what it would import and call."""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import Trip

MAX_TEXT = 512
"""Bytes of one string that are kept; a longer one is no name."""
MAX_LINE = 1 << 16
MAX_HELD = 2_000_000
"""Values on the stack, or in the memo."""
MAX_TEXTS = 128 << 20
"""Bytes of all strings that are kept."""
MAX_ITEMS = 64
"""Items of a tuple or a mapping that are kept."""
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_MODULE = re.compile(r"[^\W\d][\w-]*(\.[^\W\d][\w-]*)*")


class Halt(Exception):
    """The pickle ends here: the real machine would fail at this opcode."""


@dataclass(frozen=True)
class Named:
    """Something imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Made:
    """What calling something gave."""

    __slots__ = ("args", "maker", "state")

    def __init__(self, maker: Named | None, args: Any) -> None:
        self.maker, self.args, self.state = maker, args, None


class _Mark:
    """A mark on the stack."""


class _Value:
    """A value of no interest."""


MARK, VALUE = _Mark(), _Value()


@dataclass
class Machine:
    """One pickle, from ``start`` to its STOP or to where the real machine would fail.

    :param built: called for each object that got its state; it may move ``position`` over bytes that a loader reads
        there by itself.
    :param depth: how many pickles this one lies in.
    :ivar names: everything it would import, in order.
    :ivar unclear: calls or imports whose target cannot be told.
    :ivar called: whether something imported is called, made, or given a state.
    :ivar extended: whether it imports by a number, which works only where that was registered before.
    :ivar persistent: whether it asks its loader for objects that lie elsewhere.
    :ivar complete: whether it reaches STOP.
    """

    blob: Blob
    start: int
    trip: Trip
    where: str
    built: Callable[[Machine, Made], None] | None = None
    depth: int = 0
    names: dict[Named, None] = field(default_factory=dict)
    unclear: list[str] = field(default_factory=list)
    called: bool = False
    extended: bool = False
    persistent: bool = False
    complete: bool = False

    def __post_init__(self) -> None:
        self.position = self.start
        self.stack: list[Any] = []
        self.memo: dict[int | bytes, Any] = {}
        self._texts = MAX_TEXTS

    @property
    def magic(self) -> bool:
        """Whether it begins as every pickle of protocol 2 and later does."""
        head = self.blob.read(self.start, 2)
        return len(head) == 2 and head[0] == 0x80 and head[1] <= 5

    def opcode(self) -> pickletools.OpcodeInfo:
        """The next opcode, from the table of the standard library."""
        self.trip.step(self.where)
        info = _OPCODES.get(self._take(1))
        if info is None:
            raise Halt
        return info

    def check_size(self) -> None:
        """Refuse what would fill the memory of whoever looks at it."""
        if len(self.stack) > MAX_HELD or len(self.memo) > MAX_HELD or self._texts < 0:
            raise self.trip.refuse(self.where, "is a pickle that holds too many values", "nobody can say what it does")

    def hold(self, text: str | None) -> None:
        """Put a string on the stack, or a stand-in for one that is too long to be a name."""
        self._texts -= len(text or "")
        self.stack.append(VALUE if text is None or len(text) > MAX_TEXT else text)

    # Arguments.

    def _take(self, count: int) -> bytes:
        data = self.blob.read(self.position, count)
        if len(data) < count:
            raise Halt
        self.position += count
        return data

    def line(self) -> bytes:
        """The bytes up to the next line feed, only the first of them if they are many.

        Where the file ends without one, the machine that is written in Python drops the last byte and goes on.
        """
        kept, ask = b"", 256
        while data := self.blob.read(self.position, ask):
            cut = data.find(b"\n")
            kept += data[: cut if cut >= 0 else len(data)][: MAX_LINE - len(kept)]
            self.position += cut + 1 if cut >= 0 else len(data)
            if cut >= 0:
                return kept
            ask = MAX_LINE
            self.trip.step(self.where, 64)
        return kept[:-1]

    def argument(self, info: pickletools.OpcodeInfo) -> bytes:
        """The argument of an opcode, cut where it is too long to be of interest."""
        if info.arg is None or info.arg.name == "stringnl_noescape_pair":
            return b""
        if info.arg.n >= 0:
            return self._take(info.arg.n)
        return self.line() if info.arg.n == pickletools.UP_TO_NEWLINE else self._counted(info.arg.n)

    def _counted(self, kind: int) -> bytes:
        width = {pickletools.TAKEN_FROM_ARGUMENT1: 1, pickletools.TAKEN_FROM_ARGUMENT8U: 8}.get(kind, 4)
        size = int.from_bytes(self._take(width), "little", signed=kind == pickletools.TAKEN_FROM_ARGUMENT4)
        if not 0 <= size <= self.blob.size - self.position:
            raise Halt
        data = self.blob.read(self.position, min(size, MAX_TEXT + 1))
        self.position += size
        return data

    # The stack.

    def pop(self) -> Any:
        """The topmost value; the real machine finds none below a mark."""
        if not self.stack or self.stack[-1] is MARK:
            raise Halt
        return self.stack.pop()

    def pop_marked(self) -> list[Any]:
        """Everything above the topmost mark, and the mark."""
        for depth in range(len(self.stack) - 1, -1, -1):
            if self.stack[depth] is MARK:
                values = self.stack[depth + 1 :]
                del self.stack[depth:]
                self.trip.step(self.where, len(values) // 16)
                return values
        raise Halt

    def shuffle(self, info: pickletools.OpcodeInfo) -> None:
        """Do what the table says of an opcode that brings nothing of interest."""
        for kind in reversed(info.stack_before):
            if kind is pickletools.stackslice:
                self.pop_marked()
            elif kind is not pickletools.markobject:
                self.pop()
        self.stack.extend(VALUE for _ in info.stack_after)

    # What is of interest.

    def imports(self, module: Any, name: Any) -> None:
        """Put something imported on the stack."""
        if not isinstance(module, str) or not isinstance(name, str):
            self.unclear.append("an import of a name that is put together while it is read")
            self.stack.append(VALUE)
            return
        if not _MODULE.fullmatch(module):
            raise Halt  # there is no such module
        self.names[Named(module, name)] = None
        if not _NAME.fullmatch(name):
            raise Halt  # and no such attribute
        self.stack.append(Named(module, name))

    def calls(self, target: Any, args: Any) -> None:
        """Put the result of a call on the stack."""
        if not self.names and not self.unclear and not self.extended and not self.persistent:
            raise Halt  # nothing was imported, so it is nothing that can be called
        self.called = True
        if not isinstance(target, Named):
            self.unclear.append("a call of something that was made before")
        self.stack.append(Made(target if isinstance(target, Named) else None, args))


_OPCODES = {info.code.encode("latin-1"): info for info in pickletools.opcodes}
