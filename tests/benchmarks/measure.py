"""Measuring side by side in one run, and saying so in JSON lines."""

from __future__ import annotations

import json
import os
import platform
import time
from collections import deque
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from statistics import median

from tests.servers.hadoop import HADOOP_VERSION

FIELDS = ("name", "ours", "peer", "theirs", "unit", "ratio", "goal", "met", "runs", "machine")


def line(
    name: str,
    ours: Iterable[float],
    peer: str,
    theirs: Iterable[float],
    *,
    goal: float | None = None,
    unit: str = "s",
    digits: int = 3,
) -> None:
    """Print one comparison: the medians, and ``ratio``, how many times better ours is (of all units, less is better).

    :param goal: the ratio to be reached, if one was set.
    """
    ours, theirs = list(ours), list(theirs)
    a, b = median(ours), median(theirs)
    met = None if goal is None else b >= goal * a
    values = (name, round(a, digits), peer, round(b, digits), unit, round(b / a, 2), goal, met, len(ours), machine())
    print(json.dumps(dict(zip(FIELDS, values, strict=True))), flush=True)


def side_by_side(runs: int, rest: Callable[[], object], **works: Callable[[], object]) -> dict[str, list[float]]:
    """The seconds of each work in each run, by turns: whatever else the machine does meets all of them alike.

    Each run begins with another work, for one may leave something to do for the next.

    :param rest: makes the same start for every work; what was written so far is on disk after it.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    for run in range(runs):
        names = deque(works)
        names.rotate(-run)
        for name in names:
            rest()
            os.sync()
            start = time.perf_counter()
            works[name]()
            found[name].append(time.perf_counter() - start)
    return found


def machine() -> str:
    """What the figures hold for, and how busy it was with other things."""
    versions = " ".join(f"{name} {version(name)}" for name in ("apache-airflow", "hdfs", "requests"))
    return (
        f"{os.cpu_count()} cores {_processor()}, load {os.getloadavg()[0]:.1f}, Linux {platform.release()}, "
        f"Python {platform.python_version()}, Hadoop {HADOOP_VERSION} on the same machine, {versions}"
    )


def _processor() -> str:
    rows = Path("/proc/cpuinfo").read_text().splitlines()
    return next((row.partition(":")[2].strip() for row in rows if row.startswith("model name")), platform.machine())
