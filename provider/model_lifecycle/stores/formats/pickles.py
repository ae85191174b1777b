"""Pickles, in whatever file they lie: found by what unpickling would do, and held to the policy's list of names.

Every file of an artifact is looked at as a pickle, also one that is a fine JSON or zip file: a loader that unpickles
does not look at names and types. Text seldom gets past its first letter. An allowed pickle is read to its last byte.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from model_lifecycle.core.trust import allow_hint, untrusted
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.joblib_arrays import skip_array
from model_lifecycle.stores.formats.pickle_machine import Machine
from model_lifecycle.stores.formats.pickle_walk import walk
from model_lifecycle.stores.formats.trip import Trip

TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The first of the pickles that torch wrote one after the other before version 1.6."""
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
    old_torch = blob.read(0, len(TORCH_MAGIC)) == TORCH_MAGIC
    approve(blob, where, trip, torch=old_torch, numbers_behind=old_torch)
    return True


def approve(blob: Blob, where: str, trip: Trip, *, torch: bool = False, numbers_behind: bool = False) -> None:
    """Hold bytes that are known to be unpickled to the list of names, to the last of them.

    :param torch: whether a torch loader gives the objects that lie elsewhere.
    :param numbers_behind: whether the loader reads what follows the pickles by itself, as raw numbers.
    :raises Untrusted: if a name is not on it, cannot be told, or the bytes are no whole pickle.
    """
    for machine in _one_after_the_other(blob, where, trip, arrays=True):
        _approve(machine, trip)
        if machine.persistent and not torch:
            raise trip.refuse(where, "is a pickle that asks for objects beside it", "nobody can say what it gets")
        if not machine.complete and not (numbers_behind and machine.start):
            rest = "has more bytes behind its pickle" if machine.start else "is no whole pickle"
            raise trip.refuse(where, rest, "nobody can say what they do")


def _one_after_the_other(blob: Blob, where: str, trip: Trip, *, arrays: bool = False) -> Iterator[Machine]:
    position = 0
    while position < blob.size or not position:
        machine = walk(Machine(blob, position, trip, where, built=skip_array if arrays else None))
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
        return bool(machine.names) or machine.extended
    return any(_is_standard(name.module) for name in machine.names)


def _is_standard(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in sys.stdlib_module_names | {"__builtin__"}


def _approve(machine: Machine, trip: Trip) -> None:
    if machine.unclear or machine.extended:
        what = [*machine.unclear, "an import by extension code"][0]
        raise trip.refuse(machine.where, f"is a pickle with {what}", "nobody can say what it runs")
    for name in machine.names:
        if not trip.policy.allows_global(name.module, name.name):
            hint = _INSTEAD if _is_standard(name.module) else allow_hint(f"globals {name}", _INSTEAD)
            raise untrusted(machine.where, f"is a pickle that names {name}", "it may run that when it is loaded", hint)


def _naming(found: list[Machine]) -> str:
    names = [str(name) for machine in found for name in machine.names]
    return f" that names {', '.join(names[:3])}{' and more' if len(names) > 3 else ''}" if names else ""
