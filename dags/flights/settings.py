"""What the example DAGs agree on: names, connections, and where they keep their files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

MODEL = "flights"
SCORER = "scorer_default"
ENDPOINT = f"{SCORER}/{MODEL}"
FIRST_MONTH = 2
"""The first month that a model can be judged on: it has January to learn from."""

LAST_MONTH = int(os.environ.get("FLIGHTS_LAST_MONTH", "12"))


def files() -> Path:
    """Where month tables and trained models lie; every worker must see the same folder."""
    return Path(os.environ.get("FLIGHTS_FOLDER") or Path(tempfile.gettempdir()) / "flights")


def judged_month(params: dict[str, Any], interval_start: datetime | None) -> int:
    """The month a run is about: its parameter, or else the month of its data interval.

    :raises ValueError: if a run started by hand names no month.
    """
    chosen = params.get("month") or (interval_start.month if interval_start else None)
    if chosen is None:
        raise ValueError("a run without a data interval needs the parameter month")
    return int(chosen)
