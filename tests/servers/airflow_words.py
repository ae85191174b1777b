"""Airflow's command line, for one command after the other in one process: each alone would import all of Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_ASK = """
import contextlib, io, json, sys
from airflow.__main__ import main

found = []
for words in json.loads(sys.stdin.read()):
    sys.argv, code = ["airflow", *words], 0
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    found.append([code if isinstance(code, int) else 1, out.getvalue(), err.getvalue() + str(code or "")])
print("\\n" + json.dumps(found))
"""


@dataclass(frozen=True)
class Said:
    """The exit code of a command, and what it printed; what it was stopped with stands at the end of ``errors``."""

    code: int
    output: str
    errors: str


def said(home: Path, *commands: Sequence[str], env: Mapping[str, str] | None = None) -> list[Said]:
    """Run ``airflow ...`` for each list of words, with an Airflow of its own under ``home``.

    :raises RuntimeError: if the process itself ends badly.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.lstrip("_").startswith("AIRFLOW")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _ASK],
        env={**inherited, "AIRFLOW_HOME": str(home), "COLUMNS": "200", **(env or {})},
        input=json.dumps(commands),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return [Said(*one) for one in json.loads(done.stdout.splitlines()[-1])]
