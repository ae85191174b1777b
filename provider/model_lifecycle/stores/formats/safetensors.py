"""safetensors: a header of JSON and raw numbers, every byte of which belongs to one tensor."""

from __future__ import annotations

import math
from typing import Any

from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.jsons import parse
from model_lifecycle.stores.formats.trip import MAX_JSON, Trip

_BITS = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "F64": 64, "I64": 64, "U64": 64, "C64": 64,
}  # fmt: skip


def looks(blob: Blob) -> bool:
    """Tell whether a header of JSON follows a length of eight bytes, the upper of which are zero."""
    return blob.read(4, 5) == b"\0\0\0\0{"


def check(blob: Blob, where: str, trip: Trip) -> None:
    """Hold a file to the format: each tensor of a known type, one behind the other, to the last byte.

    :raises Untrusted: if it is anything else, or its header is larger than 16 MiB (the format's own bound is 100 MB).
    """
    trip.need("safetensors", where, "is a safetensors file", "the policy does not list that format")
    length = int.from_bytes(blob.read(0, 8), "little")
    if length > min(blob.size - 8, MAX_JSON):
        raise trip.refuse(
            where, f"claims a header of {length:,} bytes", "readers may run out of memory, or of the file"
        )
    header = parse(blob.read(8, length), where, trip)
    tensors = {name: value for name, value in header.items() if name != "__metadata__"}
    if not _is_metadata(header.get("__metadata__", {})):
        raise trip.refuse(where, "has metadata that is not text", "readers may differ in what they find")
    end = 0
    for begin, stop in sorted(_place(name, value, where, trip) for name, value in tensors.items()):
        if begin != end:
            raise trip.refuse(where, f"has tensors that overlap or leave a hole at {end:,}", "something may hide there")
        end = stop
    if end != blob.size - 8 - length:
        raise trip.refuse(where, "has other bytes than its tensors", "something may hide there")


def _place(name: str, value: Any, where: str, trip: Trip) -> tuple[int, int]:
    trip.step(where)
    if isinstance(value, dict) and value.keys() == {"dtype", "shape", "data_offsets"}:
        dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
        if isinstance(dtype, str) and dtype in _BITS and _are_counts(shape) and _are_counts(offsets, 2):
            begin, end = offsets
            if (end - begin) * 8 == math.prod(shape) * _BITS[dtype]:
                return begin, end
    raise trip.refuse(where, f"describes the tensor {name[:100]} wrongly", "readers may read beyond its end")


def _are_counts(values: Any, count: int | None = None) -> bool:
    if not isinstance(values, list) or len(values) > 64 or (count is not None and len(values) != count):
        return False
    return all(type(value) is int and 0 <= value < 2**63 for value in values)


def _is_metadata(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
