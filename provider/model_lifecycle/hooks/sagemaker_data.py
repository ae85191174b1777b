"""A version's files as SageMaker wants them: one ``model.tar.gz`` in S3, proven by S3 itself, never changed."""

from __future__ import annotations

import gzip
import logging
import tarfile
import tempfile
import time
from base64 import b64encode
from hashlib import file_digest
from io import BufferedRandom
from pathlib import Path
from typing import BinaryIO

from model_lifecycle.core.errors import Conflict, Invalid, NotFound, Unavailable
from model_lifecycle.core.manifest import Manifest
from model_lifecycle.hooks.aws_calls import AwsCalls
from model_lifecycle.stores.base import ModelStore

LARGEST = 5 * 2**30
"""Bytes that S3 takes in one call, and so proves by one checksum."""
DIGEST = "manifest-digest"
LOOKS = 10

log = logging.getLogger(__name__)


class ModelData:
    """The archives of one bucket and prefix."""

    def __init__(self, aws: AwsCalls, bucket: str, prefix: str) -> None:
        self.aws, self.bucket, self.prefix = aws, bucket, prefix.strip("/")

    def key(self, manifest: Manifest) -> str:
        """Where the archive of an artifact lies: named by the manifest's digest, so that it never has to change."""
        parts = [self.prefix, manifest.model, manifest.digest, "model.tar.gz"]
        return "/".join(part for part in parts if part)

    def url(self, manifest: Manifest) -> str:
        """The same as SageMaker is told."""
        return f"s3://{self.bucket}/{self.key(manifest)}"

    def put(self, artifact_uri: str, manifest: Manifest, store: ModelStore) -> str:
        """Bring an artifact to S3, unless it is there, and return its URL.

        :raises Conflict: if something else lies there.
        """
        if self._is_there(manifest):
            log.info("%s is there already", self.url(manifest))
            return self.url(manifest)
        with tempfile.TemporaryDirectory(prefix="model-data-") as folder, tempfile.TemporaryFile() as archive:
            store.fetch(artifact_uri, Path(folder))
            pack(Path(folder), manifest, archive)
            self._send(archive, manifest)
        return self.url(manifest)

    def _send(self, archive: BufferedRandom, manifest: Manifest) -> None:
        size = archive.seek(0, 2)
        if size > LARGEST:
            raise Invalid(f"the archive has {size:,} bytes; S3 takes {LARGEST:,} at once", model=manifest.model)
        archive.seek(0)
        checksum = b64encode(file_digest(archive, "sha256").digest()).decode()
        archive.seek(0)
        what = {"Body": archive, "ContentLength": size, "Metadata": {DIGEST: manifest.digest}}
        try:
            # S3 refuses bytes of another checksum, and a second writer: absent or whole.
            proof = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": checksum, "IfNoneMatch": "*"}
            self.aws.call("s3", "put_object", Bucket=self.bucket, Key=self.key(manifest), **what, **proof)
        except Conflict:
            self._await_another(manifest)

    def _await_another(self, manifest: Manifest) -> None:
        """Another worker puts the same archive, or has put it: give it a moment to be there.

        :raises Conflict: if what is there then is something else.
        """
        log.info("Another worker puts %s", self.url(manifest))
        for left in reversed(range(LOOKS)):
            try:
                if self._is_there(manifest):
                    return
            except Conflict:
                if not left:
                    raise
            time.sleep(0.2)
        raise Unavailable(f"another worker is putting {self.url(manifest)}", target=self.aws.target)

    def _is_there(self, manifest: Manifest) -> bool:
        asked = {"Bucket": self.bucket, "Key": self.key(manifest)}
        try:
            found = self.aws.call("s3", "head_object", **asked, ChecksumMode="ENABLED")
        except NotFound:
            return False
        if found.get("Metadata", {}).get(DIGEST) != manifest.digest or not found.get("ChecksumSHA256"):
            raise Conflict(f"something else lies at {self.url(manifest)}", model=manifest.model)
        return True


def pack(folder: Path, manifest: Manifest, out: BinaryIO) -> None:
    """Write an artifact's files as a tar.gz; the same files make the same bytes, with the same zlib."""
    # An empty name and no time: gzip would write down when and from which file it was made.
    with gzip.GzipFile("", "wb", 6, out, 0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for entry in manifest.files:
            info = tarfile.TarInfo(entry.path)
            info.size, info.mode = entry.size, 0o644
            with (folder / entry.path).open("rb") as file:
                archive.addfile(info, file)
