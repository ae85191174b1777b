"""Archives: whatever lies in them is looked at like any other file of the artifact."""

from __future__ import annotations

from model_lifecycle.stores.formats import packed, skops, tars, torch_files
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import MAX_DEPTH, Judge, Trip, Unknown
from model_lifecycle.stores.formats.zips import Archive
from model_lifecycle.stores.formats.zips import looks as looks_zip

_WHY = "the policy does not list that format"


def check(blob: Blob, where: str, trip: Trip, judge: Judge) -> bool:
    """Tell whether the bytes are an archive or compressed; one that comes back holds what is allowed.

    :param judge: looks at a file inside.
    :raises Untrusted: if something in it is not allowed, or it is packed too deep or too tight.
    """
    for look, check_it in ((looks_zip, _zip), (tars.looks, _tar), (packed.looks, _packed)):
        if look(blob):
            if where.count("!") >= MAX_DEPTH:
                raise trip.refuse(where, f"is packed {MAX_DEPTH} archives deep", "it is built to hide something")
            check_it(blob, where, trip, judge)
            return True
    return False


def looks(blob: Blob) -> bool:
    """Tell whether some reader takes the bytes for a zip or tar archive."""
    return looks_zip(blob) or tars.looks(blob)


def _zip(blob: Blob, where: str, trip: Trip, judge: Judge) -> None:
    archive = Archive(blob, where, trip)
    names = [member.name for member in archive.members]
    seen: set[str] = set()
    raw: set[str] = set()
    if skops.SCHEMA in names:
        raw |= skops.check(archive, trip)
    elif torch_files.looks(archive):
        seen, raw = torch_files.check(archive, trip)
    elif not all(name.endswith(".npy") for name in names):
        trip.need("archive", where, "is a zip archive", _WHY)
    for member in archive.members:
        if member.name not in seen:
            with archive.open(member) as inner:
                _inside(inner, f"{where}!{member.name}", trip, judge, raw=member.name in raw)


def _tar(blob: Blob, where: str, trip: Trip, judge: Judge) -> None:
    trip.need("archive", where, "is a tar archive", _WHY)
    for name, inner in tars.members(blob, where, trip):
        _inside(inner, f"{where}!{name}", trip, judge)


def _packed(blob: Blob, where: str, trip: Trip, judge: Judge) -> None:
    packing = packed.looks(blob)
    if packing is not None:
        trip.need("archive", where, f"is {packing.value}", _WHY)
        with packed.unpack(blob, packing, where, trip) as inner:
            _inside(inner, f"{where}!unpacked", trip, judge)


def _inside(blob: Blob, where: str, trip: Trip, judge: Judge, *, raw: bool = False) -> None:
    try:
        judge(blob, where, trip)
    except Unknown:
        if not raw:
            raise
