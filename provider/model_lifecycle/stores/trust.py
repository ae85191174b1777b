"""The trust gate: an artifact's files are parsed, never loaded, and refused where they could run what is not allowed.

Decided by content, not by name. It is a gate and no proof: a parser with a fault of its own, in the server, is outside.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from model_lifecycle.core.errors import Corrupt, Invalid, Unavailable, Untrusted
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.names import MANIFEST_NAME
from model_lifecycle.core.trust import TrustPolicy, untrusted
from model_lifecycle.stores.folder import MLMODEL
from model_lifecycle.stores.formats import mlmodel
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.judge import judge
from model_lifecycle.stores.formats.trip import Trip, Unknown
from model_lifecycle.stores.sources import opened


def inspect(folder: Path, manifest: Manifest, policy: TrustPolicy) -> None:
    """Look through every file of an artifact on disk that was fetched or proven before.

    Memory stays at some tens of MiB (160 MB for the worst YAML, JSON or pickle), whatever the size of the files; the
    work is bounded too. Nothing is written but unpacked archives, to temporary files without a name.

    :param folder: holds the files that ``manifest`` lists and nothing else but the manifest itself.
    :raises Untrusted: if the policy does not allow what a file is, names or does; the first such file by path.
    :raises Corrupt: if a listed file is missing or has another size.
    """
    listed = {entry.path: entry.size for entry in manifest.files}
    _refuse_unlisted(folder, listed)
    trip, deferred = Trip(policy, listed), dict[str, Unknown]()
    for path in sorted(listed, key=lambda path: (path.rpartition("/")[2] != MLMODEL, path)):
        try:
            _look(folder, path, trip)
        except Unknown as error:
            deferred[path] = error
    unclaimed = [refusal for path, refusal in deferred.items() if path not in trip.claimed]
    if unclaimed:
        raise Untrusted(unclaimed[0].message, hint=unclaimed[0].hint)


def _look(folder: Path, path: str, trip: Trip) -> None:
    try:
        with opened(folder / path) as fd:
            blob = Blob.of_file(fd)
            if blob.size != trip.listed[path]:
                raise Corrupt(f"{path} has {blob.size:,} bytes, not the {trip.listed[path]:,} of its manifest")
            judge(blob, path, trip)
            if path.rpartition("/")[2] == MLMODEL:
                mlmodel.check(blob, path, trip)
    except OSError as error:
        raise Unavailable(f"cannot read {path}: {error.strerror}", target=str(folder)) from error


def _refuse_unlisted(folder: Path, listed: dict[str, int]) -> None:
    """A server may load what lies beside the model's files, so nothing else may lie there."""
    found = set()
    for top, folders, files in os.walk(folder, onerror=_stop):
        for path in (Path(top, name) for name in [*folders, *files]):
            name, kind = path.relative_to(folder).as_posix(), stat.S_IFMT(path.lstat().st_mode)
            if kind == stat.S_IFREG and (name in listed or name == MANIFEST_NAME):
                found.add(name)
            elif kind != stat.S_IFDIR:
                what = "is not listed in the manifest" if kind == stat.S_IFREG else "is no plain file"
                raise untrusted(name, what, "a server may load it", "remove the folder and fetch the artifact again")
    if missing := listed.keys() - found:
        raise Corrupt(f"{min(missing)} is missing", target=str(folder))


def _stop(error: OSError) -> None:
    raise Invalid(f"cannot list {error.filename}: {error.strerror}") from error
