"""The benchmarks run and say all they have to say; how fast anything is, is not a test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.measure import FIELDS

ROOT = Path(__file__).parents[2]
WAITS = sorted(
    f"{what} 40 waits that ask every 2 s"
    for what in (
        "CPU of a triggerer with",
        "mean lag of its event loop with",
        "longest lag of its event loop with",
        "its threads with",
        "its connections with",
        *(
            f"from true to {event}, {name},"
            for event in ("event", "the last event")
            for name in ("health", "verdict", "version", "release")
        ),
    )
)

PAGE = sorted(
    f"{what}, 10 models, 50 versions"
    for what in ("25 endpoints", "25 endpoints of a search", "25 models", "25 models of a search", "25 versions")
)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "bench_drift",
            ["drift of 20,000 rows x 25 columns against a stored profile", "peak memory of drift, 200,000 rows"],
        ),
        ("bench_import", ["import of every operator, sensor, trigger and hook"]),
        (
            "bench_store",
            [
                "peak memory of upload and fetch, 256 MiB",
                "upload of 64 MiB that is there already",
                "verified upload of 100 files of 4 KiB",
                "verified upload of 64 MiB",
                "verified upload of 64 MiB without describing it",
            ],
        ),
        ("bench_models_page", PAGE),
        ("bench_waits", WAITS),
    ],
)
def test_a_benchmark_prints_json_lines_with_all_fields(name: str, told: list[str]) -> None:
    command = [sys.executable, "-m", f"tests.benchmarks.{name}", "--small"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(row) for row in done.stdout.splitlines()]
    assert all(tuple(one) == FIELDS for one in lines)
    assert sorted({one["name"] for one in lines}) == told
    assert all(one["ours"] > 0 and one["theirs"] > 0 and one["machine"] for one in lines)
    assert all((one["goal"] is None) == (one["met"] is None) for one in lines)
