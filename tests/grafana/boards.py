"""What all dashboards share: their frame, their links to each other, and how they lie in the package."""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from tests.grafana import panels
from tests.grafana.panels import GREEN, RED, YELLOW
from tests.house.pages import ROOT

FOLDER = ROOT / "provider" / "model_lifecycle" / "grafana" / "dashboards"
TAG = "model-lifecycle"
OF_INTERVALS = ("auto", "auto_count", "auto_min")
"""What the SDK writes for every variable, and Grafana's schema knows for variables of intervals only."""

FAILING = ((0.01, YELLOW), (0.05, RED))
READY = {0: ("NOT READY", RED), 1: ("READY", GREEN)}


def frame(name: str, title: str, meaning: str, since: str) -> dashboard.Dashboard:
    """An empty dashboard that leads to the others; its panels follow."""
    links = dashboard.DashboardLink("Model lifecycle").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    return (
        dashboard.Dashboard(title)
        .uid(f"{TAG}-{name}")
        .description(meaning)
        .tags([TAG])
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time(since, "now")
        .refresh("10s" if name == "release" else "1m")
        .link(links.as_dropdown(False).include_vars(True).keep_time(True))
        .with_variable(panels.source())
    )


def model(metric: str) -> dashboard.QueryVariable:
    """The variable for the model, of those that a metric has."""
    return panels.choice("model", "Model", f"label_values({metric}, model)")


def written(board: dashboard.Dashboard) -> str:
    """A dashboard as it lies in the package: panels numbered in their order, keys sorted."""
    built: dict[str, Any] = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    for number, panel in enumerate(built["panels"], 1):
        panel["id"] = number
    for variable in built["templating"]["list"]:
        for name in OF_INTERVALS:
            del variable[name]
    return json.dumps(built, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
