"""Arrays that joblib writes between the opcodes of its pickle, where only joblib knows to step over them."""

from __future__ import annotations

import math
import re
from typing import Any

from model_lifecycle.stores.formats.pickle_machine import Machine, Made, Named
from model_lifecycle.stores.formats.pickle_walk import walk

MAX_NESTED = 16
_ARRAY = Named("joblib.numpy_pickle", "NumpyArrayWrapper")
_DTYPE = re.compile(r"[<>|=]?(?P<kind>[biufcSUVMmO])(?P<size>\d{1,9})")
OBJECTS = -1


def skip_array(machine: Machine, made: Made) -> None:
    """Step over the bytes of an array once its wrapper has got its state; an array of objects is walked itself."""
    if made.maker != _ARRAY:
        return
    state: dict[str, Any] = made.state if isinstance(made.state, dict) else {}
    size = _size_of(state)
    if size is None:
        machine.unclear.append("an array whose size cannot be told")
    elif size == OBJECTS:
        _nested(machine)
    else:
        aligned = isinstance(state.get("numpy_array_alignment_bytes"), int)
        padding = machine.blob.read(machine.position, 1) if aligned else b""
        machine.position += size + len(padding) + sum(padding)


def _size_of(state: dict[str, Any]) -> int | None:
    """Bytes of the array; :data:`OBJECTS` if it holds objects, None if it cannot be told."""
    shape, item = state.get("shape"), _item_size(state.get("dtype"))
    if not isinstance(shape, tuple) or any(type(count) is not int or count < 0 for count in shape):
        return None
    return item if item is None or item == OBJECTS else math.prod(shape) * item


def _item_size(dtype: Any) -> int | None:
    if not isinstance(dtype, Made) or str(dtype.maker) != "numpy.dtype" or not isinstance(dtype.args, tuple):
        return None
    found = _DTYPE.fullmatch(dtype.args[0]) if dtype.args and isinstance(dtype.args[0], str) else None
    if found is None:
        return None
    kind, size = found["kind"], int(found["size"])
    if kind == "O":
        return OBJECTS
    return _told_again(dtype.state, kind, size * 4 if kind == "U" else size)


def _told_again(state: Any, kind: str, size: int) -> int | None:
    """The state of a type tells its size once more, for text and records with effect, and the fields of a record."""
    if state is None:
        return size
    if not isinstance(state, tuple) or len(state) not in (8, 9) or state[0] not in (3, 4) or state[2] is not None:
        return None
    names, fields, again = state[3], state[4], state[5]
    if kind in "SUV" and again != -1:
        size = again if type(again) is int and again > 0 else -2
    if names is not None or fields is not None:
        if kind != "V" or not isinstance(fields, dict) or not fields or not isinstance(names, tuple):
            return None
        if len(names) != len(fields) or not all(map(_is_plain, fields.values())):
            return None
    return size if size >= 0 else None


def _is_plain(field: Any) -> bool:
    inner: Any = field[0] if isinstance(field, tuple) and field else None
    return _item_size(inner) not in (None, OBJECTS) and (inner.state is None or inner.state[4] is None)


def _nested(machine: Machine) -> None:
    if machine.depth >= MAX_NESTED:
        machine.unclear.append("pickles nested too deep")
        return
    depth = machine.depth + 1
    inner = walk(Machine(machine.blob, machine.position, machine.trip, machine.where, machine.built, depth))
    machine.names.update(inner.names)
    machine.unclear += inner.unclear + ([] if inner.complete else ["an array that is no whole pickle"])
    machine.position = inner.position
