"""Forms of the routers that split traffic between versions."""

from __future__ import annotations

from typing import Any

from model_lifecycle.forms.fields import BY_HTTP, Fields, by_http, connection_type, text


def routers() -> list[dict[str, Any]]:
    """``haproxy`` and ``envoy``."""
    return [
        _router(
            "haproxy",
            "haproxy.HaproxyHook",
            "HAProxy",
            {
                "socket": text(
                    "Runtime socket", "An absolute path as the workers see it, or host:port.", "/run/haproxy/admin.sock"
                ),
                "maps": text(
                    "Folder of the map files", "Where traffic.map and targets.map lie, as the workers see it.",
                    "/etc/haproxy/maps",
                ),
            },
        ),
        _router(
            "envoy",
            "envoy.EnvoyHook",
            "Envoy",
            {
                "admin": text("Admin", "The URL of Envoy's admin, as the workers reach it.", "http://127.0.0.1:9901"),
                "config": text(
                    "Folder of the watched files", "Where clusters.json and routes.json lie, as the workers see it.",
                    "/etc/envoy/watched",
                ),
            },
        ),
    ]  # fmt: skip


def _router(kind: str, hook: str, name: str, fields: Fields) -> dict[str, Any]:
    return connection_type(
        kind,
        hook,
        name,
        {**fields, **by_http()},
        labels={"host": "Router, as callers ask it", **BY_HTTP},
        placeholders={"host": "http://127.0.0.1", "port": "8080"},
    )
