"""What the demo shows: a moving picture on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

MARKS = {"success": "[green]✓[/]", "failed": "[red]✗[/]", "running": "[yellow]▶[/]", "queued": "[dim]…[/]"}


class Screen:
    """Prints, and keeps the seconds that each stage took and every check with its answer."""

    def __init__(self) -> None:
        console = Console(highlight=False)
        # A pipe has no width of its own; 80 columns would break the tables.
        self.console = console if console.is_terminal else Console(highlight=False, width=140)
        self.seconds: dict[str, float] = {}
        self.checks: list[dict[str, object]] = []

    @property
    def moving(self) -> bool:
        """Whether the output is a terminal that can be drawn over."""
        return self.console.is_terminal

    def line(self, text: str) -> None:
        """One line of rich markup, at once, also into a pipe."""
        self.console.print(text)
        self.console.file.flush()

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[None]:
        """A part of the demo under its own heading, timed."""
        self.line(f"\n[bold]{title}[/]")
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - began, 1)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A spinner on a terminal while something takes its time."""
        if not self.moving:
            yield
            return
        with self.console.status(text):
            yield

    def check(self, holds: bool, sentence: str, evidence: object = "") -> bool:
        """Say whether something that should be so is so; what is not makes the demo fail."""
        self.checks.append({"check": sentence, "ok": bool(holds), "evidence": str(evidence)})
        mark = MARKS["success" if holds else "failed"]
        self.line(f"  {mark} {escape(sentence)}{f' [dim]({escape(str(evidence))})[/]' if str(evidence) else ''}")
        return holds

    @property
    def well(self) -> bool:
        """Whether every check held, and there was at least one."""
        return bool(self.checks) and all(check["ok"] for check in self.checks)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table of plain values."""
        table = Table(*columns)
        for row in rows:
            table.add_row(*(escape(str(value)) for value in row))
        self.console.print(table)


class Board:
    """One line for each run of a DAG, drawn anew on a terminal, printed on every change elsewhere."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self._lines: dict[str, tuple[str, str, float]] = {}
        self._live = Live(console=screen.console, refresh_per_second=4) if screen.moving else None

    def __enter__(self) -> Board:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, name: str, state: str, doing: str, seconds: float) -> None:
        """Tell what a run is doing now."""
        before = self._lines.get(name, ("", "", 0.0))
        # Between two tasks nothing runs for a moment: the last one stays on the line.
        self._lines[name] = (state, doing or (before[1] if state == before[0] else ""), seconds)
        if self._live:
            self._live.update(self._picture())
        elif before[:2] != self._lines[name][:2]:
            self.screen.line(f"  {self._line(name)}")

    def ended(self, name: str, state: str) -> bool:
        """Whether the line of a run says already that it has ended so, and with what."""
        before, doing, _ = self._lines.get(name, ("", "", 0.0))
        return state in ("success", "failed") and before == state and doing != ""

    def _picture(self) -> Text:
        return Text("\n").join(Text.from_markup(f"  {self._line(name)}") for name in self._lines)

    def _line(self, name: str) -> str:
        state, doing, seconds = self._lines[name]
        return f"{MARKS.get(state, ' ')} {escape(name):10} {state:8} {escape(doing):32} {seconds:5.0f} s"
