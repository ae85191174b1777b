"""UBJSON, in which XGBoost writes its models: values with their lengths, read to the last byte."""

from __future__ import annotations

from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import Trip

MAX_NESTED = 200
_WIDTHS = {b"Z": 0, b"N": 0, b"T": 0, b"F": 0, b"i": 1, b"U": 1, b"C": 1, b"I": 2, b"l": 4, b"d": 4, b"L": 8, b"D": 8}
_LENGTHS = frozenset({b"i", b"U", b"I", b"l", b"L"})


def looks(blob: Blob) -> bool:
    """Tell whether an object begins whose first name has a length: JSON has a quote there."""
    head = blob.read(0, 2)
    return head[:1] == b"{" and head[1:] in _LENGTHS


def check(blob: Blob, where: str, trip: Trip) -> None:
    """Hold a file to one whole value.

    :raises Untrusted: if it is none, or something lies behind it.
    """
    trip.need("ubjson", where, "is UBJSON", "the policy does not list that format")
    reader = _Reader(blob, where, trip)
    try:
        reader.value(reader.take())
        while reader.open:
            reader.item()
    except ValueError as error:
        raise trip.refuse(where, f"is broken UBJSON ({error})", "nobody can say what it holds") from error
    if reader.at != blob.size:
        raise trip.refuse(where, "has more bytes behind its value", "something may hide there")


class _Reader:
    """Where it stands, and the objects and arrays that are open: their closing mark, type and items to come."""

    def __init__(self, blob: Blob, where: str, trip: Trip) -> None:
        self.blob, self.where, self.trip, self.at = blob, where, trip, 0
        self.open: list[tuple[bytes, bytes | None, int | None]] = []

    def take(self, count: int = 1) -> bytes:
        data = self.blob.read(self.at, count)
        if len(data) < count:
            raise ValueError("it is cut")
        self.at += count
        return data

    def item(self) -> None:
        """Read the next item of what is open, or close it."""
        self.trip.step(self.where)
        close, kind, left = self.open[-1]
        mark = self.blob.read(self.at, 1)
        if left == 0 or (left is None and mark == close):
            self.at += left is None
            self.open.pop()
            return
        if left is not None:
            self.open[-1] = (close, kind, left - 1)
        if close == b"}":
            self.skip(self.length())
        self.value(kind or self.take())

    def value(self, mark: bytes) -> None:
        """Read a value whose mark has been read; what is inside of it follows."""
        if mark in _WIDTHS:
            self.skip(_WIDTHS[mark])
        elif mark in (b"S", b"H"):
            self.skip(self.length())
        elif mark in (b"{", b"["):
            self._begin(b"}" if mark == b"{" else b"]")
        else:
            raise ValueError(f"no value at {self.at}")

    def length(self) -> int:
        """A number that counts."""
        mark = self.take()
        if mark not in _LENGTHS:
            raise ValueError(f"no length at {self.at}")
        value = int.from_bytes(self.take(_WIDTHS[mark]), "big", signed=mark != b"U")
        if value < 0:
            raise ValueError(f"a length below zero at {self.at}")
        return value

    def skip(self, count: int) -> None:
        """Pass over bytes that hold numbers or text."""
        if count > self.blob.size - self.at:
            raise ValueError("it is cut")
        self.at += count

    def _begin(self, close: bytes) -> None:
        kind = left = None
        if self.blob.read(self.at, 1) == b"$":
            kind = self.take(2)[1:]
        if self.blob.read(self.at, 1) == b"#":
            self.take()
            left = self.length()
        if kind is not None and left is None:
            raise ValueError("a type without a number of items")
        if close == b"]" and kind in _WIDTHS and left is not None:
            self.skip(_WIDTHS[kind] * left)
            return
        if len(self.open) >= MAX_NESTED:
            raise ValueError("nested too deep")
        self.open.append((close, kind, left))
