"""The dashboard of what the batch monitors found: checks, and the distance of each column."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from tests.grafana import panels
from tests.grafana.boards import frame
from tests.grafana.panels import GREEN, RED, YELLOW, ask, ask_now

ENDPOINT = 'endpoint="$endpoint", version=~"$version"'


def drift() -> dashboard.Dashboard:
    """What the batch monitors found: checks, and the distance of each column."""
    board = frame("drift", "Drift and quality", "Is what the model sees and says still what it learned?", "now-7d")
    looked = "model_lifecycle_monitor_timestamp_seconds"
    board.with_variable(panels.choice("endpoint", "Endpoint", f"label_values({looked}, endpoint)"))
    of_endpoint = f'label_values({looked}{{endpoint="$endpoint"}}, version)'
    board.with_variable(panels.choice("version", "Version", of_endpoint, several=True))
    value, failed = "model_lifecycle_check_value", "model_lifecycle_check_failed"
    distance = "model_lifecycle_drift_distance"
    moved = panels.limits((0.1, YELLOW), (0.25, RED))
    for panel in (
        panels.number(
            "Did somebody look lately?",
            "Time since a monitor last published. Old numbers are no health: beyond a day look at the DAG.",
            "s",
            ask_now(f"time() - max by (version) ({looked}{{{ENDPOINT}}})", "version {{version}}"),
            steps=panels.limits((26 * 3600, YELLOW), (50 * 3600, RED)),
            width=8,
        ),
        panels.number(
            "How many checks fail?",
            "Checks whose last verdict is FAIL. The table below says which and by how much.",
            "short",
            ask_now(f"sum by (version) ({failed}{{{ENDPOINT}}})", "version {{version}}"),
            steps=panels.limits((1, RED)),
            width=8,
        ),
        panels.number(
            "How many columns have moved?",
            "Columns whose Jensen-Shannon distance from the reference is at least 0.1. An alarm needs significance "
            "too, which the report of the task shows.",
            "short",
            ask_now(
                f'count by (version) ({distance}{{{ENDPOINT}, statistic="js"}} >= 0.1) '
                f'or 0 * count by (version) ({distance}{{{ENDPOINT}, statistic="js"}})',
                "version {{version}}",
            ),
            steps=panels.limits((1, YELLOW), (3, RED)),
            width=8,
        ),
        panels.rows(
            "What did each check say?",
            "The last value of each check, on how many rows or requests it rests, and whether it failed.",
            {
                "version": "version",
                "check": "check",
                "Value #A": "value",
                "Value #B": "samples",
                "Value #C": "failed",
            },
            ["Time"],
            ask_now(f"max by (version, check) ({value}{{{ENDPOINT}}})"),
            ask_now(f"max by (version, check) (model_lifecycle_check_samples{{{ENDPOINT}}})"),
            ask_now(f"max by (version, check) ({failed}{{{ENDPOINT}}})"),
        ).override_by_name("failed", panels.as_words({0: ("no", GREEN), 1: ("FAIL", RED)})),
        panels.lines(
            "How have they developed?",
            "The value of each check over time, each in its own unit.",
            "short",
            ask(f"max by (version, check) ({value}{{{ENDPOINT}}})", "version {{version}}: {{check}}"),
        ),
        panels.history(
            "Since when does one fail?",
            "Red while the last verdict was FAIL.",
            ask(f"3 * max by (version, check) ({failed}{{{ENDPOINT}}})", "version {{version}}: {{check}}"),
            width=12,
            height=8,
        ),
        panels.bars(
            "Which columns look different?",
            "Jensen-Shannon distance from the reference, the 20 largest: 0 is the same, 1 shares nothing. Categories "
            "and missing values count too.",
            "none",
            ask_now(f'topk(20, max by (column) ({distance}{{{ENDPOINT}, statistic="js"}}))', "{{column}}"),
            steps=moved,
        ).max(1),
        panels.bars(
            "Which numbers have shifted?",
            "Kolmogorov-Smirnov distance of numeric columns, the 20 largest: the largest gap between the two "
            "cumulative distributions.",
            "none",
            ask_now(f'topk(20, max by (column) ({distance}{{{ENDPOINT}, statistic="ks"}}))', "{{column}}"),
            steps=moved,
        ).max(1),
        panels.marked(
            panels.lines(
                "Since when?",
                "The larger of the two distances of each column. From the line at 0.1 on it counts as drift.",
                "none",
                ask(f'max by (column) ({distance}{{{ENDPOINT}, statistic=~"js|ks"}})', "{{column}}"),
                width=24,
            ),
            (0.1, YELLOW),
            (0.25, RED),
        ),
    ):
        board.with_panel(panel)
    return board
