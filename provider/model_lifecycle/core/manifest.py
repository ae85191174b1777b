"""The manifest: what an artifact consists of. Its own digest names the artifact."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from model_lifecycle.core.errors import Corrupt, Invalid
from model_lifecycle.core.names import check_name, check_path

SCHEMA = 1
MAX_BYTES = 64 * 2**20
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_digest(text: object) -> bool:
    """Tell whether ``text`` is a SHA-256 in lower-case hexadecimal."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


@dataclass(frozen=True, order=True)
class FileEntry:
    """One file: its path inside the artifact, its size in bytes and its SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        check_path(self.path)
        if type(self.size) is not int or self.size < 0 or not is_digest(self.sha256):
            raise Invalid(f"file entry of {self.path} has no valid size or SHA-256")


@dataclass(frozen=True)
class Manifest:
    """The files of one artifact in path order, the model it belongs to, its signature and where it came from.

    :param model: the registered model's name.
    :param files: at least one entry; no path may be given twice or lie under another file.
    :param signature: the model signature as JSON values, or None where the model declares none.
    :param provenance: where it came from (DAG, run, data interval, git commit); strings only.
    :raises Invalid: if a part breaks these rules.
    """

    model: str
    files: tuple[FileEntry, ...]
    signature: Mapping[str, Any] | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.model, "model name")
        object.__setattr__(self, "files", tuple(sorted(self.files)))
        if not self.files:
            raise Invalid("an artifact needs at least one file", model=self.model)
        _check_tree([entry.path for entry in self.files])
        if not isinstance(self.signature, Mapping | None):
            raise Invalid("a signature is a mapping of JSON values", model=self.model)
        if not isinstance(self.provenance, Mapping) or any(
            not isinstance(text, str) for pair in self.provenance.items() for text in pair
        ):
            raise Invalid("provenance holds strings only", model=self.model)

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return sum(entry.size for entry in self.files)

    @property
    def digest(self) -> str:
        """SHA-256 of :meth:`to_json`: the name of the artifact."""
        return sha256(self.to_json()).hexdigest()

    def to_json(self) -> bytes:
        """The one canonical form: UTF-8, sorted keys, no white space (after RFC 8785 for the values used here)."""
        value = {
            "schema": SCHEMA,
            "model": self.model,
            "files": [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in self.files],
            "signature": self.signature,
            "provenance": dict(self.provenance),
        }
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Read what :meth:`to_json` wrote.

        :raises Corrupt: if the bytes are anything but the canonical form of a valid manifest.
        """
        try:
            manifest = cls._from_value(json.loads(data) if len(data) <= MAX_BYTES else None)
            canonical = manifest.to_json()
        except (ValueError, TypeError, KeyError, RecursionError, Invalid) as error:
            raise Corrupt(f"not a manifest: {error}") from error
        if canonical != data:
            raise Corrupt("the manifest is not in its canonical form")
        return manifest

    @classmethod
    def _from_value(cls, value: Any) -> Manifest:
        if not isinstance(value, dict) or value["schema"] != SCHEMA:
            raise ValueError(f"expected a manifest of schema {SCHEMA}")
        files = tuple(FileEntry(f["path"], f["size"], f["sha256"]) for f in value["files"])
        return cls(value["model"], files, value["signature"], value["provenance"])


def _check_tree(paths: list[str]) -> None:
    files = set(paths)
    if len(files) != len(paths):
        raise Invalid("a path stands twice in the manifest")
    for path in paths:
        parts = path.split("/")
        parents = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        if parents & files:
            raise Invalid(f"{path} lies under a path that is itself a file")
