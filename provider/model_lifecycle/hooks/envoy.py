"""Envoy as the router of endpoints, run with the ``routers/envoy.yaml`` of this package.

Traffic is a file of routes that Envoy watches, each version's route with a fraction of the requests, so one rename
moves all of it at once and a restart finds it again. The ``/runtime_modify`` of Envoy's admin, which needs no file,
is forgotten at a restart. What is read back comes from the admin: what runs, not what was written.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from model_lifecycle.core.counts import BUCKETS, Counts
from model_lifecycle.core.errors import Conflict, Invalid, Unavailable
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.envoy_admin import CLUSTERS_FILE, ROUTES_FILE, EnvoyAdmin, WatchedFiles
from model_lifecycle.hooks.envoy_config import (
    ModelRoutes,
    Table,
    bucket_bounds,
    clusters,
    read_table,
    route_configuration,
)
from model_lifecycle.hooks.router import RouterHook, check_traffic
from model_lifecycle.hooks.router_files import RouterFolder
from model_lifecycle.hooks.session import ConnectionSession
from model_lifecycle.hooks.targets import Target, version_key

_COUNTERS = ("upstream_rq_completed", "upstream_rq_4xx", "upstream_rq_5xx", "upstream_rq_timeout")
# Envoy has no counter of requests whose caller hung up. It closes their connection, and those of its own time-outs.
_CLOSED = "upstream_cx_destroy_local_with_active_rq"
_COLLECT = 5
_GAUGES = ("upstream_rq_active", "upstream_rq_pending_active")


class EnvoyHook(RouterHook):
    """One Envoy behind a connection of type ``envoy``.

    Host and port are what callers ask. Extras: ``admin``, the URL of Envoy's admin, which everybody can use who can
    reach it, so it listens on a loopback address; ``config``, the folder of the two files that Envoy watches, as the
    workers see it; ``verify``, ``cert``, ``key`` and ``timeout`` as for every server
    (:mod:`model_lifecycle.hooks.session`).

    :param router_conn_id: the connection; ``envoy_default`` by default.
    """

    default_conn_name = "envoy_default"
    conn_type = "envoy"
    hook_name = "Envoy"
    can_mirror = True

    def prove_connection(self) -> str:
        """Prove address, admin and folder."""
        self.require_ready("host and port are the listener models of envoy.yaml")
        self._table()
        self._files.folder.check()
        return "Envoy answers callers, and its files can be changed"

    def backends(self, model: str) -> dict[int, str]:
        """The URL of each attached version; see the contract."""
        return {version: target.url for version, target in self._model(model).targets.items()}

    def attach(self, model: str, version: int, url: str) -> None:
        """Make a version reachable under its header; see the contract. Envoy resolves a host name again and again."""
        version_key(model, version)
        target = Target.parse(url, model, version)
        with self._files.folder.lock():
            routes = self._model(model)
            self._put(model, replace(routes, targets={**routes.targets, version: target}))

    def detach(self, model: str, version: int) -> None:
        """Forget a version; see the contract."""
        version_key(model, version)
        with self._files.folder.lock():
            routes = self._model(model)
            for word, shares in (("has traffic", routes.traffic), ("is mirrored to", routes.mirrored)):
                if version in shares:
                    raise Conflict(f"the version {word}", target=self.session.target, model=model, version=version)
            left = {number: target for number, target in routes.targets.items() if number != version}
            self._put(model, replace(routes, targets=left))

    def traffic(self, model: str) -> dict[int, int]:
        """Per cent by version, read from the routes that run."""
        return dict(self._model(model).traffic)

    def route(self, model: str, traffic: Mapping[int, int]) -> None:
        """Set the traffic by one file; see the contract. Ending it ends mirroring too: nothing is left to copy."""
        check_name(model, "model name")
        check_traffic(traffic, self.session.target)
        shares = {version: share for version, share in traffic.items() if share}
        with self._files.folder.lock():
            routes = self._model(model)
            self.require_attached(model, shares, routes.targets)
            self._put(model, replace(routes, traffic=shares, mirrored=routes.mirrored if shares else {}))

    def mirrored(self, model: str) -> dict[int, int]:
        """Per cent of requests that are copied, read from the routes that run."""
        return dict(self._model(model).mirrored)

    def mirror(self, model: str, mirrored: Mapping[int, int]) -> None:
        """Send copies of unpinned requests to one version; see the contract.

        :raises Conflict: also if the model has no traffic: there is nothing to copy.
        """
        check_name(model, "model name")
        if any(type(share) is not int or not 0 <= share <= 100 for share in mirrored.values()) or len(mirrored) > 1:
            message = f"{dict(mirrored)} is not one version with whole per cent"
            raise Invalid(message, target=self.session.target, model=model)
        shares = {version: share for version, share in mirrored.items() if share}
        with self._files.folder.lock():
            routes = self._model(model)
            self.require_attached(model, shares, routes.targets)
            if shares and not routes.traffic:
                raise Conflict("there is no traffic to mirror", target=self.session.target, model=model)
            self._put(model, replace(routes, mirrored=shares))

    def in_flight(self, model: str, version: int) -> int:
        """How many requests the version is answering now, copies included."""
        key = version_key(model, version)
        values, _ = self._statistics(model, _GAUGES)
        return sum(values.get(f"cluster.{key}.{name}", 0) for name in _GAUGES)

    def counts(self, model: str) -> dict[int, Counts]:
        """What Envoy counted, copies included; a request whose caller hung up before the answer is an error.

        Times end with the answer's last byte, are of whole milliseconds, and are missing where no answer came.
        """
        attached = self._model(model).targets
        names = (*_COUNTERS, _CLOSED, "upstream_rq_time")
        # To be asked makes Envoy collect the times of its threads, and it answers before it has them.
        wanted = self._read_counts(model, names, attached)
        for _ in range(_COLLECT):
            counts = self._read_counts(model, names, attached)
            if all(sum(counts[version].latency.values()) >= _timed(wanted[version]) for version in attached):
                break
            time.sleep(0.02)
        return counts

    def _read_counts(self, model: str, names: tuple[str, ...], attached: Mapping[int, Target]) -> dict[int, Counts]:
        values, times = self._statistics(model, names)
        try:
            return {version: _counts(values, times, version_key(model, version)) for version in attached}
        except (KeyError, TypeError, ValueError) as error:
            message, hint = (
                "Envoy counts times in other classes than ours",
                "run it with the envoy.yaml of this package",
            )
            raise Invalid(message, target=self._admin.target, model=model, hint=hint) from error

    @cached_property
    def _admin(self) -> EnvoyAdmin:
        from airflow.sdk import Connection

        extra = self.connection.extra_dejson
        if not isinstance(extra.get("admin"), str):
            hint = "set it as the admin address of envoy.yaml, such as http://127.0.0.1:9901"
            raise Invalid("the extra admin is no URL", target=self.conn_id, hint=hint)
        kept = {name: extra[name] for name in ("verify", "ca", "cert", "key", "timeout") if name in extra}
        conn_id = f"the admin of {self.conn_id}"
        admin = Connection(conn_id=conn_id, conn_type="http", host=extra["admin"], extra=json.dumps(kept))
        return EnvoyAdmin(ConnectionSession(admin))

    @cached_property
    def _files(self) -> WatchedFiles:
        folder = self.folder("config", f"set it to the folder of {ROUTES_FILE}, as the workers see it")
        return WatchedFiles(RouterFolder(folder, (CLUSTERS_FILE, ROUTES_FILE), self.session.target), self._admin)

    def _model(self, model: str) -> ModelRoutes:
        check_name(model, "model name")
        return self._table().get(model, ModelRoutes())

    def _table(self) -> dict[str, ModelRoutes]:
        configuration = self._admin.routes()
        try:
            return read_table(configuration)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, Invalid) as error:
            hint = "is the extra admin that of an Envoy with the envoy.yaml of this package?"
            raise Invalid("the routes that run are not of our making", target=self._admin.target, hint=hint) from error

    def _put(self, model: str, routes: ModelRoutes) -> None:
        """Change one model, in an order that never leaves a route without its cluster."""
        before = self._table()
        after = {**before, model: routes}
        if not routes.targets:
            del after[model]
        self._files.apply(CLUSTERS_FILE, clusters([before, after]))
        self._files.apply(ROUTES_FILE, [route_configuration(after)])
        self._files.apply(CLUSTERS_FILE, clusters([after]))
        self._prove(model, after)

    def _prove(self, model: str, after: Table) -> None:
        if self._model(model) != after.get(model, ModelRoutes()):
            message = "Envoy does not run what was written: another writer, or a restart"
            raise Unavailable(message, target=self._admin.target, model=model)

    def _statistics(self, model: str, names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._admin.statistics(rf"^cluster\.{re.escape(model)}/[0-9]+\.({'|'.join(names)})$")


def _counts(values: Mapping[str, Any], times: Mapping[str, Any], key: str) -> Counts:
    completed, refused, errors, late = (int(values.get(f"cluster.{key}.{name}", 0)) for name in _COUNTERS)
    hung_up = max(int(values.get(f"cluster.{key}.{_CLOSED}", 0)) - late, 0)
    bounds, latency = dict(zip(bucket_bounds(), BUCKETS, strict=True)), dict.fromkeys(BUCKETS, 0)
    for bucket in times.get(f"cluster.{key}.upstream_rq_time", []):
        latency[bounds[bucket["upper_bound"]]] = int(bucket["cumulative"])
    return Counts(completed + hung_up, errors + hung_up, refused, latency)


def _timed(counts: Counts) -> int:
    return counts.requests - counts.errors
