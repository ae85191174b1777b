"""The Airflows before this one, each in its own environment; ``make lanes`` asks them much more."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.servers.environments import OLDER, ROOT, environment

ASKED = (
    "tests/airflows/test_this_airflow.py",
    "tests/house/test_airflow_commands.py",
    "tests/house/test_house.py::test_the_provider_info_is_what_airflows_schema_asks_for",
    "tests/house/test_house.py::test_every_dotted_path_of_the_provider_info_can_be_imported",
)


@pytest.mark.parametrize("older", OLDER)
def test_an_older_airflow_takes_the_provider_and_every_example(older: str, tmp_path: Path):
    command = [environment(f"airflow-{older}") / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *ASKED]
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
