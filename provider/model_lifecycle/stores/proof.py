"""Proving that a folder on disk is exactly the artifact its manifest describes, long after it was fetched."""

from __future__ import annotations

from pathlib import Path

from model_lifecycle.core.errors import Corrupt, NotFound
from model_lifecycle.core.manifest import MAX_BYTES, Manifest
from model_lifecycle.core.names import MANIFEST_NAME
from model_lifecycle.stores.folder import describe
from model_lifecycle.stores.sources import blocks, opened


def own_manifest(folder: Path) -> Manifest:
    """The manifest that lies in a fetched artifact; :func:`prove` it before believing it.

    :raises NotFound: if there is none: the folder was never finished, or did not come from a model store.
    :raises Corrupt: if it is not a manifest.
    """
    if not (folder / MANIFEST_NAME).exists():
        hint = "let a model store fetch it"
        raise NotFound(f"{folder} holds no {MANIFEST_NAME}: it is not whole, or not from a model store", hint=hint)
    data = bytearray()
    with opened(folder / MANIFEST_NAME) as fd:
        for block in blocks(fd):
            data += block
            if len(data) > MAX_BYTES:
                break
    return Manifest.from_json(bytes(data))


def prove(folder: Path, manifest: Manifest) -> None:
    """Read every byte of the folder again.

    :raises Corrupt: if a file is missing, was added, or has other bytes; the first of them by name.
    :raises Invalid: if something lies there that no artifact can hold, such as a link.
    """
    found = describe(
        folder, manifest.model, signature=manifest.signature, provenance=manifest.provenance, max_bytes=2**63
    )
    wrong = sorted(set(manifest.files) ^ set(found.files))
    if wrong:
        raise Corrupt(f"{wrong[0].path} is not as the manifest says", target=str(folder), model=manifest.model)
