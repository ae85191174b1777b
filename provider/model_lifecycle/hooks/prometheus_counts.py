"""The counts of versions out of a metric system: four expressions, and how their answers become counts.

The expressions for the scorer survive the restart of one of several instances. A sum of counters falls when one of
them begins again, and a reader of the sum would take all that the others ever counted for new. So what a counter had
reached before it fell is added again, and an instance that went away keeps its last number, both for
:data:`WINDOW`; after that the sum falls, and whoever compares begins anew.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from string import Template
from typing import Any

from model_lifecycle.core.counts import Counts, single_buckets
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.names import check_name
from model_lifecycle.hooks.prometheus_answers import Result

WINDOW = "6h"
STEP = "15s"
MEMORY = "1h"
"""For how long an instance may be away and still be known when it comes back."""
KINDS = ("requests", "errors", "refused", "latency")
_METRICS = {
    "requests": ("scorer_requests_total", ""),
    "errors": ("scorer_errors_total", ',status=~"5.."'),
    "refused": ("scorer_errors_total", ',status=~"4.."'),
    "latency": ("scorer_request_seconds_bucket", ""),
}


class CountQueries:
    """The expressions of one connection.

    :param extra: its extras. ``counts`` replaces expressions by name and may give ``latency_unit``, the seconds of one
        unit of the label ``le``; ``selector`` is added to the scorer's own.
    :raises Invalid: if they are of another form.
    """

    def __init__(self, extra: Mapping[str, Any], target: str) -> None:
        own = _mapping(extra.get("counts"))
        texts = {name: text for name, text in own.items() if name != "latency_unit"}
        if any(name not in KINDS or not isinstance(text, str) for name, text in texts.items()):
            hint = f"give expressions for {', '.join(KINDS)}"
            raise Invalid("the extra counts is no object of expressions", target=target, hint=hint)
        if texts and "requests" not in texts:
            raise Invalid("the extra counts has no expression for requests", target=target)
        self.selector = str(extra.get("selector") or "").strip().strip(",")
        self.unit = _unit(own.get("latency_unit", 1), target)
        self.own = texts

    def expressions(self, model: str) -> dict[str, str]:
        """The expression of each kind of count that there is one for.

        :raises Invalid: if the model's name is not allowed: it would become part of an expression.
        """
        check_name(model, "model name")
        if self.own:
            # Of the characters that a name may have, only the dot means more in a regular expression.
            names = {"model": model, "pattern": model.replace(".", "[.]")}
            return {kind: Template(self.own[kind]).safe_substitute(names) for kind in KINDS if self.own.get(kind)}
        return {kind: self._scorers(kind, model) for kind in KINDS}

    def _scorers(self, kind: str, model: str) -> str:
        metric, more = _METRICS[kind]
        selector = f",{self.selector}" if self.selector else ""
        counter = f'{metric}{{model="{model}"{more}{selector}}}'
        return lasting(counter, "version, le" if kind == "latency" else "version")

    def counts(self, results: Mapping[str, Result], target: str) -> dict[int, Counts]:
        """What the answers to the expressions say, by version.

        :raises Invalid: if an answer lacks the labels that tell whom it is about.
        """
        found = {kind: _by_version(result, kind, target) for kind, result in results.items()}
        empty: dict[float, float] = {}
        return {
            version: Counts(
                _whole(values),
                _whole(found.get("errors", {}).get(version, empty)),
                _whole(found.get("refused", {}).get(version, empty)),
                self._latency(found.get("latency", {}).get(version, empty)),
            )
            for version, values in found["requests"].items()
        }

    def _latency(self, below: Mapping[float, float]) -> dict[float, int]:
        return single_buckets({bound * self.unit: round(count) for bound, count in below.items()})


def lasting(counter: str, by: str) -> str:
    """The sum of a counter over instances that does not fall when one of them begins again, or goes away."""
    now = f"sum by ({by}) (last_over_time({counter}[{WINDOW}]))"
    fell = f"(last_over_time({counter}[{MEMORY}] offset {STEP}) > {counter})"
    lost = f"sum by ({by}) (sum_over_time({fell}[{WINDOW}:{STEP}]))"
    return f"{now} + ({lost} or {now} * 0)"


def _mapping(value: Any) -> Mapping[str, Any]:
    """The extra as an object; the text of one will do. What is none is an object with a name that is refused."""
    try:
        found = json.loads(value) if isinstance(value, str) and value.strip() else value or {}
    except ValueError:
        found = None
    return found if isinstance(found, Mapping) else {"": value}


def _unit(value: Any, target: str) -> float:
    try:
        unit = float(value)
    except (TypeError, ValueError):
        unit = math.nan
    if not 0 < unit < math.inf:
        raise Invalid("the latency_unit in the extra counts is no number of seconds above 0", target=target)
    return unit


def _by_version(result: Result, kind: str, target: str) -> dict[int, dict[float, float]]:
    """The numbers of each version by upper bound; infinite where the kind has none."""
    found: defaultdict[int, dict[float, float]] = defaultdict(dict)
    for series in result.series:
        version, bound = series.labels.get("version", ""), series.labels.get("le", "")
        if not (version.isascii() and version.isdigit()):
            message = f"the expression for {kind} has a series whose label version is {version[:60]!r}"
            raise Invalid(message, target=target, hint="it must sum by version, a whole number")
        try:
            key = float(bound) if kind == "latency" else math.inf
        except ValueError as error:
            raise Invalid(f"the expression for {kind} has a series without the label le", target=target) from error
        value = series.points[0][1] if series.points else math.nan
        if math.isfinite(value):
            found[int(version)][key] = found[int(version)].get(key, 0.0) + value
    return dict(found)


def _whole(values: Mapping[float, float]) -> int:
    return round(sum(values.values()))
