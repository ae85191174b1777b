"""Pickles, in whatever file they lie: found by what unpickling would do, and held to the policy's list of names.

Every file of an artifact is looked at as a pickle, also one that is a fine JSON or zip file: a loader that unpickles
does not look at names and types. Text seldom gets past its first letter. An allowed pickle is read to its last byte.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator

from model_lifecycle.core.trust import allow_hint, untrusted
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.pickle_machine import Machine, Made, Named
from model_lifecycle.stores.formats.pickle_walk import walk
from model_lifecycle.stores.formats.trip import Trip

MAX_NESTED = 16
TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The first of the pickles that torch wrote one after the other before version 1.6."""
_ARRAY = Named("joblib.numpy_pickle", "NumpyArrayWrapper")
_DTYPE = re.compile(r"[<>|=]?([biufcSUVMmO])(\d{1,9})")
_JOBLIB = re.compile(r"(\.joblib|!unpacked)$")
"""Files that only joblib opens: plain unpickling takes the arrays between their opcodes for opcodes, and differs from
joblib in what it then finds. Under any other name a file must be harmless both ways, which one with arrays of objects
never is."""
_INSTEAD = "save the model as skops, ONNX, safetensors or the booster's own JSON"


def check(blob: Blob, where: str, trip: Trip) -> bool:
    """Tell whether the bytes are a pickle, or several; one that comes back is allowed.

    :raises Untrusted: if they are, and the policy allows no pickles, or not what these ones name.
    """
    found = list(_one_after_the_other(blob, where, trip))
    if not any(map(_does_something, found)):
        return False
    trip.need("pickle", where, f"is a pickle{_naming(found)}", "unpickling imports and calls what it names", _INSTEAD)
    if not _JOBLIB.search(where):
        for machine in found:
            _approve(machine, trip)
    approve(blob, where, trip, torch=blob.read(0, len(TORCH_MAGIC)) == TORCH_MAGIC)
    return True


def approve(blob: Blob, where: str, trip: Trip, *, torch: bool = False) -> None:
    """Hold bytes that are known to be unpickled to the list of names, to the last of them.

    :param torch: whether a torch loader gives the objects that lie elsewhere, and reads what follows by itself.
    :raises Untrusted: if a name is not on it, cannot be told, or the bytes are no whole pickle.
    """
    for machine in _one_after_the_other(blob, where, trip, arrays=True):
        _approve(machine, trip)
        if machine.persistent and not torch:
            raise trip.refuse(where, "is a pickle that asks for objects beside it", "nobody can say what it gets")
        if not machine.complete and not (torch and machine.start):
            rest = "has more bytes behind its pickle" if machine.start else "is no whole pickle"
            raise trip.refuse(where, rest, "nobody can say what they do")


def _one_after_the_other(blob: Blob, where: str, trip: Trip, *, arrays: bool = False) -> Iterator[Machine]:
    position = 0
    while position < blob.size or not position:
        machine = walk(Machine(blob, position, trip, where, built=_skip_array if arrays else None))
        yield machine
        if not machine.complete:
            return
        position = machine.position


def _does_something(machine: Machine) -> bool:
    """Tell a pickle from text that happens to begin like one.

    ``carrier`` and ``cat`` begin with the opcode for an import, but of modules that nobody has.
    """
    if machine.called or machine.unclear or (machine.magic and machine.complete):
        return True
    if machine.complete or machine.magic:
        return bool(machine.names)
    return any(name.module.split(".")[0] in sys.stdlib_module_names for name in machine.names)


def _approve(machine: Machine, trip: Trip) -> None:
    if machine.unclear:
        raise trip.refuse(machine.where, f"is a pickle with {machine.unclear[0]}", "nobody can say what it runs")
    for name in machine.names:
        if not trip.policy.allows_global(name.module, name.name):
            hint = allow_hint(f"globals {name}", _INSTEAD)
            raise untrusted(machine.where, f"is a pickle that names {name}", "it may run that when it is loaded", hint)


def _naming(found: list[Machine]) -> str:
    names = [str(name) for machine in found for name in machine.names]
    return f" that names {', '.join(names[:3])}{' and more' if len(names) > 3 else ''}" if names else ""


def _skip_array(machine: Machine, made: Made) -> None:
    """Step over the bytes of an array that joblib writes into the middle of its pickle."""
    if made.maker != _ARRAY:
        return
    state: dict[str, object] = made.state if isinstance(made.state, dict) else {}
    size = _size_of(state)
    if size is None:
        machine.unclear.append("an array whose size cannot be told")
    elif size < 0:
        _nested(machine)
    else:
        aligned = isinstance(state.get("numpy_array_alignment_bytes"), int)
        padding = machine.blob.read(machine.position, 1) if aligned else b""
        machine.position += size + len(padding) + sum(padding)


def _size_of(state: dict[str, object]) -> int | None:
    """Bytes of the array; -1 if it holds objects, and None if it cannot be told."""
    shape, dtype = state.get("shape"), state.get("dtype")
    if not isinstance(dtype, Made) or not isinstance(dtype.args, tuple) or not dtype.args:
        return None
    code = _DTYPE.fullmatch(dtype.args[0]) if isinstance(dtype.args[0], str) else None
    if code is None or not isinstance(shape, tuple) or any(type(n) is not int or n < 0 for n in shape):
        return None
    return -1 if code[1] == "O" else math.prod(shape) * int(code[2]) * (4 if code[1] == "U" else 1)


def _nested(machine: Machine) -> None:
    """An array of objects is a pickle inside the pickle."""
    if machine.depth >= MAX_NESTED:
        machine.unclear.append("pickles nested too deep")
        return
    depth = machine.depth + 1
    inner = walk(Machine(machine.blob, machine.position, machine.trip, machine.where, machine.built, depth))
    machine.names.update(inner.names)
    machine.unclear += inner.unclear + ([] if inner.complete else ["an array that is no whole pickle"])
    machine.position = inner.position
