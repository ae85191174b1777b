"""Formats that hold numbers, columns or pictures and nothing else, known by how they begin and end."""

from __future__ import annotations

import base64
from collections.abc import Callable

from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import Judge, Trip

_EXTENSION = b"arrow.py_extension_type"
"""A type of column that old pyarrow made by unpickling."""
# Parquet holds its Arrow schema as base64, in which the name looks different at each of three offsets.
_ENCODED = [base64.b64encode(b"\0" * shift + _EXTENSION)[4 if shift else 0 : -4] for shift in range(3)]
MAX_FOOTER = 64 << 20


def is_parquet(blob: Blob) -> bool:
    """Tell whether the bytes are a Parquet file, whose footer lies inside."""
    ends = blob.size >= 12 and blob.read(0, 4) == b"PAR1" and blob.read(blob.size - 4, 4) == b"PAR1"
    return ends and 0 < _footer(blob) <= blob.size - 12


def is_arrow(blob: Blob) -> bool:
    """Tell whether the bytes are an Arrow file, or Feather of the first version."""
    if blob.read(0, 8) == b"ARROW1\0\0":
        return blob.size > 16 and blob.read(blob.size - 6, 6) == b"ARROW1"
    return blob.size > 12 and blob.read(0, 4) == b"FEA1" and blob.read(blob.size - 4, 4) == b"FEA1"


def is_image(blob: Blob) -> bool:
    """Tell whether the bytes begin as PNG or JPEG."""
    return blob.read(0, 8) == b"\x89PNG\r\n\x1a\n" or blob.read(0, 3) == b"\xff\xd8\xff"


def is_catboost(blob: Blob) -> bool:
    """Tell whether the bytes are a CatBoost model, whose core lies inside."""
    return blob.read(0, 4) == b"CBM1" and 0 < int.from_bytes(blob.read(4, 4), "little") <= blob.size - 8


def check_parquet(blob: Blob, where: str, trip: Trip) -> None:
    """Let a Parquet file pass whose schema names no type that is unpickled."""
    trip.need("parquet", where, "is a Parquet file", "the policy does not list that format")
    if _footer(blob) > MAX_FOOTER:
        raise trip.refuse(where, f"has a footer of {_footer(blob):,} bytes", "it is built to exhaust memory")
    _refuse_extension(blob.part(blob.size - 8 - _footer(blob), _footer(blob)), where, trip)


def check_arrow(blob: Blob, where: str, trip: Trip) -> None:
    """Let an Arrow file pass whose schema names no type that is unpickled."""
    trip.need("arrow", where, "is an Arrow file", "the policy does not list that format")
    _refuse_extension(blob, where, trip)


def only(word: str, found: str) -> Judge:
    """Let a file pass if the policy lists its format."""

    def check(_: Blob, where: str, trip: Trip) -> None:
        trip.need(word, where, found, "the policy does not list that format")

    return check


def _footer(blob: Blob) -> int:
    return int.from_bytes(blob.read(blob.size - 8, 4), "little")


def _refuse_extension(blob: Blob, where: str, trip: Trip) -> None:
    trip.step(where, 1 + blob.size // 1024)
    for block in blob.blocks(overlap=64):
        if _EXTENSION in block or any(needle in block for needle in _ENCODED):
            raise trip.refuse(where, "has a column of a Python type", "old readers unpickle it")


CHECKS: tuple[tuple[Callable[[Blob], bool], Judge], ...] = (
    (is_parquet, check_parquet),
    (is_arrow, check_arrow),
    (is_image, only("image", "is a picture")),
    (is_catboost, only("catboost", "is a CatBoost model")),
)
