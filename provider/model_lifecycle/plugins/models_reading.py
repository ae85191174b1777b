"""What the Models page reads: the ledger in the model store, the serving systems, and the registry.

Each of them may be away. What the others know is told all the same, and ``problems`` names who did not answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
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
LOOKED = 60
"""How many releases of an endpoint are looked through for those of a DAG run."""
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
        shown = [Endpoint.parse(name) for name in found[offset : offset + limit]]
        # All are asked for before any is waited for.
        asked = [(self._ask_story(one), self._ask_live(one)) for one in shown]
        stories = [self.lookups.told(STORE, story, deadline) for story, _ in asked]
        judged = [self._ask_judged(one, story.value) for one, story in zip(shown, stories, strict=True)]
        lives = [self.lookups.told(one.conn_id, live, deadline) for one, (_, live) in zip(shown, asked, strict=True)]
        # A deadline of its own: the registry is not late because a serving system was.
        later = self.lookups.deadline()
        notes = [self.lookups.told(REGISTRY, one, later) if one else Told() for one in judged]
        rows = [_row(*one) for one in zip(shown, stories, lives, notes, strict=True)]
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

    def run(self, dag: str, run: str, since: datetime) -> Json:
        """What a DAG run did: the releases that its tasks wrote, and the versions that they registered.

        :param since: when the run began; releases that ended before are not looked through.
        """
        deadline = self.lookups.deadline()
        versions = self.lookups.ask(REGISTRY, ("run", dag, run), lambda: _pages().of_run(dag, run))
        names = self._ask(STORE, "endpoints", _names, deadline)
        asked = [
            self.lookups.ask(STORE, ("run", name, dag, run), partial(_of_run, Endpoint.parse(name), dag, run, since))
            for name in names.value or ()
        ]
        told = [self.lookups.told(STORE, one, deadline) for one in asked]
        made = self.lookups.told(REGISTRY, versions, deadline)
        releases = sorted((release for one in told for release in one.value or ()), key=lambda one: one.entries[0].at)
        problems = [names.problem, *(one.problem for one in told), made.problem]
        rows = [telling.summary(release) for release in releases]
        return {"releases": rows, "versions": made.value or [], "problems": _once(problems)}

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

    def _ask_story(self, endpoint: Endpoint) -> Asked[list[Release]]:
        question = ("walk", str(endpoint))
        return self.lookups.ask(STORE, question, lambda: _page(endpoint, None, WALKED)[0])

    def _ask_live(self, endpoint: Endpoint) -> Asked[Live]:
        return self.lookups.ask(endpoint.conn_id, endpoint.model, lambda: _live(endpoint))

    def _ask_judged(self, endpoint: Endpoint, story: list[Release] | None) -> Asked[Json] | None:
        """What drift reports and monitors found of what serves, if anything does."""
        serving = story[0].standing.serving if story else None
        if serving is None:
            return None
        what = endpoint.model, serving.version
        return self.lookups.ask(REGISTRY, ("judged", *what), lambda: _pages().judged(*what))


def _row(endpoint: Endpoint, story: Told[list[Release]], live: Told[Live], note: Told[Json]) -> Json:
    problems = _once([story.problem, live.problem, note.problem])
    about = {"endpoint": str(endpoint), "conn_id": endpoint.conn_id, "model": endpoint.model, "problems": problems}
    if not story.value:
        return {**about, "health": {"word": telling.UNKNOWN, "reasons": problems}, "release": None}
    traffic, states = live.value or (None, None)
    judged = note.value or {}
    check = judged.get("check")
    monitored = check if check and check["endpoint"] == str(endpoint) else None
    told = telling.endpoint(story.value, traffic, states, telling.text(live.problem), monitored)
    return {**told, **about, "drift": judged.get("drift")}


def _names() -> list[str]:
    return sorted(_store().logs())


def _page(endpoint: Endpoint, before: int | None, limit: int) -> tuple[list[Release], int | None]:
    return RememberedLedger(_store(), endpoint).page(before, limit)


def _release(endpoint: Endpoint, opened: int) -> Release | None:
    return RememberedLedger(_store(), endpoint).release(opened)


def _of_run(endpoint: Endpoint, dag: str, run: str, since: datetime) -> list[Release]:
    """The releases that tasks of this run wrote, at most :data:`LOOKED` releases back."""
    ledger, found, before = RememberedLedger(_store(), endpoint), [], None
    for _ in range(0, LOOKED, WALKED):
        releases, before = ledger.page(before, WALKED)
        found += [one for one in releases if _wrote(one, dag, run)]
        if before is None or releases[-1].last.at < since:
            break
    return found


def _wrote(release: Release, dag: str, run: str) -> bool:
    return any(entry.actor.get("dag") == dag and entry.actor.get("run") == run for entry in release.entries)


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


def _once(problems: list[str]) -> list[str]:
    return [telling.text(one) for one in dict.fromkeys(problems) if one]
