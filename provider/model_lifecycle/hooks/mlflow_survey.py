"""All models at one look, for whoever watches many: one request however many models are watched.

Observed with MLflow 3.17: a search of registered models answers with every model's aliases and, for each stage, its
newest version, but with no tags of older versions; a search of versions by their tags crosses all models, and leaves
out the aliases. Both answer at most 1,000 models, or the versions asked for, in one page.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.registry import ModelRegistryHook, ModelState

MODELS, VERSIONS = 1000, 10_000
"""The rows of one page."""
_QUOTABLE = re.compile(r"[A-Za-z0-9._ :/@+-]{1,250}")


class MlflowSurvey(ModelRegistryHook):
    """The part of the registry that looks at all models at once."""

    @abstractmethod
    def _call(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]: ...

    def survey(self) -> dict[str, ModelState]:
        """The newest version and the aliases of every model."""
        found = {}
        for row in self._rows("registered-models/search", "registered_models", {"max_results": MODELS}):
            newest = max((int(one["version"]) for one in row.get("latest_versions", [])), default=0)
            aliases = {pair["alias"]: int(pair["version"]) for pair in row.get("aliases", [])}
            found[row["name"]] = ModelState(newest, aliases)
        return found

    def tagged(self, tags: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
        """The versions with all these tags, ascending, of every model that has one.

        :raises Invalid: if there is no tag, or one that MLflow's search cannot quote.
        """
        for text in (*tags, *tags.values()):
            if not _QUOTABLE.fullmatch(text):
                raise Invalid(
                    f"MLflow cannot search for {ascii(text)[:100]}", hint="use letters, digits and . _ : / @ + -"
                )
        if not tags:
            raise Invalid("no tag is named", hint="name at least one")
        wanted = " AND ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        found: dict[str, set[int]] = {}
        for row in self._rows("model-versions/search", "model_versions", {"filter": wanted, "max_results": VERSIONS}):
            # Once more here: some databases ignore the case of letters.
            if tags.items() <= {tag["key"]: tag.get("value", "") for tag in row.get("tags", [])}.items():
                found.setdefault(row["name"], set()).add(int(row["version"]))
        return {name: tuple(sorted(numbers)) for name, numbers in found.items()}

    def _rows(self, path: str, key: str, params: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
        while True:
            answer = self._call("GET", path, params=params)
            yield from answer.get(key, [])
            token = answer.get("next_page_token")
            if not token or token == params.get("page_token"):
                return
            params = {**params, "page_token": token}
