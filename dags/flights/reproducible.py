"""Make a skops file depend on the model alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

SCHEMA = "schema.json"


def rewrite_skops(path: Path) -> None:
    """Rewrite a skops file so that the same model gives the same bytes.

    skops names objects and arrays by their address in memory and dates the members of the archive by the clock. Here
    they are numbered in the order of their first appearance and dated 1980; the meaning is the same.
    """
    with ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    names = _Names()
    schema = names.renamed(json.loads(members.pop(SCHEMA)))
    with ZipFile(path, "w") as archive:
        for old, new in names.files.items():
            archive.writestr(_member(new), members[old])
        archive.writestr(_member(SCHEMA), json.dumps(schema))


def _member(name: str) -> ZipInfo:
    info = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = ZIP_DEFLATED
    return info


class _Names:
    """New names by old: object ids and array files."""

    def __init__(self) -> None:
        self.ids: dict[int, int] = {}
        self.files: dict[str, str] = {}

    def renamed(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.renamed(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {key: self._value(key, value) for key, value in node.items()}

    def _value(self, key: str, value: Any) -> Any:
        if key == "__id__" and isinstance(value, int):
            return self.ids.setdefault(value, len(self.ids))
        if key == "file" and isinstance(value, str):
            return self.files.setdefault(value, f"{len(self.files)}{Path(value).suffix}")
        return self.renamed(value)
