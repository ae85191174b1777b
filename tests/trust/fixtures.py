"""The two corpora on disk, and what inspecting them gave, in one process for all tests of a session."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.trust import benign, malicious

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Watched:
    """What came of every artifact under every policy, and the markers that a loaded artifact would have made."""

    results: dict[str, Any]
    folders: Path
    markers: Path

    def of(self, name: str, words: str = "") -> dict[str, Any]:
        found: dict[str, Any] = self.results[f"{name} | {words}"]
        return found


def watch(folders: Path) -> Watched:
    markers = folders / "markers"
    markers.mkdir()
    listed = []
    for number, (name, bad) in enumerate(malicious.CORPUS.items()):
        folder = malicious.write(folders / f"bad-{number}", bad.files(command(markers, number)))
        listed += [(name, str(folder), words) for words in ("", *bad.also)]
    for name, build in benign.CORPUS.items():
        folder = folders / f"good-{name}"
        build(folder)
        listed += [(name, str(folder), "")]
    return Watched(inspect_aside(listed, folders / "listed.json"), folders, markers)


def command(markers: Path, number: int) -> str:
    return f"touch {markers / str(number)}"


def inspect_aside(listed: list[tuple[str, str, str]], path: Path) -> dict[str, Any]:
    path.write_text(json.dumps(listed))
    arguments = [sys.executable, "-W", "ignore", "-m", "tests.trust.watch", str(path)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(path.with_suffix(".results").read_text())
    return found
