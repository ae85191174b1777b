"""numpy's .npy files: a header that is read as text, and bytes whose number it gives."""

from __future__ import annotations

import math
import re

from model_lifecycle.core.trust import untrusted
from model_lifecycle.stores.formats import pickles
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import Trip

MAGIC = b"\x93NUMPY"
MAX_HEADER = 1 << 16
MAX_DIMENSIONS, MAX_DIGITS = 64, 19
# Every writer writes numpy's own form of it. What is only another way to spell a Python literal is refused.
_HEADER = re.compile(
    r"\{'descr': (?P<descr>.*), 'fortran_order': (True|False), 'shape': \((?P<shape>[\d, L]*)\),? ?\}\s*", re.ASCII
)
_DTYPE = r"'[<>|=]?(?P<kind>[biufcSUVMmO?])(?P<size>\d{1,9})?(\[\w{1,8}\])?'"
_PLAIN = re.compile(_DTYPE)
_FIELD = re.compile(rf"\('[^'\\]*', {_DTYPE}(, \((?P<shape>[\d, ]*)\))?\)")


def looks(blob: Blob) -> bool:
    """Tell whether the bytes begin as an array."""
    return blob.read(0, 6) == MAGIC


def check(blob: Blob, where: str, trip: Trip) -> None:
    """Hold a file of one array, or of several one after the other, to what numpy writes.

    :raises Untrusted: if it holds objects, which are pickled, and the policy does not allow that.
    """
    trip.need("numpy", where, "is a numpy array", "the policy does not list that format")
    at = 0
    while at < blob.size:
        at = _one(blob.part(at, blob.size - at), where, trip) + at
        trip.step(where, 100)


def _one(blob: Blob, where: str, trip: Trip) -> int:
    head = blob.read(0, 12)
    width = 2 if head[6:7] == b"\x01" else 4
    length, begin = int.from_bytes(head[8 : 8 + width], "little"), 8 + width
    try:
        text = blob.read(begin, length).decode() if head[:6] == MAGIC and length <= MAX_HEADER else ""
    except UnicodeDecodeError:
        text = ""
    found = _HEADER.fullmatch(text)
    size = found and _item_size(found["descr"])
    count = _count(found["shape"]) if found else None
    if size is None or count is None:
        raise trip.refuse(where, "is no array as numpy writes it", "nobody can say what it holds")
    begin += length
    if size < 0:
        _objects(blob.part(begin, blob.size - begin), where, trip)
        return blob.size
    if count * size > blob.size - begin:
        raise trip.refuse(where, "holds less than its header says", "readers may read beyond its end")
    return begin + count * size


def _objects(blob: Blob, where: str, trip: Trip) -> None:
    if "pickle" not in trip.policy.formats:
        hint = "save numbers or strings; if you trust where it comes from, allow it in the trust policy: formats pickle"
        raise untrusted(where, "is an array of objects", "they are pickled, and unpickling can run anything", hint)
    pickles.approve(blob, where, trip)


def _item_size(descr: str) -> int | None:
    """Bytes of one item; -1 if there are objects in it, None if the description is not one that numpy writes."""
    plain = _PLAIN.fullmatch(descr)
    if plain:
        return _bytes_of(plain)
    if not descr.startswith("[") or not descr.endswith("]"):
        return None
    sizes, at = [], 1
    while at < len(descr) - 1:
        field = _FIELD.match(descr, at)
        if field is None or descr[field.end() :][:2] not in (", ", "]"):
            return None
        at = field.end() + 2
        count = _count(field["shape"] or "")
        if count is None:
            return None
        sizes.append((_bytes_of(field), count))
    return -1 if any(size < 0 for size, _ in sizes) else sum(size * count for size, count in sizes)


def _count(shape: str) -> int | None:
    """Items of that shape; None if numpy could not hold it."""
    numbers = re.findall(r"\d+", shape)
    if len(numbers) > MAX_DIMENSIONS or any(len(number) > MAX_DIGITS for number in numbers):
        return None
    return math.prod(map(int, numbers))


def _bytes_of(found: re.Match[str]) -> int:
    return -1 if found["kind"] == "O" else int(found["size"] or 1) * (4 if found["kind"] == "U" else 1)
