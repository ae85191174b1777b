"""An Envoy as its admin shows it, and the files that it watches."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from uuid import uuid4

from model_lifecycle.core.errors import Invalid, ModelLifecycleError, Unavailable
from model_lifecycle.hooks.answers import reading
from model_lifecycle.hooks.envoy_config import ROUTES
from model_lifecycle.hooks.router_files import RouterFolder
from model_lifecycle.hooks.session import ConnectionSession

CLUSTERS_FILE = "clusters.json"
ROUTES_FILE = "routes.json"
APPLY_TIMEOUT = 15.0
"""Seconds in which Envoy must have loaded a changed file; it takes milliseconds where it can watch the folder."""

ADMIN_DEADLINE = 3.0
"""Seconds for one question to the admin, repetitions included: it lies beside Envoy and answers from memory."""

_WATCHED = {CLUSTERS_FILE: "cluster_manager.cds", ROUTES_FILE: f"http.models.rds.{ROUTES}"}
_WARMING = "cluster_manager.warming_clusters"


class EnvoyAdmin:
    """What runs.

    :param session: leads to Envoy's admin.
    """

    def __init__(self, session: ConnectionSession) -> None:
        self.session, self.target = session, session.target

    def routes(self) -> dict[str, Any]:
        """The route configuration that runs.

        :raises Unavailable: if Envoy is just starting and has none yet, which must not be taken for an empty one.
        """
        answer = self._ask("/config_dump", {"resource": "dynamic_route_configs"})
        with reading("GET /config_dump", "Envoy's admin", self.target):
            found = [dict(each["route_config"]) for each in answer.get("configs", []) if "route_config" in each]
            running = [each for each in found if each["name"] == ROUTES]
        if not running:
            raise Unavailable("Envoy has not loaded its routes", target=self.target)
        return running[0]

    def statistics(self, pattern: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Counters, gauges and texts by name, and the classes of histograms by name.

        :param pattern: a regular expression on the names.
        """
        params = {"format": "json", "filter": pattern, "histogram_buckets": "disjoint"}
        answer = self._ask("/stats", params)
        with reading("GET /stats", "Envoy's admin", self.target):
            histograms = [each for entry in answer["stats"] for each in entry.get("histograms", [])]
            values = {entry["name"]: entry["value"] for entry in answer["stats"] if "name" in entry}
            return values, {each["name"]: each["buckets"] for each in histograms}

    def watch(self, name: str) -> tuple[str, int, int]:
        """The version of a file that runs, how many Envoy refused so far, and how many clusters it still prepares."""
        watched = _WATCHED[name]
        refusals = [f"{watched}.update_rejected", f"{watched}.update_failure"]
        names = [f"{watched}.version_text", *refusals, _WARMING]
        values, _ = self.statistics(f"^({'|'.join(re.escape(each) for each in names)})$")
        refused = sum(int(values.get(each, 0)) for each in refusals)
        return str(values.get(names[0], "")), refused, int(values.get(_WARMING, 0))

    def _ask(self, path: str, params: dict[str, str]) -> Any:
        return self.session.call("GET", path, params=params, deadline=ADMIN_DEADLINE).json()


class WatchedFiles:
    """The files from which an Envoy takes clusters and routes, while it runs and when it starts."""

    def __init__(self, folder: RouterFolder, admin: EnvoyAdmin) -> None:
        self.folder, self.admin = folder, admin

    def apply(self, name: str, resources: list[dict[str, Any]]) -> None:
        """Write a file and wait until Envoy runs it; call it under the folder's lock.

        If it does not, the old file is put back. Killed in between, the change is made: Envoy needs nobody to load it.

        :raises Invalid: if Envoy refuses it; Unavailable if it does not load it in time.
        """
        runs, refused, _ = self.admin.watch(name)
        old = self.folder.read(name)
        if _parsed(old) == {"version_info": runs, "resources": resources}:
            return
        version = uuid4().hex
        self.folder.replace(name, json.dumps({"version_info": version, "resources": resources}))
        try:
            self._wait(name, version, refused)
        except ModelLifecycleError:
            self.folder.replace(name, old)
            raise

    def _wait(self, name: str, version: str, refused: int) -> None:
        end = time.monotonic() + APPLY_TIMEOUT
        while time.monotonic() < end:
            runs, refusals, warming = self.admin.watch(name)
            if runs == version and not warming:
                return
            if refusals > refused:
                hint = "Envoy's log says why, in a line with the words: Filesystem config update"
                raise Invalid(f"Envoy refused the new {name}", target=self.admin.target, hint=hint)
            time.sleep(0.02)
        hint = "Envoy learns of a change by inotify, which a folder on another machine, or a copy, does not have"
        raise Unavailable(f"Envoy did not load the new {name} in time", target=self.admin.target, hint=hint)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
