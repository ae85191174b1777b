"""Archives of torch: pickles whose numbers lie beside them, and TorchScript, whose code its own interpreter runs."""

from __future__ import annotations

from model_lifecycle.stores.formats import pickles
from model_lifecycle.stores.formats.trip import Trip
from model_lifecycle.stores.formats.zips import Archive

_INSTEAD = "save the weights as safetensors, or the model as ONNX"


def looks(archive: Archive) -> bool:
    """Tell whether torch would take an archive for its own."""
    return any(member.name.rpartition("/")[2] in ("data.pkl", "constants.pkl") for member in archive.members)


def check(archive: Archive, trip: Trip) -> tuple[set[str], set[str]]:
    """Hold the pickles of a torch archive to the list of names.

    :returns: the files that need no further look, and those that are raw numbers.
    :raises Untrusted: if neither torch format is allowed, or a pickle names what is not on the list.
    """
    root = archive.members[0].name.partition("/")[0] + "/"
    names = [member.name for member in archive.members]
    script = {name for name in names if name.startswith(f"{root}code/")}
    if script:
        trip.need("torchscript", archive.where, "is a TorchScript model", "torch compiles and runs it", _INSTEAD)
    else:
        why = "it is a pickle, and unpickling imports and calls what it names"
        trip.need("pickle", archive.where, "is a torch checkpoint", why, _INSTEAD)
    seen = set(script)
    for member in archive.members:
        if member.name.endswith("pkl"):
            with archive.open(member) as blob:
                pickles.approve(blob, f"{archive.where}!{member.name}", trip, torch=True)
            seen.add(member.name)
    folders = tuple(f"{root}{folder}/" for folder in ("data", "constants", ".data"))
    return seen, {name for name in names if name.startswith(folders)}
