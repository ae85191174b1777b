"""What a dashboard asks: its variables, its panels' queries, and either with the variables' values put in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

INTERVALS = {"__rate_interval": "1m", "__range": "1h", "__interval": "15s"}
"""What Grafana itself puts in, for a dashboard of an hour with a point every 15 s."""


@dataclass(frozen=True)
class Asked:
    """One query of one panel."""

    board: str
    panel: str
    letter: str
    expression: str

    def __str__(self) -> str:
        return f"{self.board}: {self.panel} [{self.letter}]"


def asked(board: Mapping[str, Any]) -> Iterator[Asked]:
    """Every query of a dashboard."""
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield Asked(board["title"], panel["title"], target["refId"], target["expr"])


def variables(board: Mapping[str, Any]) -> dict[str, str]:
    """The query of every variable that Prometheus is asked for the values of."""
    return {one["name"]: one["query"]["query"] for one in board["templating"]["list"] if one["type"] == "query"}


def put_in(text: str, values: Mapping[str, str]) -> str:
    """The text as Grafana sends it.

    :raises KeyError: if it names a variable that the dashboard does not have.
    """
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: {**INTERVALS, **values}[found[1] or found[2]], text)


def label_values(query: str) -> tuple[str, str]:
    """Selector and label of ``label_values(selector, label)``."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
    assert found, query
    return found[1], found[2]
