"""A model store that hands out only what the trust policy allows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.names import MANIFEST_NAME
from model_lifecycle.core.trust import TrustPolicy
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.trust import inspect

log = logging.getLogger(__name__)


class TrustedStore:
    """A :class:`~model_lifecycle.stores.base.ModelStore` over another one, with the trust gate behind every fetch.

    Everything else passes through: publishing and reading single files load nothing.

    :param policy: what an artifact may hold; it is looked at again whenever a folder is proven, since a policy may
        have become stricter since the folder was fetched.
    """

    def __init__(self, store: ModelStore, policy: TrustPolicy) -> None:
        self.store, self.policy, self.uri = store, policy, store.uri

    def fetch(self, artifact_uri: str, folder: Path) -> Manifest:
        """Copy an artifact into ``folder``, proven, and look through it before anybody may load it.

        The files lie there while they are looked at: fetch into a folder that no server reads, and rename it.

        :raises Untrusted: if the policy does not allow it; its files are gone then.
        """
        existed = folder.exists()
        manifest = self.store.fetch(artifact_uri, folder)
        try:
            self._inspect(artifact_uri, folder, manifest)
        except Untrusted:
            _remove(folder, manifest, existed=existed)
            raise
        return manifest

    def prove(self, artifact_uri: str, folder: Path) -> None:
        """Prove that a folder is the artifact, and that the policy allows it as it is today.

        :raises Untrusted: if it does not; nothing is removed, since a server may serve from there.
        """
        self.store.prove(artifact_uri, folder)
        self._inspect(artifact_uri, folder, self.store.read_manifest(artifact_uri))

    def _inspect(self, artifact_uri: str, folder: Path, manifest: Manifest) -> None:
        try:
            inspect(folder, manifest, self.policy)
        except Untrusted as error:
            error.target, error.model = error.target or artifact_uri, error.model or manifest.model
            log.warning("Refused: %s", error)
            raise

    def artifact_uri(self, model: str, digest: str) -> str:
        """Where the artifact of that digest lies, whether or not it has been published."""
        return self.store.artifact_uri(model, digest)

    def publish(self, folder: Path, manifest: Manifest, *, owner: str | None = None) -> str:
        """Store the files of ``folder``; nothing is loaded by it, so nothing is refused."""
        return self.store.publish(folder, manifest, owner=owner)

    def read_manifest(self, artifact_uri: str) -> Manifest:
        """The manifest of a published artifact."""
        return self.store.read_manifest(artifact_uri)

    def read_file(self, artifact_uri: str, path: str, limit: int = 2**24) -> bytes:
        """One small file of a published artifact, as bytes."""
        return self.store.read_file(artifact_uri, path, limit)

    def exists(self, artifact_uri: str) -> bool:
        """Tell whether the artifact is published."""
        return self.store.exists(artifact_uri)

    def list(self, model: str) -> Sequence[str]:
        """The artifact URIs of one model."""
        return self.store.list(model)

    def remove(self, artifact_uri: str) -> None:
        """Delete one artifact."""
        self.store.remove(artifact_uri)

    def sweep(self, model: str, older_than: timedelta) -> Sequence[str]:
        """Remove abandoned staging folders of one model."""
        return self.store.sweep(model, older_than)

    def logs(self) -> Sequence[str]:
        """The names of all logs."""
        return self.store.logs()

    def generations(self, log: str) -> Sequence[int]:
        """The generations a log holds."""
        return self.store.generations(log)

    def append_exclusive(self, log: str, generation: int, data: bytes) -> None:
        """Write one entry of a log."""
        self.store.append_exclusive(log, generation, data)

    def read_entry(self, log: str, generation: int) -> bytes:
        """One entry of a log."""
        return self.store.read_entry(log, generation)

    def keep_document(self, folder: str, data: bytes) -> str:
        """Make these bytes the newest document of a folder."""
        return self.store.keep_document(folder, data)

    def read_document(self, uri: str) -> bytes:
        """One document."""
        return self.store.read_document(uri)

    def newest_document(self, folder: str) -> str:
        """The URI of the newest document of a folder."""
        return self.store.newest_document(folder)

    def document_folders(self, folder: str) -> Sequence[str]:
        """The names of the folders in a folder of documents."""
        return self.store.document_folders(folder)


def _remove(folder: Path, manifest: Manifest, *, existed: bool) -> None:
    """Remove an artifact's files, and the folders that are empty without them."""
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    for entry in manifest.files:
        (folder / entry.path).unlink(missing_ok=True)
    inside = {parent for entry in manifest.files for parent in (folder / entry.path).relative_to(folder).parents}
    inside.discard(Path("."))
    with suppress(OSError):
        for parent in sorted(inside, key=lambda path: -len(path.parts)):
            (folder / parent).rmdir()
        if not existed:
            folder.rmdir()
