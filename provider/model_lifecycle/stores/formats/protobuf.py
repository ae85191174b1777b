"""Protocol buffers on the wire: numbered fields, read without their classes and without what they are not asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import Trip

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_NESTED = 100

Schema = Mapping[str, Mapping[int, str]]
"""For each kind of message, the fields that are messages themselves, and of which kind."""


class Malformed(ValueError):
    """The bytes are no message."""


@dataclass(frozen=True)
class Field:
    """One field: its number, its wire type, and where its bytes lie; ``value`` is that of a varint."""

    number: int
    kind: int
    start: int
    size: int
    value: int = 0


def fields(blob: Blob, start: int, end: int, where: str, trip: Trip) -> Iterator[Field]:
    """The fields between two places.

    :raises Malformed: if the bytes are no fields.
    """
    at = start
    while at < end:
        trip.step(where)
        tag, at = _varint(blob, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, following = _varint(blob, at, end)
            yield Field(number, kind, at, following - at, value)
            at = following
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(kind)
        if kind == BYTES:
            size, at = _varint(blob, at, end)
        if size is None or not number or size > end - at:
            raise Malformed(f"no field at {at}")
        yield Field(number, kind, at, size)
        at += size


def walk(blob: Blob, schema: Schema, root: str, where: str, trip: Trip) -> Iterator[tuple[str, Field]]:
    """Every field that is no message of the schema, with the kind of message it is in, depth first.

    A message given twice is merged by readers; here both are walked.

    :raises Malformed: if the bytes are no such message, or it is nested deeper than 100.
    """
    open_messages = [(root, fields(blob, 0, blob.size, where, trip))]
    while open_messages:
        kind, rest = open_messages[-1]
        field = next(rest, None)
        if field is None:
            open_messages.pop()
        elif field.kind == BYTES and field.number in schema.get(kind, {}):
            if len(open_messages) >= MAX_NESTED:
                raise Malformed("nested too deep")
            inner = fields(blob, field.start, field.start + field.size, where, trip)
            open_messages.append((schema[kind][field.number], inner))
        else:
            yield kind, field


def text(blob: Blob, field: Field, limit: int = 4096) -> str:
    """The text of a field.

    :raises Malformed: if it is none, or longer than ``limit``.
    """
    if field.kind != BYTES or field.size > limit:
        raise Malformed(f"no text of at most {limit} bytes at {field.start}")
    try:
        return blob.read(field.start, field.size).decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"no text at {field.start}") from error


def _varint(blob: Blob, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(blob.read(at, min(10, end - at))):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, at + shift + 1
    raise Malformed(f"no number at {at}")
