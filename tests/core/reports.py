"""Reports that several tests look at."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np

import model_lifecycle
from model_lifecycle.core.checks import Measurement
from model_lifecycle.core.drift import PREDICTION, compare, judge_drift
from model_lifecycle.core.drift_report import drift_report
from model_lifecycle.core.profile import profile

SCHEMA = json.loads((Path(model_lifecycle.__file__).parent / "schemas" / "drift_report.json").read_text())
ABOUT = {"endpoint": "scorer_default/churn", "model": "churn", "version": 3, "window": "2013-12"}

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "\u202egnp.exe",
    "x" * 10_000,
    "\udc80lone",
    "a\nb\tc\0",
    "مرحبا بالعالم",
    "</title></style><b>",
    "]]>--><!--",
    "&lt;b&gt;",
    "🧨" * 300,
]


def valid(report: dict[str, Any]) -> dict[str, Any]:
    """The report, which is what the schema says, and JSON."""
    jsonschema.validate(report, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    return report


def report_of(
    before: dict[str, Any], after: dict[str, Any], more: list[Measurement] | None = None, **about: Any
) -> dict[str, Any]:
    """What drifted between two tables."""
    reference = profile(before)
    current = profile(after, edges_from=reference)
    drifts = compare(reference, current)
    return valid(drift_report(reference, current, drifts, [*judge_drift(drifts), *(more or [])], **{**ABOUT, **about}))


@cache
def wide() -> dict[str, Any]:
    """The report of 1,000 columns of which 300 drifted; not to be changed."""
    return report_of(*many())


def table(rows: int, shift: float = 0.0, numbers: int = 5, seed: int = 7) -> dict[str, Any]:
    """Numbers, the first of them shifted, one column of text, one of truth and the predictions."""
    chance = np.random.default_rng(seed)
    found: dict[str, Any] = {f"n{i}": chance.normal(shift if i == 0 else 0.0, 1, rows) for i in range(numbers)}
    found["text"] = np.array(["a", "b", "c"])[chance.integers(0, 3, rows)]
    found["truth"] = chance.random(rows) < 0.3
    found[PREDICTION] = chance.random(rows)
    return found


def many(rows: int = 600, columns: int = 1000, drifted: int = 300) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two wide tables, of whose columns every tenth is text."""
    chance = np.random.default_rng(11)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    words = np.array([f"some value {number}" for number in range(30)])
    for number in range(columns):
        moved = number < drifted
        name = f"a_column_of_some_length_{number}"
        if number % 10:
            before[name] = chance.normal(0, 1, rows)
            after[name] = before[name] + (1 + number / columns) * moved
        else:
            before[name] = words[chance.integers(0, 30, rows)]
            after[name] = words[chance.integers(0, 3, rows)] if moved else before[name]
    return before, after
