"""ONNX graphs: standard operators, and external data that is part of the artifact."""

from __future__ import annotations

import re
from collections.abc import Iterator

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.names import check_path
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.protobuf import BYTES, VARINT, Field, Malformed, fields, text, walk
from model_lifecycle.stores.formats.trip import Trip

DOMAINS = frozenset(
    {
        "",
        "ai.onnx",
        "ai.onnx.ml",
        "ai.onnx.training",
        "ai.onnx.preview.training",
        "com.microsoft",
        "com.microsoft.nchwc",
    }
)
"""Sets of operators that come with ONNX Runtime; any other one is a native library that the server would load."""
_ACTING = frozenset({"EPContext", "PyOp", "ATen"})
"""Operators that hold, or call, code of an accelerator, of Python or of torch."""
_SCHEMA = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_TOP = {1: VARINT, 5: VARINT, **dict.fromkeys((2, 3, 4, 6, 7, 8, 14, 20, 25, 26), BYTES)}
_WORDS = re.compile(r"[^\x00-\x1f\x7f]{0,256}")


def looks(blob: Blob, where: str, trip: Trip) -> bool:
    """Tell whether the bytes are a model: only its fields, each of its kind, one of them a graph.

    Other messages share the numbers. That the producer's name is a name tells a SavedModel from it.
    """
    seen = set()
    try:
        for field in fields(blob, 0, blob.size, where, trip):
            if _TOP.get(field.number) != field.kind:
                return False
            if field.number in (2, 3, 4) and not _WORDS.fullmatch(text(blob, field)):
                return False
            seen.add(field.number)
    except Malformed:
        return False
    return {7, 8} <= seen


def check(blob: Blob, where: str, trip: Trip) -> None:
    """Hold a model to standard operators and to external data inside the artifact, and claim the files of that data.

    :raises Untrusted: if it uses other operators, or data elsewhere.
    """
    trip.need("onnx", where, "is an ONNX model", "the policy does not list that format")
    used, defined = set(), set()
    try:
        for kind, field in walk(blob, _SCHEMA, "model", where, trip):
            if kind == "node" and field.number == 7:
                used.add(text(blob, field))
            elif kind == "node" and field.number == 4 and text(blob, field) in _ACTING:
                raise trip.refuse(where, f"uses the operator {text(blob, field)}", "it runs code that it brings")
            elif kind == "function" and field.number == 10:
                defined.add(text(blob, field))
        for location in _locations(blob, where, trip):
            _claim(location, where, trip)
    except Malformed as error:
        raise trip.refuse(where, f"is a broken ONNX model ({error})", "nobody can say what it does") from error
    for domain in sorted(used - DOMAINS - defined):
        trip.need_code(where, f"uses operators of {domain}", "they are a native library that the server would load")


def _locations(blob: Blob, where: str, trip: Trip) -> Iterator[str]:
    """Where external data is said to lie: a list of keys and values, of which ``location`` is one.

    A key or a value given twice in one entry counts as both.
    """
    keys: list[str] = []
    values: list[Field] = []
    for kind, field in walk(blob, {**_SCHEMA, "tensor": {}}, "model", where, trip):
        if kind != "tensor" or field.number != 13 or field.kind != BYTES:
            continue
        inside = list(fields(blob, field.start, field.start + field.size, where, trip))
        keys = [text(blob, one) for one in inside if one.number == 1]
        values = [one for one in inside if one.number == 2]
        if "location" in keys:
            yield from (text(blob, value) for value in values)


def _claim(location: str, where: str, trip: Trip) -> None:
    folder = where.rpartition("/")[0]
    path = f"{folder}/{location}" if folder else location
    try:
        check_path(location)
    except Invalid:
        path = ""
    if path not in trip.listed or "!" in where:
        found = f"keeps data in {location}"
        raise trip.refuse(where, found, "that is no file of the artifact", "save the data beside the model, or in it")
    trip.claimed.add(path)
