"""What is this file, whatever it is called? Each format in turn, those that can run code first."""

from __future__ import annotations

from collections.abc import Callable

from model_lifecycle.stores.formats import (
    archives,
    arrays,
    code,
    keras,
    onnx,
    pickles,
    safetensors,
    saved_model,
    tables,
    texts,
    ubjson,
)
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import Judge, Trip, unknown


def judge(blob: Blob, where: str, trip: Trip) -> None:
    """Let a file pass, or refuse it.

    :param where: its path in the artifact; ``!`` leads into an archive.
    :raises Untrusted: if the policy does not allow what it is or what it names.
    :raises Unknown: if it is a binary file of no known format.
    """
    trip.step(where, 16)
    is_code = code.check(blob, where, trip)
    is_pickle = pickles.check(blob, where, trip)
    if is_pickle and archives.looks(blob):
        raise trip.refuse(where, "is a pickle and an archive at once", "it is built to be taken for the other")
    if is_pickle or not blob.size or archives.check(blob, where, trip, judge):
        return
    for looks, check in _FORMATS:
        if looks(blob, where, trip):
            check(blob, where, trip)
            return
    if not is_code and "unknown" not in trip.policy.formats:
        raise unknown(where)


def _by_bytes(looks: Callable[[Blob], bool]) -> Callable[[Blob, str, Trip], bool]:
    return lambda blob, _, __: looks(blob)


_FORMATS: tuple[tuple[Callable[[Blob, str, Trip], bool], Judge], ...] = (
    (_by_bytes(keras.looks_hdf5), keras.check_hdf5),
    (saved_model.looks, saved_model.check),
    (_by_bytes(arrays.looks), arrays.check),
    *((_by_bytes(looks), check) for looks, check in tables.CHECKS),
    (_by_bytes(safetensors.looks), safetensors.check),
    (_by_bytes(ubjson.looks), ubjson.check),
    (onnx.looks, onnx.check),
    (_by_bytes(texts.looks), texts.check),
)
