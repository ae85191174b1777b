"""What an Envoy is told, as values: from the models' targets and traffic to xDS resources, and back. Pure.

Envoy compares one random number for each request with the fraction of every route that it tries, so the fractions of
a model's routes are running sums: 25, 75 and no bound stand for 25, 50 and 25 per cent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from model_lifecycle.core.counts import BUCKETS
from model_lifecycle.hooks.router import VERSION_HEADER
from model_lifecycle.hooks.targets import Target

SHADOW_HEADER = "x-model-shadow"
"""In a copy of a request: the ``<model>/<version>`` that is to answer it; Envoy strips it from what callers send."""
ROUTES = "models"
TIMEOUT = "60s"
INFINITE_MS = 3_600_000
"""The bound in milliseconds that stands for an infinite one: no request takes an hour."""

READY_PATH = "/v2/health/ready"
_READY: dict[str, Any] = {
    "match": {"path": READY_PATH},
    "direct_response": {"status": 200, "body": {"inline_string": '{"ready": true, "router": "envoy"}'}},
    "response_headers_to_add": [
        {"header": {"key": "content-type", "value": "application/json"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    ],
}
_TYPE = "type.googleapis.com/envoy.config"
_METADATA = "model_lifecycle"


@dataclass(frozen=True)
class ModelRoutes:
    """One model: where its versions answer, and how its requests are shared out and copied, in per cent."""

    targets: Mapping[int, Target] = field(default_factory=dict)
    traffic: Mapping[int, int] = field(default_factory=dict)
    mirrored: Mapping[int, int] = field(default_factory=dict)


Table = Mapping[str, ModelRoutes]


def clusters(tables: Iterable[Table]) -> list[dict[str, Any]]:
    """A cluster for every address in any of the tables; counters go by version, so they outlive a move."""
    found = {
        _cluster_name(model, version, target): _cluster(model, version, target)
        for table in tables
        for model, routes in table.items()
        for version, target in routes.targets.items()
    }
    return [found[name] for name in sorted(found)]


def route_configuration(table: Table) -> dict[str, Any]:
    """All routes, in the order in which Envoy tries them: copies, pins, what is pinned to nobody, traffic, nothing."""
    models = sorted(table.items())
    routes = [_READY]
    routes += [_shadow(model, each, version) for model, each in models for version in sorted(each.mirrored)]
    routes += [pin for model, each in models for version in sorted(each.targets) for pin in _pins(model, each, version)]
    routes.append(_nobody("this version of the model is not attached to the router", _present(VERSION_HEADER)))
    for model, each in models:
        routes += _splits(model, each)
    routes.append(_nobody("no version of this model has traffic"))
    hosts = [{"name": ROUTES, "domains": ["*"], "routes": routes}]
    kind = f"{_TYPE}.route.v3.RouteConfiguration"
    return {"@type": kind, "name": ROUTES, "validate_clusters": True, "virtual_hosts": hosts}


def read_table(configuration: Mapping[str, Any]) -> dict[str, ModelRoutes]:
    """What a route configuration that runs means; the fractions and copies are read where Envoy reads them.

    :raises KeyError: or TypeError, ValueError, IndexError or Invalid, if it is not of this module's making.
    """
    targets: dict[str, dict[int, Target]] = {}
    traffic: dict[str, dict[int, int]] = {}
    mirrored: dict[str, dict[int, int]] = {}
    for route in configuration["virtual_hosts"][0]["routes"]:
        mark = route.get("metadata", {}).get("filter_metadata", {}).get(_METADATA, {})
        model, version = str(mark.get("model")), int(mark.get("version", 0))
        if mark.get("kind") == "pin":
            targets.setdefault(model, {})[version] = Target.parse(mark["url"], model, version)
        elif mark.get("kind") == "split" and route["match"]["path"] == _paths(model)[0]:
            shares = traffic.setdefault(model, {})
            shares[version] = _bound(route) - sum(shares.values())
            mirrored[model] = _copies(route)
    return {model: ModelRoutes(targets[model], traffic.get(model, {}), mirrored.get(model, {})) for model in targets}


def _cluster_name(model: str, version: int, target: Target) -> str:
    return f"{model}/{version}@{target.authority}"


def _cluster(model: str, version: int, target: Target) -> dict[str, Any]:
    name = _cluster_name(model, version, target)
    address = {"socket_address": {"address": target.address, "port_value": target.port}}
    is_name = not (target.host.startswith("[") or re.fullmatch(r"[0-9.]+", target.host))
    limits = {"max_connections": 4096, "max_pending_requests": 4096, "max_requests": 4096}
    # An idle connection is given up before any server does it (gunicorn after 2 s, uvicorn after 5 s): one that the
    # version closes in the moment in which it is used again would cost a caller the answer.
    options = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"idle_timeout": "1s"},
        "explicit_http_config": {"http_protocol_options": {}},
    }
    return {
        "@type": f"{_TYPE}.cluster.v3.Cluster",
        "name": name,
        "alt_stat_name": f"{model}/{version}",
        "type": "LOGICAL_DNS" if is_name else "STATIC",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [limits]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def _shadow(model: str, routes: ModelRoutes, version: int) -> dict[str, Any]:
    match = {"prefix": "/", **_equal(SHADOW_HEADER, f"{model}/{version}")}
    return {**_route("shadow", model, version, routes.targets[version]), "match": match}


def _pins(model: str, routes: ModelRoutes, version: int) -> list[dict[str, Any]]:
    route = _route("pin", model, version, routes.targets[version])
    return _at_paths(route, model, _equal(VERSION_HEADER, str(version)))


def _splits(model: str, routes: ModelRoutes) -> list[dict[str, Any]]:
    found, sum_so_far = [], 0
    for version, share in sorted(routes.traffic.items()):
        sum_so_far += share
        route = _route("split", model, version, routes.targets[version])
        if routes.mirrored:
            route["route"]["request_mirror_policies"] = [_mirror(model, *each) for each in routes.mirrored.items()]
        found += _at_paths(route, model, {"runtime_fraction": _fraction(sum_so_far)} if sum_so_far < 100 else {})
    return found


def _at_paths(route: dict[str, Any], model: str, match: dict[str, Any]) -> list[dict[str, Any]]:
    # One route for each path: Envoy refuses a regular expression as long as three times a name may be.
    return [{**route, "match": {"path": path, **match}} for path in _paths(model)]


def _route(kind: str, model: str, version: int, target: Target) -> dict[str, Any]:
    action = {
        "cluster": _cluster_name(model, version, target),
        "timeout": TIMEOUT,
        "host_rewrite_literal": target.authority,
        "regex_rewrite": {"pattern": {"regex": "^[^?]*"}, "substitution": target.path},
    }
    mark = {"kind": kind, "model": model, "version": str(version), "url": target.url}
    return {
        "name": f"{kind} {model}/{version}",
        "route": action,
        "response_headers_to_add": [_header(VERSION_HEADER, str(version))],
        "request_headers_to_remove": [SHADOW_HEADER],
        "metadata": {"filter_metadata": {_METADATA: mark}},
    }


def _mirror(model: str, version: int, percent: int) -> dict[str, Any]:
    # A copy carries the path of the version that answers. It goes to Envoy's own inner listener, where its header
    # leads it to the route of the shadow version, with that version's own path and counters.
    return {
        "cluster": "shadows",
        "runtime_fraction": _fraction(percent),
        "disable_shadow_host_suffix_append": True,
        "request_headers_mutations": [{"append": _header(SHADOW_HEADER, f"{model}/{version}")}],
    }


def _copies(route: Mapping[str, Any]) -> dict[int, int]:
    found = {}
    for policy in route["route"].get("request_mirror_policies", []):
        value = policy["request_headers_mutations"][0]["append"]["header"]["value"]
        found[int(value.rpartition("/")[2])] = int(policy["runtime_fraction"]["default_value"]["numerator"])
    return found


def _bound(route: Mapping[str, Any]) -> int:
    fraction = route["match"].get("runtime_fraction")
    return 100 if fraction is None else int(fraction["default_value"]["numerator"])


def _nobody(said: str, match: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "match": {"prefix": "/", **(match or {})},
        "direct_response": {"status": 404, "body": {"inline_string": f'{{"error": "{said}"}}'}},
        "response_headers_to_add": [_header("content-type", "application/json")],
    }


def _paths(model: str) -> tuple[str, ...]:
    return f"/{model}", f"/v2/models/{model}/infer", f"/predictions/{model}"


def _equal(header: str, value: str) -> dict[str, Any]:
    return {"headers": [{"name": header, "string_match": {"exact": value}}]}


def _present(header: str) -> dict[str, Any]:
    return {"headers": [{"name": header, "present_match": True}]}


def _header(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _fraction(percent: int) -> dict[str, Any]:
    return {"default_value": {"numerator": percent, "denominator": "HUNDRED"}}


def bucket_bounds() -> list[float]:
    """The classes of :data:`~model_lifecycle.core.counts.BUCKETS` in milliseconds, as envoy.yaml must hold them."""
    return [*(round(bound * 1000, 4) for bound in BUCKETS[:-1]), INFINITE_MS]
