"""The dashboard of each version by itself: asked how often, failing how often, answering how fast."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from tests.grafana import panels
from tests.grafana.boards import FAILING, READY, frame, model
from tests.grafana.panels import GREEN, RED, YELLOW, ask, ask_now

MODEL = 'model="$model"'
VERSIONS = f'{MODEL}, version=~"$version"'


def versions() -> dashboard.Dashboard:
    """Each version by itself: asked how often, failing how often, answering how fast."""
    board = frame("versions", "Versions in production", "What does each version do, and is it well?", "now-6h")
    board.with_variable(model("scorer_requests_total"))
    board.with_variable(
        panels.choice("version", "Version", f"label_values(scorer_requests_total{{{MODEL}}}, version)", several=True)
    )
    for panel in (
        panels.told(
            "Can it answer?",
            "READY: loaded and warm, on every scorer that has it.",
            READY,
            ask_now(f"min by (version) (scorer_ready{{{VERSIONS}}})", "version {{version}}"),
            width=12,
        ),
        panels.number(
            "How many wait for an answer?",
            "Requests that are being answered now. A number that only rises means that a version hangs.",
            "short",
            ask_now(f"sum by (version) (scorer_in_flight{{{VERSIONS}}})", "version {{version}}"),
            steps=panels.limits((10, YELLOW), (50, RED)),
            width=12,
        ),
        panels.lines(
            "How often is it asked?",
            "Requests a second, over one minute.",
            "reqps",
            ask(f"model_version:requests:rate1m{{{VERSIONS}}}", "version {{version}}"),
        ),
        panels.marked(
            panels.lines(
                "How often does it fail?",
                "Answers of 500 and above of all answers, over five minutes. The lines are at 1 % and 5 %.",
                "percentunit",
                ask(f"model_version:error_ratio:rate5m{{{VERSIONS}}}", "version {{version}}"),
            ),
            *FAILING,
        ),
        panels.lines(
            "With which answers does it fail?",
            "By status: 400 to 499 if callers send what the model's signature refuses, from 500 on the version is "
            "sick.",
            "reqps",
            ask(
                f"sum by (version, status) (rate(scorer_errors_total{{{VERSIONS}}}[$__rate_interval]))",
                "version {{version}}: {{status}}",
            ),
        ),
        panels.lines(
            "How long do callers wait?",
            "Seconds until half, 95 % and 99 % of the answers, over five minutes.",
            "s",
            ask(f"model_version:latency_seconds:p50_5m{{{VERSIONS}}}", "version {{version}} p50"),
            ask(f"model_version:latency_seconds:p95_5m{{{VERSIONS}}}", "version {{version}} p95"),
            ask(f"model_version:latency_seconds:p99_5m{{{VERSIONS}}}", "version {{version}} p99"),
        ),
        panels.spread(
            "Do some wait much longer than others?",
            "How many answers took how long. Two bands are two kinds of requests, or a version that has to wait for "
            "something.",
            ask(
                f"sum by (le) (increase(scorer_request_seconds_bucket{{{VERSIONS}}}[$__rate_interval]))",
                "{{le}}",
            ),
        ),
        panels.told(
            "Does Prometheus reach everything that it asks?",
            "Whether each target answered its last scrape. While a scorer is silent, the panels above are old.",
            {0: ("SILENT", RED), 1: ("ANSWERS", GREEN)},
            ask_now("up", "{{job}} {{instance}}"),
            width=12,
        ).height(8),
    ):
        board.with_panel(panel)
    return board
