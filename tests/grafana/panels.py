"""What dashboards are made of: a question as the title, one query or more, a unit, and what the colours mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, BLUE, YELLOW, RED = "green", "blue", "yellow", "red"
STATES = {0: ("over, and well", GREEN), 1: ("under way", BLUE), 2: ("waits", YELLOW), 3: ("goes back", RED)}

Query = prometheus.Dataquery
Panel = Any  # each kind of panel has a builder of its own, without a common base


def ask(expression: str, legend: str = "") -> Query:
    """What is asked over the time that the dashboard shows."""
    return Query().expr(expression).legend_format(legend or "__auto").range().datasource(SOURCE)


def ask_now(expression: str, legend: str = "") -> Query:
    """What is asked for the last moment only."""
    return Query().expr(expression).legend_format(legend or "__auto").instant().datasource(SOURCE)


def limits(*steps: tuple[float, str], below: str = GREEN) -> dashboard.ThresholdsConfig:
    """Colours by value: each step's colour from its value on, ``below`` under the first."""
    found = [models.Threshold(value=None, color=below)]
    found += [models.Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)


def words(meanings: dict[int, tuple[str, str]]) -> list[Any]:
    """What a number is shown as: a text and its colour."""
    shown = {
        str(value): models.ValueMappingResult(text=text, color=colour) for value, (text, colour) in meanings.items()
    }
    return [models.ValueMap(options=shown)]


def _about(panel: Panel, title: str, meaning: str, queries: Sequence[Query], width: int, height: int) -> Panel:
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        panel.with_target(query.ref_id(letter))
    return panel.title(title).description(meaning).datasource(SOURCE).span(width).height(height)


def lines(title: str, meaning: str, unit: str, *queries: Query, width: int = 12, height: int = 8) -> timeseries.Panel:
    """Values over time, with what they are now in the legend."""
    legend = common.VizLegendOptions().show_legend(True).display_mode(looks.LegendDisplayMode.TABLE)
    panel = (
        timeseries.Panel()
        .unit(unit)
        .min(0)
        .line_width(2)
        .fill_opacity(8)
        .show_points(looks.VisibilityMode.NEVER)
        .legend(legend.placement(looks.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"]))
        .tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI).sort(looks.SortOrder.DESCENDING))
    )
    return _about(panel, title, meaning, queries, width, height)


def shares(title: str, meaning: str, *queries: Query, width: int = 12, height: int = 8) -> timeseries.Panel:
    """Per cent over time, one on top of the other up to 100."""
    panel = lines(title, meaning, "percent", *queries, width=width, height=height)
    return panel.max(100).fill_opacity(40).stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))


def apart() -> common.StackingConfig:
    """Each value by itself, for what two sources say of the same."""
    return common.StackingConfig().mode(looks.StackingMode.NONE)


def marked(panel: timeseries.Panel, *steps: tuple[float, str]) -> timeseries.Panel:
    """The same with a dashed line at each limit."""
    style = common.GraphThresholdsStyleConfig().mode(looks.GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(limits(*steps)).thresholds_style(style)


def number(
    title: str, meaning: str, unit: str, *queries: Query, steps: dashboard.ThresholdsConfig, width: int = 6
) -> stat.Panel:
    """What it is now, in large figures, with the colour of the limit it is above."""
    panel = (
        stat.Panel()
        .unit(unit)
        .thresholds(steps)
        .color_mode(looks.BigValueColorMode.BACKGROUND)
        .graph_mode(looks.BigValueGraphMode.NONE)
        .text_mode(looks.BigValueTextMode.VALUE_AND_NAME)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value("no data")
    )
    return _about(panel, title, meaning, queries, width, 5)


def told(title: str, meaning: str, meanings: dict[int, tuple[str, str]], *queries: Query, width: int = 6) -> stat.Panel:
    """A state in words."""
    steps = limits(*[(float(value), colour) for value, (_, colour) in sorted(meanings.items())])
    return number(title, meaning, "none", *queries, steps=steps, width=width).mappings(words(meanings))


def as_words(meanings: dict[int, tuple[str, str]]) -> list[models.DynamicConfigValue]:
    """A column of a table whose numbers are shown as words with a background."""
    cells = {"type": "color-background", "mode": "basic"}
    return [
        models.DynamicConfigValue(id_val="mappings", value=words(meanings)),
        models.DynamicConfigValue(id_val="custom.cellOptions", value=cells),
    ]


def history(title: str, meaning: str, *queries: Query, width: int = 24, height: int = 5) -> statetimeline.Panel:
    """Which state when, a line for each name; the colours are those of :data:`STATES`."""
    panel = statetimeline.Panel().mappings(words(STATES)).show_value(looks.VisibilityMode.NEVER).merge_values(True)
    return _about(panel, title, meaning, queries, width, height)


def bars(title: str, meaning: str, unit: str, *queries: Query, steps: Any, width: int = 12) -> bargauge.Panel:
    """One bar for each name, with the colour of the limit it is above."""
    panel = (
        bargauge.Panel()
        .unit(unit)
        .min(0)
        .thresholds(steps)
        .display_mode(looks.BarGaugeDisplayMode.BASIC)
        .orientation(looks.VizOrientation.HORIZONTAL)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value("no data")
    )
    return _about(panel, title, meaning, queries, width, 9)


def spread(title: str, meaning: str, query: Query, width: int = 12) -> heatmap.Panel:
    """How many in which class of a histogram, over time."""
    colours = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    axis = heatmap.YAxisConfig().unit("s")
    panel = heatmap.Panel().calculate(False).color(colours).y_axis(axis).cell_gap(1)
    return _about(panel, title, meaning, [query.format(PromQueryFormat.HEATMAP)], width, 8)


def rows(title: str, meaning: str, columns: dict[str, str], hidden: Sequence[str], *queries: Query) -> table.Panel:
    """One row for each set of labels, one column for each query.

    :param columns: what the columns are called, in the order in which they stand. :param hidden: columns left out.
    """
    panel = table.Panel().filterable(True).cell_height(looks.TableCellHeight.SM)
    order = {name: place for place, name in enumerate(columns)}
    arranged = {"indexByName": order, "renameByName": columns, "excludeByName": dict.fromkeys(hidden, True)}
    panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(models.DataTransformerConfig(id_val="organize", options=arranged))
    formatted = [query.format(PromQueryFormat.TABLE) for query in queries]
    return _about(panel, title, meaning, formatted, 24, 9)


def source() -> dashboard.DatasourceVariable:
    """Which Prometheus; the one that Grafana has if it has one."""
    chosen = models.VariableOption(text="default", value="default")
    return dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus").current(chosen)


def choice(name: str, label: str, query: str, *, several: bool = False) -> dashboard.QueryVariable:
    """A variable whose values Prometheus knows, ``label_values(...)``, the newest version first."""
    variable = (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": query, "refId": name})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NATURAL_DESC if several else models.VariableSort.ALPHABETICAL_ASC)
    )
    if several:
        everything = models.VariableOption(text=["All"], value=["$__all"], selected=True)
        variable.multi(True).include_all(True).all_value(".+").current(everything)
    return variable
