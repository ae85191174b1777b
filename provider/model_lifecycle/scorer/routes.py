"""What survives a restart: each model's traffic and which of its versions were loaded, in ``<model>/route.json``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_lifecycle.core.errors import Corrupt, Invalid
from model_lifecycle.scorer.protocol import shown
from model_lifecycle.stores.disk import sync_folder

ROUTE_FILE = "route.json"


@dataclass(frozen=True)
class Route:
    """Per cent by version for unversioned requests, and the versions that are to be in memory."""

    traffic: Mapping[int, int]
    loaded: frozenset[int]

    @classmethod
    def of(cls, traffic: Mapping[int, int], loaded: Iterable[int]) -> Route:
        """A route whose traffic goes only to versions in memory."""
        return cls(dict(sorted(traffic.items())), frozenset(loaded) | set(traffic))


def read_traffic(value: Any) -> dict[int, int]:
    """A traffic map from JSON: version (digits) to per cent; zeros are dropped, the rest sums to 100 or is empty.

    :raises Invalid: if it is anything else.
    """
    if not isinstance(value, dict):
        raise Invalid("traffic is not an object of version and per cent")
    for version, percent in value.items():
        read_version(version)
        if type(percent) is not int or not 0 <= percent <= 100:
            raise Invalid(f"traffic of version {shown(version)} is not a whole number from 0 to 100")
    traffic = {int(version): percent for version, percent in value.items() if percent}
    if traffic and sum(traffic.values()) != 100:
        raise Invalid(f"traffic sums to {sum(traffic.values())}, not to 100")
    return traffic


def read_version(value: Any) -> int:
    """A version as it stands in a URL or in JSON: digits without a leading zero.

    :raises Invalid: if it is anything else.
    """
    text = str(value) if type(value) in (int, str) else ""
    if not text.isascii() or not text.isdigit() or text.startswith("0") or len(text) > 18:
        raise Invalid(f"version {shown(value)} is not a number above 0")
    return int(text)


def read_route(folder: Path) -> Route | None:
    """The route of a model's folder, or None if it has none.

    :raises Corrupt: if the file holds anything but a route.
    """
    path = folder / ROUTE_FILE
    if not path.exists():
        return None
    try:
        value = json.loads(path.read_bytes())
        return Route.of(read_traffic(value["traffic"]), map(read_version, value["loaded"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError, Invalid) as error:
        raise Corrupt(f"{path} holds no route: {error}", hint="set the route again, or repair the file") from error


def write_route(folder: Path, route: Route) -> None:
    """Replace the route, whole or not at all, on disk when this returns.

    :raises OSError: if it could not be written; the old route stands.
    """
    value = {"traffic": {str(v): p for v, p in route.traffic.items()}, "loaded": sorted(route.loaded)}
    part = folder / f".{ROUTE_FILE}.part"
    with part.open("wb") as out:
        out.write(json.dumps(value).encode())
        out.flush()
        os.fsync(out.fileno())
    part.replace(folder / ROUTE_FILE)
    sync_folder(folder)
