"""``verify`` and ``diff``: what lies under a version, byte by byte, and how two differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from model_lifecycle.cli.frame import Row, command, registry_of, store_of
from model_lifecycle.core.differences import (
    differences,
    file_differences,
    metric_differences,
    profile_differences,
    provenance_differences,
    signature_differences,
)
from model_lifecycle.core.errors import Corrupt, NotFound
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.models import ModelUri, ModelVersion
from model_lifecycle.core.profile import Profile
from model_lifecycle.hooks.version_facts import version_metrics
from model_lifecycle.stores.base import ModelStore

PROFILE_NAME = "profile.json"


@command
def verify(args: Any) -> Sequence[Row]:
    """Fetch every file as a deploy would, and hash it; a version's digest must be its artifact's.

    The files lie in the folder for temporary files meanwhile (``TMPDIR``).
    """
    version = registry_of(args).get(ModelUri.parse(args.uri)) if args.uri.startswith("models:/") else None
    uri = version.artifact_uri if version else args.uri
    manifest = _proven(store_of(args), uri)
    if version is not None and version.digest is not None and version.digest != manifest.digest:
        raise Corrupt(
            "the version was registered with another digest", target=uri, model=version.name, version=version.version
        )
    return [
        {
            "model": manifest.model,
            "version": version.version if version else None,
            "files": len(manifest.files),
            "bytes": manifest.size,
            "digest": manifest.digest,
            "artifact": uri,
            "found": _found(version),
        }
    ]


@command
def diff(args: Any) -> Sequence[Row]:
    """Everything that differs; no rows for a version and itself."""
    store, registry = store_of(args), registry_of(args)
    one, other = (registry.get(ModelUri.parse(uri)) for uri in (args.one, args.other))
    before, after = (store.read_manifest(version.artifact_uri) for version in (one, other))
    return differences(
        (
            file_differences(before, after),
            signature_differences(before, after),
            provenance_differences(before, after),
            metric_differences(version_metrics(registry, one), version_metrics(registry, other)),
            profile_differences(_profile(store, one), _profile(store, other)),
        )
    )


def _proven(store: ModelStore, uri: str) -> Manifest:
    with TemporaryDirectory(prefix="model-") as folder:
        return store.fetch(uri, Path(folder) / "artifact")


def _found(version: ModelVersion | None) -> str:
    if version is not None and version.digest is None:
        return "whole; the version was registered without a digest"
    return "whole: every file has the SHA-256 that the manifest promises"


def _profile(store: ModelStore, version: ModelVersion) -> Profile | None:
    try:
        return Profile.from_json(store.read_file(version.artifact_uri, PROFILE_NAME))
    except NotFound:
        return None
