"""Drift of a table against a stored profile, beside pyarrow's plain decode, scipy and evidently, in one run.

"Ours" is all that the task does for its data: read the profile from its JSON, read the Parquet file, count, compare
and judge. scipy, which can use no profile, reads the numbers of both tables; its loop alone, with everything in memory
for nothing, is told too. evidently gets both tables as pandas frames for nothing, in a process of its own, since it
needs an older pandas. Seconds are of the processor, since other things run on the machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

from model_lifecycle.core.drift import compare, judge_drift
from model_lifecycle.core.profile import Profile
from model_lifecycle.hooks.profiles import profile_data, profile_reference
from tests.benchmarks.measure import line
from tests.servers import environments

NUMBERS, TEXTS, SHIFTED = 20, 5, 4
GROUP = 2**20
NAME = "drift of {:,} rows x 25 columns against a stored profile"
# Not among the servers that every test run installs: 700 MB for one line of a benchmark.
environments.REQUIREMENTS["evidently"] = ["evidently==0.7.23", "pandas==3.0.6"]

EVIDENTLY = """
import sys, time, warnings
warnings.simplefilter("ignore")
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
reference, current = (pd.read_parquet(path) for path in sys.argv[1:])
start = time.process_time()
Report([DataDriftPreset()]).run(current, reference).dict()
print(time.process_time() - start)
"""
PEAK = """
import sys
from tests.benchmarks.bench_drift import ours
ours(*sys.argv[1:])
print(next(row.split()[1] for row in open('/proc/self/status') if row.startswith('VmHWM')))
"""


def main(work: Path, rows: int, runs: int, *, evidently: bool) -> None:
    reference, current = str(work / "reference.parquet"), str(work / "current.parquet")
    write(reference, rows, seed=1)
    write(current, rows, seed=2, shift=0.3)
    stored = str(work / "profile.json")
    Path(stored).write_bytes(profile_reference([reference]).to_json())
    name = NAME.format(rows)
    texts = [f"c{number}" for number in range(TEXTS)]
    held = numbers(reference, current)
    works: dict[str, Callable[[], object]] = {
        "ours": lambda: ours(stored, current),
        "decode": lambda: pq.read_table(current, read_dictionary=texts),
        "scipy": lambda: scipy_loop(*numbers(reference, current)),
        "loop": lambda: scipy_loop(*held),
    }
    found: dict[str, list[float]] = {what: [] for what in works}
    for run in range(runs):
        for what, work_ in list(works.items())[:: -1 if run % 2 else 1]:
            found[what].append(processor_seconds(work_))
    line(name, found["ours"], "pyarrow's plain decode of the file", found["decode"], goal=1 / 1.6, unit="CPU s")
    line(name, found["ours"], "scipy ks_2samp loop over both tables", found["scipy"], goal=10, unit="CPU s")
    line(name, found["ours"], "scipy ks_2samp loop, in memory", found["loop"], unit="CPU s")
    held.clear()
    if evidently:
        line(name, found["ours"], "evidently 0.7.23, in memory", [peer(reference, current)], goal=100, unit="CPU s")
    memory(work, stored, current, rows)


def memory(work: Path, stored: str, current: str, rows: int) -> None:
    """The most memory of a process that does our work, on this table and on one of ten times as many rows."""
    large = str(work / "large.parquet")
    write(large, 10 * rows, seed=3)
    small_peak, large_peak = peak(stored, current), peak(stored, large)
    name = f"peak memory of drift, {10 * rows:,} rows"
    line(name, [large_peak], "the limit", [400.0], goal=1, unit="MiB", digits=1)
    line(name, [large_peak], f"with {rows:,} rows (flat)", [small_peak], goal=1 / 1.1, unit="MiB", digits=1)


def ours(stored: str, current: str) -> Any:
    """What the operators do, between the stored profile and the verdict."""
    reference = Profile.from_json(Path(stored).read_bytes())
    return judge_drift(compare(reference, profile_data([current], reference)))


def numbers(*paths: str) -> list[list[Any]]:
    """The numbers of tables as arrays."""
    names = [f"n{number}" for number in range(NUMBERS)]
    tables = [pq.read_table(path, columns=names) for path in paths]
    return [[table[name].to_numpy() for name in names] for table in tables]


def scipy_loop(old: list[Any], new: list[Any]) -> object:
    """The loop that people write, over the numbers alone."""
    return [stats.ks_2samp(one, other) for one, other in zip(old, new, strict=True)]


def write(path: str, rows: int, seed: int, shift: float = 0.0) -> None:
    """20 normal numbers, four of them shifted, and five texts of 50 values, in row groups of pyarrow's own size."""
    rng = np.random.default_rng(seed)
    words = pa.array([f"value-{number}" for number in range(50)])
    schema = pa.schema([(f"n{number}", pa.float64()) for number in range(NUMBERS)]
                       + [(f"c{number}", pa.string()) for number in range(TEXTS)])  # fmt: skip
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, rows, GROUP):
            size = min(GROUP, rows - start)
            numbers = [rng.normal(shift if number < SHIFTED else 0.0, 1, size) for number in range(NUMBERS)]
            texts = [words.take(pa.array(rng.integers(0, len(words), size))) for _ in range(TEXTS)]
            writer.write_table(pa.table([*numbers, *texts], schema=schema), row_group_size=GROUP)


def processor_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def peer(reference: str, current: str) -> float:
    python = str(environments.environment("evidently") / "python")
    return float(printed([python, "-c", EVIDENTLY, reference, current]))


def peak(stored: str, current: str) -> float:
    return int(printed([sys.executable, "-c", PEAK, stored, current])) / 1024


def printed(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="few rows once, without evidently, to see that it works")
    parser.add_argument("--without-evidently", action="store_true", help="do not install and ask evidently")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        size, times = (20_000, 1) if given.small else (1_000_000, 5)
        main(Path(folder), size, times, evidently=not (given.small or given.without_evidently))
