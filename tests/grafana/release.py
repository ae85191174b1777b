"""The dashboard of one release while it happens: the new version beside the old one."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from tests.grafana import panels
from tests.grafana.boards import FAILING, READY, frame, model
from tests.grafana.panels import GREEN, STATES, YELLOW, ask, ask_now

MODEL = 'model="$model"'

_STATE = f"max by (model, version, state) (model_lifecycle_release_state{{{MODEL}}})"
_BACK = 'state=~"ROLLING_BACK|ROLLED_BACK|ROLLBACK_FAILED|REJECTED"'
_WAITS = 'state=~"PAUSED|AWAITING_APPROVAL"'
STAGE = " or ".join(
    [
        f"3 * max by (model, version, state) (model_lifecycle_release_state{{{MODEL}, {_BACK}}})",
        f"2 * max by (model, version, state) (model_lifecycle_release_state{{{MODEL}, {_WAITS}}})",
        f'0 * max by (model, version, state) (model_lifecycle_release_state{{{MODEL}, state="SUCCEEDED"}})',
        _STATE,
    ]
)
"""The release's state as a key of :data:`STATES`."""


def new(metric: str) -> str:
    """What a recording rule says of the version that the last release is about."""
    return f"{metric}{{{MODEL}}} and on (model, version) model_lifecycle_release_state{{{MODEL}}}"


def old(metric: str) -> str:
    """What it says of the other versions that are asked."""
    asked = f"and on (model, version) model_version:requests:rate1m{{{MODEL}}} > 0"
    return f"{metric}{{{MODEL}}} unless on (model, version) model_lifecycle_release_state{{{MODEL}}} {asked}"


def compared(metric: str, what: str = "") -> tuple[panels.Query, panels.Query]:
    """The new version beside those that it wants to replace."""
    return (
        ask(new(metric), f"new: version {{{{version}}}} {what}".rstrip()),
        ask(old(metric), f"beside it: version {{{{version}}}} {what}".rstrip()),
    )


def release() -> dashboard.Dashboard:
    """One release while it happens: the new version beside the old one."""
    board = frame("release", "Release in progress", "Does the new version take over, and may it?", "now-1h")
    board.with_variable(model("model_version:requests:rate1m"))
    state = ask_now(STAGE, "{{state}}: version {{version}}")
    asked = ask_now(f"sum by (version) (increase(scorer_requests_total{{{MODEL}}}[$__range]))", "version {{version}}")
    for panel in (
        panels.told(
            "How far is the release?",
            "The state that the release's task published last, and the version it is about. An old state that does not "
            "change is over, or nobody publishes: the ledger has the truth.",
            STATES,
            state,
            width=8,
        ),
        panels.told(
            "Can every version answer?",
            "Whether the scorer has the version loaded. During a release the old one must stay READY, as the way back.",
            READY,
            ask_now(f"min by (version) (scorer_ready{{{MODEL}}})", "version {{version}}"),
            width=8,
        ),
        panels.bars(
            "Is there enough to judge by?",
            "Requests of each version in the time shown. Below the checks' min_samples the verdict is INCONCLUSIVE and "
            "the release waits.",
            "short",
            asked,
            steps=panels.limits((500, GREEN), below=YELLOW),
            width=8,
        ).height(5),
        panels.shares(
            "Who should get the requests?",
            "The traffic as it was set: by the release's task, and by the scorer's own route where no router stands "
            "before it. With a router the scorer's own says nothing.",
            ask(
                f"max by (version) (model_lifecycle_release_percent{{{MODEL}}})", "version {{version}}, by the release"
            ),
            ask(f"max by (version) (scorer_traffic_percent{{{MODEL}}})", "version {{version}}, by the scorer"),
        ).stacking(panels.apart()),
        panels.shares(
            "Who gets them?",
            "The measured share of the last minute. It should be what was set, within what chance explains.",
            ask(
                f"100 * model_version:requests:rate1m{{{MODEL}}} / on (model) group_left () "
                f"sum by (model) (model_version:requests:rate1m{{{MODEL}}})",
                "version {{version}}",
            ),
        ),
        panels.marked(
            panels.lines(
                "Does the new version fail more often?",
                "Answers of 500 and above of all answers, over five minutes. The lines are at 1 % and 5 %.",
                "percentunit",
                *compared("model_version:error_ratio:rate5m"),
            ),
            *FAILING,
        ),
        panels.lines(
            "Do its callers wait longer?",
            "Seconds until 95 % and 99 % of the answers, over five minutes.",
            "s",
            *compared("model_version:latency_seconds:p95_5m", "p95"),
            *compared("model_version:latency_seconds:p99_5m", "p99"),
        ),
        panels.history(
            "What has happened so far?",
            "Each state that was published, while it was the last one.",
            ask(STAGE, "{{state}}: version {{version}}"),
        ),
    ):
        board.with_panel(panel)
    return board
