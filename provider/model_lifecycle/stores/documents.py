"""Small documents beside the artifacts, profiles and verdicts of windows: each written once, the newest counts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from model_lifecycle.core.errors import Conflict, Invalid, NotFound
from model_lifecycle.core.names import check_name
from model_lifecycle.stores import layout
from model_lifecycle.stores.filesystem import Filesystem

FOLDER = "_profiles"
MAX_BYTES = 64 * 2**20
DEEPEST = 8
TRIES = 20
"""How often a writer makes way for others who write into the same folder at the same time."""

_URI = re.compile(rf"(?P<root>[^?#]+)/{FOLDER}/(?P<folder>[^?#]+)/(?P<generation>[0-9]{{8}})\.json")


class DocumentStore:
    """Documents lie at ``<root>/_profiles/<folder>/<generation, 8 digits>.json`` and are never changed.

    A folder has up to eight names joined by ``/``, such as ``flights/20130201T000000Z/merged``.
    """

    files: Filesystem
    base: str
    uri: str

    def keep_document(self, folder: str, data: bytes) -> str:
        """Make these bytes the newest document of a folder and return its URI; they already are: nothing is written."""
        place = _place(folder)
        if len(data) > MAX_BYTES:
            raise Invalid(f"a document of {len(data):,} bytes is too long", target=folder)
        for _ in range(TRIES):
            newest = max(self._generations(place), default=0)
            if newest and self.files.read_bytes(_entry(place, newest), MAX_BYTES) == data:
                return self._uri(place, newest)
            if self._append(place, newest + 1, data):
                return self._uri(place, newest + 1)
        raise Conflict(f"others write into {folder} without end", target=self.uri)

    def read_document(self, uri: str) -> bytes:
        """One document by its URI.

        :raises NotFound: if it does not exist.
        :raises Invalid: if it is none of this store.
        """
        found = _URI.fullmatch(uri) if isinstance(uri, str) else None
        if not found:
            raise Invalid(f"{ascii(uri)[:300]} is not a document of the store {self.base}")
        layout.parse(f"{found['root']}/model/{'0' * 64}", self.base)
        return self.files.read_bytes(_entry(_place(found["folder"]), int(found["generation"])), MAX_BYTES)

    def newest_document(self, folder: str) -> str:
        """The URI of the newest document of a folder.

        :raises NotFound: if it has none.
        """
        place = _place(folder)
        newest = max(self._generations(place), default=0)
        if not newest:
            raise NotFound(f"there is no document in {folder}", target=self.uri)
        return self._uri(place, newest)

    def document_folders(self, folder: str) -> Sequence[str]:
        """The names of the folders in a folder, sorted; empty if there is no such folder."""
        return sorted(name for name in self.files.children(_place(folder)) if _is_folder(name))

    def _generations(self, place: str) -> list[int]:
        found = map(layout.ENTRY.fullmatch, self.files.children(place))
        return [int(match["generation"]) for match in found if match]

    def _append(self, place: str, generation: int, data: bytes) -> bool:
        staging = layout.temporary(place, "entry")
        self.files.put_bytes(staging, data)
        try:
            self.files.rename_exclusive(staging, _entry(place, generation))
        except Conflict:
            self.files.remove(staging)
            return False
        return True

    def _uri(self, place: str, generation: int) -> str:
        return f"{self.base}/{_entry(place, generation)}"


def _place(folder: str) -> str:
    parts = folder.split("/") if isinstance(folder, str) else []
    if not 0 < len(parts) <= DEEPEST:
        raise Invalid(f"{ascii(folder)[:300]} is no folder of documents", hint="join up to eight names by /")
    return "/".join([FOLDER, *(check_name(part, "folder") for part in parts)])


def _entry(place: str, generation: int) -> str:
    return f"{place}/{generation:08d}.json"


def _is_folder(name: str) -> bool:
    try:
        return check_name(name, "folder") == name and not layout.ENTRY.fullmatch(name)
    except Invalid:
        return False
