"""``python -m tests.grafana``: make the dashboards of the package with Grafana's own SDK and write them.

A title is what a person asks at night; a description says what the answer rests on and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.grafana.boards import FOLDER, written
from tests.grafana.drift import drift
from tests.grafana.release import release
from tests.grafana.versions import versions

BOARDS = (release, versions, drift)


def files() -> Iterator[tuple[str, str]]:
    """Every dashboard's file name and its text."""
    for board in BOARDS:
        yield f"{board.__name__}.json", written(board())


if __name__ == "__main__":
    for name, text in files():
        (FOLDER / name).write_text(text)
