"""``gc``: delete the artifacts of old versions, and none that anything needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from model_lifecycle.cli.frame import Row, command, registry_of, shell_user, store_of
from model_lifecycle.core.errors import Conflict, Corrupt, Invalid, NotFound
from model_lifecycle.core.models import Endpoint, ModelUri, ModelVersion
from model_lifecycle.core.retention import needed, reasons_to_keep
from model_lifecycle.hooks.registry import ModelRegistryHook
from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.hooks.version_facts import artifacts_of_others
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.ledger import Ledger

REMOVED_TAG = "model_lifecycle.artifact_removed"
"""On a version whose artifact was deleted: when, and by whom."""

GONE = "its artifact is gone already"


@command
def gc(args: Any) -> Sequence[Row]:
    """A row for each version: why it stays, or that it goes; everything is known before anything is deleted.

    The versions stay in the registry, tagged; only their bytes go.

    :raises Unavailable: if a ledger, a server or the registry cannot be asked: what it needs is not known.
    """
    store, registry = store_of(args), registry_of(args)
    names = args.model or sorted({Endpoint.parse(log).model for log in store.logs()})
    models = [Model(store, registry, name, args.keep, args.ways_back) for name in names]
    rows = [row for model in models for row in model.rows()]
    if args.dry_run or not args.yes:
        return rows
    for model in models:
        model.delete()
    return [{**row, "what": row["what"].replace("would be deleted", "deleted")} for row in rows]


class Model:
    """What is known of one model's versions at one moment.

    :param keep: how many of the newest versions stay.
    :param ways_back: how many good versions before what serves stay.
    """

    def __init__(self, store: ModelStore, registry: ModelRegistryHook, name: str, keep: int, ways_back: int) -> None:
        self.store, self.registry, self.name, self.ways_back = store, registry, name, ways_back
        self.endpoints = [end for end in map(Endpoint.parse, store.logs()) if end.model == name]
        self.generations = self._generations()
        self.versions = registry.search(name)
        others = artifacts_of_others(registry, name)
        needs = {**self._copied(others), **self._needed()}
        self.kept = reasons_to_keep(self.versions, keep, needs, others)
        self.sizes = {one.version: self._size(one) for one in self.versions}

    def rows(self) -> list[dict[str, Any]]:
        """What becomes of each version, the newest first."""
        return [
            {
                "model": self.name,
                "version": one.version,
                "bytes": self._bytes(one),
                "what": "would be deleted" if self._goes(one) else "is gone" if self._gone(one) else "stays",
                "why": self._why(one),
            }
            for one in self.versions
        ]

    def delete(self) -> None:
        """Delete what goes, looking again before each.

        :raises Conflict: if an endpoint or an alias has moved since.
        """
        for one in filter(self._goes, self.versions):
            now = self.registry.get(ModelUri(self.name, version=one.version))
            if now.aliases or self._generations() != self.generations:
                raise Conflict("somebody releases this model at the same time", model=self.name, hint="try again later")
            note = f"{datetime.now(UTC).isoformat(timespec='seconds')} by {shell_user()['user']}"
            self.registry.set_tags(self.name, one.version, {REMOVED_TAG: note})
            self.store.remove(one.artifact_uri)

    def _generations(self) -> dict[str, int]:
        return {str(endpoint): Ledger(self.store, endpoint).generation() for endpoint in self.endpoints}

    def _needed(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for endpoint in self.endpoints:
            serving = serving_hook(endpoint.conn_id)
            loaded = {*serving.versions(self.name), *serving.traffic(self.name)}
            found |= dict.fromkeys(loaded, f"is loaded on {endpoint}")
            newest = Ledger(self.store, endpoint).newest()
            found |= needed(newest, self.ways_back) if newest else {}
        return found

    def _copied(self, others: Sequence[str]) -> Mapping[int, str]:
        copied = [ModelUri.parse(uri) for uri in others if uri.startswith(f"models:/{self.name}/")]
        return {uri.version: "a version of another model is a copy of it" for uri in copied if uri.version}

    def _size(self, one: ModelVersion) -> int | str:
        """Bytes, or why the artifact cannot be deleted."""
        try:
            manifest = self.store.read_manifest(one.artifact_uri)
        except NotFound:
            return GONE
        except (Invalid, Corrupt) as error:
            return f"its artifact is not ours to delete: {error.message}"
        return manifest.size if one.digest == manifest.digest else "it was registered without its digest"

    def _bytes(self, one: ModelVersion) -> int | None:
        size = self.sizes[one.version]
        return size if isinstance(size, int) else None

    def _goes(self, one: ModelVersion) -> bool:
        return one.version not in self.kept and self._bytes(one) is not None

    def _why(self, one: ModelVersion) -> str:
        if self._gone(one):
            return GONE
        size = self.sizes[one.version]
        return self.kept.get(one.version) or (size if isinstance(size, str) else "nothing needs it")

    def _gone(self, one: ModelVersion) -> bool:
        return self.sizes[one.version] == GONE
