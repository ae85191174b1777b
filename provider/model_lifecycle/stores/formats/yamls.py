"""YAML that makes plain values only, and no more of them than are written down."""

from __future__ import annotations

import re
from typing import Any

import yaml

from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import Trip

MAX_YAML = 1 << 20
MAX_NODES = 100_000
"""Nodes of a file once its references are written out."""
MAX_NESTED = 100
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAGS = re.compile(
    r"tag:yaml\.org,2002:(str|int|float|bool|null|seq|map|timestamp|binary|set|omap|pairs|merge|value)|!"
)


def check(blob: Blob, where: str, trip: Trip) -> str:
    """Hold a YAML file to plain values and return its text.

    :raises Untrusted: if it has other tags than YAML's own, is larger than 1 MiB, nested deeper than 100, broken, or
        refers to its own parts until it fills the memory.
    """
    if blob.size > MAX_YAML:
        raise trip.refuse(where, f"has more than {MAX_YAML:,} bytes of YAML", "it is too large to be looked through")
    trip.step(where, 1 + blob.size // 16)
    try:
        text = blob.read(0, MAX_YAML).decode("utf-8-sig")
        nodes = _nodes_of(text, where, trip)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _broken(where, trip, error) from error
    if nodes > MAX_NODES:
        raise trip.refuse(where, f"stands for more than {MAX_NODES:,} values", "it is built to exhaust memory")
    return text


def load(blob: Blob, where: str, trip: Trip) -> Any:
    """The value of a YAML file, checked first.

    :raises Untrusted: if :func:`check` does, or it is no value.
    """
    text = check(blob, where, trip)
    try:
        return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise _broken(where, trip, error) from error


def _broken(where: str, trip: Trip, error: Exception) -> Exception:
    problem = getattr(error, "problem", None) or error
    return trip.refuse(where, f"is no plain YAML ({problem})", "readers may differ in what they find")


def _nodes_of(text: str, where: str, trip: Trip) -> int:
    """How many nodes the document stands for with every reference written out."""
    sizes: dict[str, int] = {}
    open_nodes: list[list[Any]] = [[None, 0]]
    for event in yaml.parse(text, Loader=_LOADER):
        tag = getattr(event, "tag", None)
        if tag is not None and not _TAGS.fullmatch(tag):
            raise trip.refuse(where, f"has the YAML tag {tag}", "a tag can make objects", "write plain YAML")
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append([event.anchor, 1])
            if len(open_nodes) > MAX_NESTED:
                raise ValueError(f"nested deeper than {MAX_NESTED}")
        elif isinstance(event, yaml.CollectionEndEvent | yaml.NodeEvent):
            _close(event, open_nodes, sizes)
    return int(open_nodes[0][1])


def _close(event: Any, open_nodes: list[list[Any]], sizes: dict[str, int]) -> None:
    anchor, size = open_nodes.pop() if isinstance(event, yaml.CollectionEndEvent) else (event.anchor, 1)
    if isinstance(event, yaml.AliasEvent):
        size = sizes.get(anchor, MAX_NODES + 1)  # a reference to what it stands in never ends
    elif anchor is not None:
        sizes[anchor] = size
    open_nodes[-1][1] = min(open_nodes[-1][1] + size, MAX_NODES + 1)
