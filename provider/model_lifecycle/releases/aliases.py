"""The aliases of one model, read and set in the order of Law 7."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from model_lifecycle.core.errors import NotFound
from model_lifecycle.core.models import CHAMPION, PREVIOUS, ModelUri
from model_lifecycle.hooks.registry import ModelRegistryHook

log = logging.getLogger(__name__)


class Aliases:
    """What ``champion`` and ``previous`` of one model name."""

    def __init__(self, registry: ModelRegistryHook, model: str) -> None:
        self.registry, self.model = registry, model

    def found(self) -> dict[str, int]:
        """The versions that ``champion`` and ``previous`` name now."""
        found = {}
        for alias in (CHAMPION, PREVIOUS):
            try:
                found[alias] = self.registry.get(ModelUri(self.model, alias=alias)).version
            except NotFound:
                continue
        return found

    def align(self, aliases: Mapping[str, int | None]) -> None:
        """Set these, ``previous`` first; None deletes."""
        for alias in (PREVIOUS, CHAMPION):
            if alias not in aliases:
                continue
            version = aliases[alias]
            log.info("Alias %s of %s: version %s", alias, self.model, version)
            if version is None:
                self.registry.delete_alias(self.model, alias)
            else:
                self.registry.set_alias(self.model, alias, version)
