"""Reads the project's pages: blocks and the marks before them, regions of code, links and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])

_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_CUT = re.compile(r"cut from (?P<file>\S+)(?P<names>( \[[\w:]+\])+)")
_RUN = re.compile(r"run by (?P<file>\S+) \[(?P<name>[\w ]+)\]")
_REGION = re.compile(
    r"^[ ]*# \[START (?P<name>\w+)\]\n(?P<text>.*?)^[ ]*# \[END (?P=name)\]$", re.MULTILINE | re.DOTALL
)
_SECTION = re.compile(r"^\[(?P<name>[\w:]+)\]\n(?:(?!\[).*\n)*", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^()\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page, with what the comment on the line before it says."""

    page: str
    mark: str
    language: str
    text: str

    def cuts(self) -> list[tuple[str, str]]:
        """The regions it is cut from: file and name."""
        found = _CUT.fullmatch(self.mark)
        return [(found["file"], name) for name in re.findall(r"\[([\w:]+)\]", found["names"])] if found else []

    def run(self) -> tuple[str, str] | None:
        """The test that runs it, and the name by which that test finds it."""
        found = _RUN.fullmatch(self.mark)
        return (found["file"], found["name"]) if found else None


def blocks(page: str, text: str) -> list[Block]:
    """Every fenced block of a page's text."""
    return [Block(page, one["mark"] or "", one["language"], one["text"]) for one in _BLOCK.finditer(text)]


def regions(text: str) -> dict[str, str]:
    """The marked regions of a file's text, each moved to the left."""
    return {one["name"]: dedent(one["text"]).rstrip("\n") + "\n" for one in _REGION.finditer(text)}


def parts(file: str) -> dict[str, str]:
    """What a page can cut from a file: regions of code, or the sections of a configuration."""
    if file.endswith((".conf", ".ini")):
        return {one["name"]: one[0].rstrip("\n") + "\n" for one in _SECTION.finditer(read(file))}
    return regions(read(file))


def faults(block: Block) -> Iterator[str]:
    """What is wrong with a block: it is cut from nowhere, or is no longer what it was cut from."""
    cuts, run = block.cuts(), block.run()
    if cuts:
        missing = [f"{file} [{name}]" for file, name in cuts if name not in parts(file)]
        if missing:
            yield f"{block.page}: there is no {', '.join(missing)}"
        elif block.text != "".join(parts(file)[name] for file, name in cuts):
            yield f"{block.page}: {block.mark} is not what stands there"
    elif run and "run by" not in read(run[0]):
        yield f"{block.page}: {run[0]} runs no block of a page"
    elif block.mark.startswith(("cut ", "run ")) and not run:
        yield f"{block.page}: the mark {block.mark!r} cannot be read"
    elif block.language == "python" and not run:
        yield f"{block.page}: a block of Python that nothing runs: {block.text[:60]!r}"


def read(file: str) -> str:
    """A file of the project; empty if there is none."""
    path = ROOT / file
    return path.read_text() if path.is_file() else ""


def without_code(text: str) -> str:
    """A page's prose: no blocks, no code between backticks."""
    return re.sub(r"`[^`\n]*`", "`code`", _BLOCK.sub("", text))


def links(text: str) -> list[str]:
    """Where the links of a page lead, without those that leave the project."""
    targets = [one["target"] for one in _LINK.finditer(without_code(text))]
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """What may stand behind ``#`` for a page: its headings as GitHub writes them."""
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", one["text"]) for one in _HEADING.finditer(_BLOCK.sub("", text))]
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in plain}


def dead_links(page: Path, text: str) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for link in links(text):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        there = not file or target.exists()
        if not there or (anchor and target.suffix == ".md" and anchor not in anchors(text_of(target, page, text))):
            found.append(f"{page.relative_to(ROOT)}: {link}")
    return found


def text_of(target: Path, page: Path, text: str) -> str:
    """The text of a page, which is at hand if it is the one that is looked at."""
    return text if target == page else target.read_text()
