"""The commit protocol: how a folder becomes an artifact that is absent or whole, on any file system (Laws 1 to 3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from model_lifecycle.core.errors import (
    Conflict,
    Corrupt,
    Invalid,
    ModelLifecycleError,
    NotFound,
    Rejected,
    Unavailable,
)
from model_lifecycle.core.manifest import MAX_BYTES, FileEntry, Manifest, is_digest
from model_lifecycle.core.names import MANIFEST_NAME, RELEASES_FOLDER, check_name
from model_lifecycle.stores import layout
from model_lifecycle.stores.documents import DocumentStore
from model_lifecycle.stores.download import Download
from model_lifecycle.stores.filesystem import Filesystem
from model_lifecycle.stores.progress import Transfer
from model_lifecycle.stores.proof import prove
from model_lifecycle.stores.sources import sources_of

log = logging.getLogger(__name__)

ADOPT_AFTER = timedelta(hours=1)
"""A staging folder of another owner that has been still for this long is taken for abandoned."""
MAX_ENTRY = 16 * 2**20
"""Bytes of one entry of a log."""


class ArtifactStore(DocumentStore):
    """A :class:`~model_lifecycle.stores.base.ModelStore` over a file system.

    A publish fills a staging folder beside the artifact's final place, ``<model>/_staging-<digest>-<owner>-<token>``,
    proves it, and gives it its final name by one exclusive rename. Two publishers never share a staging folder: one
    that takes over an earlier folder renames it first, and whoever wrote into it before finds it gone and stops.

    :param base: the URI of the root, under which artifact URIs are formed: ``file:///models`` or
        ``webhdfs://host:port[,host2:port2]/models``.
    :param uri: the URI from which the store was opened, where that is another one.
    :param threads: files moved at once, each with a few MiB of memory whatever its size; 1 makes no threads.
    """

    def __init__(self, files: Filesystem, base: str, *, uri: str | None = None, threads: int = 4) -> None:
        self.files = files
        self.base = base.rstrip("/")
        self.uri = uri or base
        self.threads = threads

    def artifact_uri(self, model: str, digest: str) -> str:
        """Where the artifact of that digest lies, whether or not it has been published."""
        if not is_digest(digest):
            raise Invalid(f"{ascii(digest)[:100]} is not a SHA-256", model=model)
        return f"{self.base}/{check_name(model, 'model name')}/{digest}"

    def publish(self, folder: Path, manifest: Manifest, *, owner: str | None = None) -> str:
        """Store a folder as the artifact that ``manifest`` names; see the contract for the law."""
        uri = self.artifact_uri(manifest.model, manifest.digest)
        if self._settled(manifest):
            log.info("%s is published already", uri)
            return uri
        sources = sources_of(folder, manifest)
        staging = self._staging(manifest, owner)
        try:
            self._fill(staging, sources, manifest, uri)
            self._commit(staging, manifest)
        except (Conflict, NotFound) as error:
            self._give_way(staging, manifest, error)
        except Rejected:
            # What was refused once is refused again: nothing is worth keeping for the next try.
            with suppress(ModelLifecycleError):
                self._discard(staging)
            raise
        return uri

    def fetch(self, artifact_uri: str, folder: Path) -> Manifest:
        """Copy an artifact into ``folder``, proven; see the contract for the law."""
        manifest = self.read_manifest(artifact_uri)
        download = Download(folder, manifest)
        missing = download.prepare(self.threads)
        with Transfer("download", artifact_uri, manifest.size) as transfer:
            transfer.keep(manifest.size - sum(entry.size for entry in missing))

            def get(entry: FileEntry) -> None:
                path = f"{layout.place(manifest)}/{entry.path}"
                self.files.get(path, download.target(entry), entry, transfer.add)

            try:
                self._each(get, missing)
            except NotFound as error:
                self.read_manifest(artifact_uri)  # the whole artifact may have been removed, which is another matter
                raise Corrupt(f"the artifact lacks a file: {error.message}", target=artifact_uri) from error
        download.finish()
        return manifest

    def prove(self, artifact_uri: str, folder: Path) -> None:
        """Prove that a folder is exactly the artifact, byte by byte."""
        prove(folder, self.read_manifest(artifact_uri))

    def read_manifest(self, artifact_uri: str) -> Manifest:
        """The manifest of a published artifact, its digest proven against the artifact's name."""
        model, digest = layout.parse(artifact_uri, self.base)
        data = self.files.read_bytes(f"{model}/{digest}/{MANIFEST_NAME}", MAX_BYTES)
        if sha256(data).hexdigest() != digest:
            raise Corrupt("the stored manifest is not the one that names the artifact", target=artifact_uri)
        manifest = Manifest.from_json(data)
        if manifest.model != model:
            raise Corrupt(f"the artifact belongs to model {manifest.model}", target=artifact_uri, model=model)
        return manifest

    def read_file(self, artifact_uri: str, path: str, limit: int = 2**24) -> bytes:
        """One small file of a published artifact, proven by the manifest's SHA-256."""
        manifest = self.read_manifest(artifact_uri)
        entry = next((entry for entry in manifest.files if entry.path == path), None)
        if entry is None:
            raise NotFound(f"the artifact holds no file {ascii(path)[:200]}", target=artifact_uri)
        if entry.size > limit:
            raise Invalid(f"{path} has {entry.size:,} bytes, more than the {limit:,} asked for", target=artifact_uri)
        data = self.files.read_bytes(f"{layout.place(manifest)}/{path}", entry.size)
        if sha256(data).hexdigest() != entry.sha256:
            raise Corrupt(f"{path} is stored with other bytes than its manifest says", target=artifact_uri)
        return data

    def exists(self, artifact_uri: str) -> bool:
        """Tell whether the artifact is published: its manifest is the last thing to be written."""
        try:
            self.read_manifest(artifact_uri)
        except NotFound:
            return False
        return True

    def list(self, model: str) -> Sequence[str]:
        """The artifact URIs of one model."""
        names = self.files.children(check_name(model, "model name"))
        return [self.artifact_uri(model, name) for name in sorted(names) if is_digest(name)]

    def remove(self, artifact_uri: str) -> None:
        """Delete one artifact: it vanishes under its name at once, its files after that."""
        model, digest = layout.parse(artifact_uri, self.base)
        self._discard(f"{model}/{digest}")

    def sweep(self, model: str, older_than: timedelta) -> Sequence[str]:
        """Remove what killed publishes, removals and appends of one model left behind ``older_than`` ago."""
        check_name(model, "model name")
        logs = [f"{RELEASES_FOLDER}/{conn_id}/{model}" for conn_id in self.files.children(RELEASES_FOLDER)]
        return [name for folder in [model, *logs] for name in self._sweep(folder, datetime.now(UTC) - older_than)]

    def logs(self) -> Sequence[str]:
        """The names of all logs."""
        folders = [name for name in self.files.children(RELEASES_FOLDER) if layout.is_log(f"{name}/model")]
        found = [f"{name}/{model}" for name in folders for model in self.files.children(f"{RELEASES_FOLDER}/{name}")]
        return [log for log in found if layout.is_log(log)]

    def generations(self, log: str) -> Sequence[int]:
        """The generations a log holds, in rising order."""
        found = map(layout.ENTRY.fullmatch, self.files.children(layout.log_folder(log)))
        return sorted(int(match["generation"]) for match in found if match)

    def append_exclusive(self, log: str, generation: int, data: bytes) -> None:
        """Write one entry of a log: beside its place, proven, then named exclusively."""
        target = layout.entry(log, generation)
        if len(data) > MAX_ENTRY:
            raise Invalid(f"an entry of {len(data):,} bytes is too long", target=log)
        staging = layout.temporary(layout.log_folder(log), "entry")
        self.files.put_bytes(staging, data)
        try:
            self.files.rename_exclusive(staging, target)
        except Conflict as error:
            self.files.remove(staging)
            raise Conflict(f"generation {generation} of {log} is written already", target=self.uri) from error

    def read_entry(self, log: str, generation: int) -> bytes:
        """One entry of a log."""
        return self.files.read_bytes(layout.entry(log, generation), MAX_ENTRY)

    # The steps of a publish, in their order.

    def _settled(self, manifest: Manifest) -> bool:
        """Tell whether this artifact is published.

        :raises Conflict: if something else lies under its name.
        """
        place = layout.place(manifest)
        if manifest.digest not in self.files.children(manifest.model):
            return False
        try:
            same = self.files.tree(place) == layout.lengths(manifest) and (
                self.files.read_bytes(f"{place}/{MANIFEST_NAME}", MAX_BYTES) == manifest.to_json()
            )
        except NotFound:  # removed between two looks
            same = False
        if not same and manifest.digest in self.files.children(manifest.model):
            raise Conflict(
                "something other than this artifact lies under its name",
                target=self.artifact_uri(manifest.model, manifest.digest),
                model=manifest.model,
                hint="find out who wrote there; remove it if nothing uses it",
            )
        return same

    def _staging(self, manifest: Manifest, owner: str | None) -> str:
        """A staging folder that is ours alone: an abandoned one under a new name, or the name of a new one."""
        mark = sha256(owner.encode()).hexdigest()[:8] if owner else token_hex(4)
        staging = layout.staging(manifest, mark)
        still = datetime.now(UTC) - ADOPT_AFTER
        for name in self.files.children(manifest.model):
            found = layout.STAGING.fullmatch(name)
            if not found or found["digest"] != manifest.digest:
                continue
            earlier = f"{manifest.model}/{name}"
            try:
                if found["owner"] == mark or self.files.modified(earlier) < still:
                    self.files.rename_exclusive(earlier, staging)
                    log.info("taking over %s", earlier)
                    return staging
            except NotFound:  # somebody else was faster
                continue
        return staging

    def _fill(self, staging: str, sources: dict[str, Path], manifest: Manifest, uri: str) -> None:
        there = self._lengths_of(staging)
        if there.keys() - layout.lengths(manifest).keys():  # a publish leaves no such file: nothing there is trusted
            self._discard(staging)
            there = {}

        def put(entry: FileEntry) -> None:
            path, source = f"{staging}/{entry.path}", sources[entry.path]
            if there.get(entry.path) == entry.size and self.files.proven(path, source, entry):
                transfer.keep(entry.size)
            else:
                self.files.put(path, source, entry, transfer.add)

        with Transfer("upload", uri, manifest.size) as transfer:
            self._each(put, manifest.files)
            self.files.put_bytes(f"{staging}/{MANIFEST_NAME}", manifest.to_json())

    def _commit(self, staging: str, manifest: Manifest) -> None:
        """Prove the staging folder as a whole, then give it its name."""
        if self._lengths_of(staging) != layout.lengths(manifest):
            raise Conflict(f"{staging} was changed by somebody else")
        self.files.rename_exclusive(staging, layout.place(manifest))

    def _give_way(self, staging: str, manifest: Manifest, error: Rejected) -> None:
        """Being second with the same bytes is success; being overtaken by a later try of the same task is not."""
        self._discard(staging)
        if self._settled(manifest):
            log.info("another publisher was faster: %s", error)
            return
        raise Unavailable(
            f"the staging folder was taken over: {error.message}",
            target=self.artifact_uri(manifest.model, manifest.digest),
            hint="another try of the same task may be running; this one can be run again",
        ) from error

    def _lengths_of(self, folder: str) -> dict[str, int]:
        try:
            return self.files.tree(folder)
        except NotFound:
            return {}

    # What is left to clean.

    def _discard(self, path: str) -> None:
        """Remove a folder that nobody may see half removed, or adopt while it is being removed: rename it first."""
        trash = layout.temporary(path.rpartition("/")[0], "removed")
        try:
            self.files.rename_exclusive(path, trash)
        except NotFound:
            return
        self.files.remove(trash)

    def _sweep(self, folder: str, before: datetime) -> Iterable[str]:
        for name, touched in self.files.children(folder).items():
            path = f"{folder}/{name}"
            if layout.OURS.fullmatch(name) and touched < before and self._newest(path) < before:
                self._discard(path)
                yield name

    def _newest(self, path: str) -> datetime:
        try:
            return self.files.modified(path)
        except NotFound:
            return datetime.now(UTC)

    def _each(self, work: Callable[[FileEntry], None], entries: Iterable[FileEntry]) -> None:
        """Do the work for every file, the largest first; the first error ends it, and files not begun stay so."""
        ordered = sorted(entries, key=lambda entry: -entry.size)
        if self.threads == 1:
            for entry in ordered:
                work(entry)
            return
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="transfer")
        try:
            tasks = [pool.submit(work, entry) for entry in ordered]
            for task in tasks:
                task.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
