"""The contract of a model store: where artifacts and the ledger lie."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable

from model_lifecycle.core.manifest import Manifest


@runtime_checkable
class ModelStore(Protocol):
    """Immutable artifacts named by their digest, append-only logs, and small documents.

    An artifact lies at ``<root>/<model>/<manifest digest>/`` and is absent or whole (Law 1). A log lies at
    ``<root>/_releases/<log>/<generation, 8 digits>.json``, a document at
    ``<root>/_profiles/<folder>/<generation, 8 digits>.json``. Every method raises errors of
    :mod:`model_lifecycle.core.errors` only, and none waits for ever (Law 9).
    """

    uri: str
    """The store's own URI, without secrets."""

    def artifact_uri(self, model: str, digest: str) -> str:
        """Where the artifact of that digest lies, whether or not it has been published."""
        ...

    def publish(self, folder: Path, manifest: Manifest, *, owner: str | None = None) -> str:
        """Store the files of ``folder`` that ``manifest`` lists and return the artifact URI.

        Publishing what is already there changes nothing and moves no bytes. A killed publish leaves only a staging
        folder; the next one of the same ``owner`` (such as a task's identity) takes it over and skips what is proven.

        :raises Corrupt: if a file is not, or no longer, what the manifest says.
        :raises Conflict: if something other than this artifact lies under its name.
        :raises Unavailable: if the bytes could not be proven stored before the deadline.
        """
        ...

    def fetch(self, artifact_uri: str, folder: Path) -> Manifest:
        """Copy an artifact into ``folder`` (made 0700 if absent) with its manifest, every file proven by SHA-256.

        Files already there and right are kept; other files in the folder are refused. Nothing wrong ever stands
        under a final name.

        :raises NotFound: if there is no such artifact.
        :raises Corrupt: if the stored bytes are not what the manifest says.
        """
        ...

    def prove(self, artifact_uri: str, folder: Path) -> None:
        """Prove that a folder which lies there already is exactly the artifact: what a fetch would have made.

        :raises Corrupt: if a file is missing, was added, or has other bytes.
        :raises Invalid: if something lies there that no artifact can hold, such as a link.
        :raises NotFound: if there is no such artifact.
        """
        ...

    def read_manifest(self, artifact_uri: str) -> Manifest:
        """The manifest of a published artifact, its digest proven against the artifact's name.

        :raises NotFound: if there is no such artifact.
        """
        ...

    def read_file(self, artifact_uri: str, path: str, limit: int = 2**24) -> bytes:
        """One small file of a published artifact, proven by the manifest's SHA-256.

        :param limit: the most bytes it may have.
        :raises NotFound: if the manifest does not list it.
        """
        ...

    def exists(self, artifact_uri: str) -> bool:
        """Tell whether the artifact is published."""
        ...

    def list(self, model: str) -> Sequence[str]:
        """The artifact URIs of one model, in no particular order; empty if there is none."""
        ...

    def remove(self, artifact_uri: str) -> None:
        """Delete one artifact; nothing happens if it is absent. The caller has proven that nothing needs it."""
        ...

    def sweep(self, model: str, older_than: timedelta) -> Sequence[str]:
        """Remove our own abandoned staging folders of one model, untouched for ``older_than``; return their names."""
        ...

    def logs(self) -> Sequence[str]:
        """The names of all logs: the endpoints that were ever released on, in no particular order."""
        ...

    def generations(self, log: str) -> Sequence[int]:
        """The generations a log holds, in rising order; empty if there is no such log."""
        ...

    def append_exclusive(self, log: str, generation: int, data: bytes) -> None:
        """Write one entry of a log, whole or not at all.

        :raises Conflict: if that generation exists already; it is never overwritten.
        """
        ...

    def read_entry(self, log: str, generation: int) -> bytes:
        """One entry of a log.

        :raises NotFound: if it does not exist.
        """
        ...

    def keep_document(self, folder: str, data: bytes) -> str:
        """Make these bytes the newest document of a folder, at most 64 MiB, and return its URI.

        Nothing is overwritten, and nothing written if they are the newest already.

        :param folder: up to eight names joined by ``/``.
        """
        ...

    def read_document(self, uri: str) -> bytes:
        """One document.

        :raises NotFound: if it does not exist.
        :raises Invalid: if the URI is none of this store's documents.
        """
        ...

    def newest_document(self, folder: str) -> str:
        """The URI of the newest document of a folder.

        :raises NotFound: if it has none.
        """
        ...

    def document_folders(self, folder: str) -> Sequence[str]:
        """The names of the folders in a folder of documents, sorted; empty if there is no such folder."""
        ...
