"""What a DAG file pays for importing every operator, sensor, trigger and hook, beyond ``airflow.sdk`` (Law 13).

Each run is a process of its own. ``airflow.sdk`` imports its names when they are asked for, so the peer asks for what
any DAG file and any provider needs; our modules come after that in the same process. Modules are compiled already, as
on every import but the first, wherever Python is allowed to keep them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile

from tests.benchmarks.measure import line

_CODE = """
import time
start = time.perf_counter()
from airflow.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator, Param, task
from airflow.triggers.base import BaseTrigger
middle = time.perf_counter()
from importlib import import_module
from model_lifecycle.get_provider_info import get_provider_info
for room in ("operators", "sensors", "triggers", "hooks"):
    for part in get_provider_info()[room]:
        for name in part["python-modules"]:
            import_module(name)
print((middle - start) * 1000, (time.perf_counter() - middle) * 1000)
"""


def main(runs: int) -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as compiled:
        measured = [_run(compiled) for _ in range(runs + 1)][1:]  # the first one compiles
    airflow, ours = zip(*measured, strict=True)
    name = "import of every operator, sensor, trigger and hook"
    line(name, ours, "the limit", [50.0], goal=1, unit="ms", digits=1)
    line(name, ours, "airflow.sdk before it", airflow, unit="ms", digits=1)


def _run(compiled: str) -> tuple[float, float]:
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}
    command = [sys.executable, "-W", "ignore", "-c", _CODE]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    airflow, ours = done.stdout.split()[-2:]
    return float(airflow), float(ours)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="few runs, to see that it works")
    main(3 if parser.parse_args().small else 11)
