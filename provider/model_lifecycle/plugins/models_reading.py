"""What the Models page reads: the ledger in the model store, the serving systems, and the registry.

Each of them may be away. What the others know is told all the same, and ``problems`` names who did not answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from airflow.providers.common.compat.sdk import conf

from model_lifecycle.core import telling
from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.release import Release
from model_lifecycle.hooks.registry import registry_hook
from model_lifecycle.hooks.serving import serving_hook
from model_lifecycle.hooks.store import open_store
from model_lifecycle.plugins.lookups import Asked, Lookups, Told
from model_lifecycle.stores.remembered import RememberedLedger

SECTION = "model_lifecycle"
STORE, REGISTRY = "the model store", "the model registry"
_RUNS: dict[str, tuple[float, dict[str, float]]] = {}
"""The metrics of training runs that were read a moment ago."""
WALKED = 6
"""How many releases are read to find since when a version serves."""
Json = dict[str, Any]
Live = tuple[Mapping[int, int], Mapping[int, str]]


class ModelsReading:
    """One for each API server process."""

    def __init__(self, lookups: Lookups | None = None) -> None:
        self.lookups = lookups or Lookups()

    def endpoints(self, query: str, offset: int, limit: int) -> Json:
        """A page of endpoints by name: what serves, since when, whether it is well, and the way back."""
        deadline = self.lookups.deadline()
        names = self._ask(STORE, "endpoints", _names, deadline)
        found = [name for name in names.value or () if query.lower() in name.lower()]
        shown = found[offset : offset + limit]
        told = [self._endpoint(name) for name in shown]
        rows = [self._joined(name, *one, deadline) for name, one in zip(shown, told, strict=True)]
        # A deadline of its own: the registry is not late because a serving system was.
        self._add_drift(rows, self.lookups.deadline())
        problems = [names.problem, *(problem for row in rows for problem in row["problems"])]
        # One system that is away is one sentence, however many endpoints it has.
        return {"endpoints": rows, "total": len(found), "offset": offset, "problems": _once(problems)}

    def releases(self, name: str, before: int | None, limit: int) -> Json:
        """A page of an endpoint's releases, the newest first."""
        endpoint = Endpoint.parse(name)
        told = self._ask(STORE, ("releases", name, before, limit), lambda: _page(endpoint, before, limit))
        releases, following = told.value or ([], None)
        rows = [telling.summary(release) for release in releases]
        return {"endpoint": name, "releases": rows, "next": following, "problems": _once([told.problem])}

    def release(self, name: str, opened: int) -> Json:
        """One release, entry by entry.

        :raises NotFound: if this generation opened none.
        """
        endpoint = Endpoint.parse(name)
        told = self._ask(STORE, ("release", name, opened), lambda: [_release(endpoint, opened)])
        if told.value == [None]:
            raise NotFound(f"no release of {name} begins at generation {opened}", target=name)
        rows = [telling.timeline(release) for release in told.value or () if release]
        return {"endpoint": name, "release": rows[0] if rows else None, "problems": _once([told.problem])}

    def models(self, query: str, token: str, limit: int) -> Json:
        """A page of models by name."""
        question = ("models", query, token, limit)
        told = self._ask(REGISTRY, question, lambda: _pages().models(query, token, limit))
        return {**(told.value or {"models": [], "next": None}), "problems": _once([told.problem])}

    def versions(self, name: str, token: str, limit: int) -> Json:
        """A page of a model's versions, the newest first."""
        question = ("versions", name, token, limit)
        told = self._ask(REGISTRY, question, lambda: _pages().versions(name, token, limit))
        empty: Json = {"model": telling.text(name), "champion": None, "versions": [], "next": None}
        return {**(told.value or empty), "problems": _once([told.problem])}

    def _ask(self, system: str, question: Any, call: Any, deadline: float | None = None) -> Told[Any]:
        asked = self.lookups.ask(system, question, call)
        return self.lookups.told(system, asked, self.lookups.deadline() if deadline is None else deadline)

    def _endpoint(self, name: str) -> tuple[Asked[list[Release]], Asked[Live]]:
        endpoint = Endpoint.parse(name)
        releases = self.lookups.ask(STORE, ("walk", name), lambda: _page(endpoint, None, WALKED)[0])
        live = self.lookups.ask(endpoint.conn_id, endpoint.model, lambda: _live(endpoint))
        return releases, live

    def _joined(self, name: str, releases: Asked[list[Release]], live: Asked[Live], deadline: float) -> Json:
        endpoint = Endpoint.parse(name)
        story = self.lookups.told(STORE, releases, deadline)
        seen = self.lookups.told(endpoint.conn_id, live, deadline)
        problems = _once([story.problem, seen.problem])
        traffic, states = seen.value or (None, None)
        about = {"endpoint": name, "conn_id": endpoint.conn_id, "model": endpoint.model, "problems": problems}
        if not story.value:
            word = {"word": telling.UNKNOWN, "reasons": [telling.text(one) for one in problems]}
            return {**about, "health": word, "release": None}
        told = telling.endpoint(story.value, traffic, states, telling.text(seen.problem))
        return {**told, **about}

    def _add_drift(self, rows: list[Json], deadline: float) -> None:
        """What the newest drift reports of what serves found; all are asked for before any is waited for."""
        serving = [(row, row["model"], row["serving"]["version"]) for row in rows if row.get("serving")]
        asked = [(row, self.lookups.ask(REGISTRY, ("drift", *what), partial(_drift, *what))) for row, *what in serving]
        for row, one in asked:
            found = self.lookups.told(REGISTRY, one, deadline)
            row["drift"] = found.value
            row["problems"] += _once([found.problem])


def _names() -> list[str]:
    return sorted(_store().logs())


def _page(endpoint: Endpoint, before: int | None, limit: int) -> tuple[list[Release], int | None]:
    return RememberedLedger(_store(), endpoint).page(before, limit)


def _release(endpoint: Endpoint, opened: int) -> Release | None:
    return RememberedLedger(_store(), endpoint).release(opened)


def _live(endpoint: Endpoint) -> Live:
    hook = serving_hook(endpoint.conn_id)
    states = {version: str(state) for version, state in hook.versions(endpoint.model).items()}
    return hook.traffic(endpoint.model), states


def _store() -> Any:
    uri = conf.get(SECTION, "store", fallback=None)
    if not uri:
        raise Invalid("no model store is named", hint="set [model_lifecycle] store for the API server too")
    return open_store(str(uri))


def _pages() -> Any:
    from model_lifecycle.hooks.mlflow import MlflowHook
    from model_lifecycle.hooks.mlflow_pages import RegistryPages

    conn_id = str(conf.get(SECTION, "registry_conn_id", fallback="mlflow_default"))
    hook = registry_hook(conn_id)
    if not isinstance(hook, MlflowHook):
        raise Invalid("this registry shows no pages", target=conn_id, hint="use a connection of type mlflow")
    return RegistryPages(hook, _RUNS)


def _drift(model: str, version: int) -> Json | None:
    found: Json | None = _pages().drift(model, version)
    return found


def _once(problems: list[str]) -> list[str]:
    return [telling.text(one) for one in dict.fromkeys(problems) if one]
