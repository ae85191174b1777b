"""The pages tell the truth: every snippet is run, every link leads somewhere, everything that can be used is named."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from model_lifecycle.get_provider_info import get_provider_info
from tests.house import capabilities
from tests.house.pages import DOCS, PAGES, README, ROOT, anchors, blocks, dead_links, faults, links, regions

INFO = get_provider_info()
TYPES = {one["connection-type"]: one for one in INFO["connection-types"]}
SOURCES = sorted([*(ROOT / "dags").rglob("*.py"), *(ROOT / "tests").rglob("*.py")])
SHARED = {"scheme", "verify", "ca", "cert", "key", "timeout"}
"""Extras that almost every connection has, described once."""


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(params=PAGES, ids=name_of)
def page(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_every_block_is_what_it_was_cut_from_and_every_block_of_python_is_run(page: Path):
    assert [fault for block in blocks(name_of(page), page.read_text()) for fault in faults(block)] == []


def test_every_link_and_every_anchor_leads_somewhere(page: Path):
    assert dead_links(page, page.read_text()) == []


def test_every_marked_region_is_shown_on_a_page():
    shown = {cut for page in PAGES for block in blocks(name_of(page), page.read_text()) for cut in block.cuts()}
    marked = {(name_of(source), name) for source in SOURCES for name in regions(source.read_text())}
    assert marked - shown == set()


def test_the_index_leads_to_every_page():
    listed = {link.partition("#")[0] for link in links((DOCS / "README.md").read_text())}
    assert {page.name for page in DOCS.glob("*.md")} - listed - {"README.md"} == set()


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_every_connection_type_has_its_row_with_its_hook_its_page_and_its_extras(kind: str):
    rows = [line for line in (DOCS / "connections.md").read_text().splitlines() if line.startswith(f"| `{kind}` |")]
    assert len(rows) == 1
    row, connection = rows[0], TYPES[kind]
    assert f"`{connection['hook-class-name'].rpartition('.')[2]}`" in row
    assert links(row), "no page"
    assert [extra for extra in connection["conn-fields"].keys() - SHARED if f"`{extra}`" not in row] == []


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_the_page_of_a_connection_type_or_what_all_share_explains_every_extra_of_the_form(kind: str):
    lines = (DOCS / "connections.md").read_text().splitlines()
    row = next(line for line in lines if line.startswith(f"| `{kind}` |"))
    told = "".join((DOCS / link.partition("#")[0]).read_text() for link in links(row))
    # The rows of the overview name extras, and explain none.
    told += "\n".join(line for line in lines if not any(line.startswith(f"| `{one}` |") for one in TYPES))
    named = set(re.findall(r"`(\w+)`", told))
    assert TYPES[kind]["conn-fields"].keys() - named == set()


def test_the_readme_names_every_connection_type_and_every_dag():
    readme = README.read_text()
    assert [kind for kind in TYPES if f"`{kind}`" not in readme] == []
    dags = [import_module(path.stem).dag.dag_id for path in sorted((ROOT / "dags").glob("*.py"))]
    assert [dag for dag in dags if f"`{dag}`" not in readme] == []


def test_the_readme_names_every_option_of_the_configuration():
    readme = README.read_text()
    options = [f"[{section}] {name}" for section, one in INFO["config"].items() for name in one["options"]]
    assert [option for option in options if option not in readme] == []


# What follows asks the asker.

SHOWN = """# A page

<!-- cut from dags/reconcile_releases.py [reconcile] -->
```python
{code}```
"""


def test_a_snippet_that_drifts_is_found():
    code = regions((ROOT / "dags" / "reconcile_releases.py").read_text())["reconcile"]
    right, wrong = SHOWN.format(code=code), SHOWN.format(code=code.replace("grace", "graze"))
    assert [list(faults(block)) for block in blocks("page", right)] == [[]]
    assert [fault for block in blocks("page", wrong) for fault in faults(block)]


@pytest.mark.parametrize(
    "mark",
    [
        "cut from dags/reconcile_releases.py [nowhere]",
        "cut from dags/nothing.py [reconcile]",
        "cut from dags/reconcile_releases.py",
        "run by tests/house/nothing.py [install]",
        "cut by hand",
        "",
    ],
)
def test_a_mark_that_leads_nowhere_is_found(mark: str):
    text = (f"<!-- {mark} -->\n" if mark else "") + "```python\nprint()\n```\n"
    assert [fault for block in blocks("page", text) for fault in faults(block)]


def test_blocks_that_are_no_python_need_no_mark():
    assert [list(faults(block)) for block in blocks("page", "```bash\nls\n```\n\n```\ntext\n```\n")] == [[], []]


@pytest.mark.parametrize("link", ["nowhere.md", "README.md#nowhere", "#nowhere", "../nothing/"])
def test_a_dead_link_is_found(link: str):
    text = f"# Here\n[one]({link}) [two](README.md) [three](#here) `[four](code.md)` [five](https://example.com/x)\n"
    assert dead_links(DOCS / "page.md", text) == [f"docs/page.md: {link}"]


def test_anchors_are_those_that_github_makes():
    assert anchors("# A `b_c` & d!\n## Never run, or [so](x.md)\n") == {"a-b_c--d", "never-run-or-so"}


def test_the_table_of_what_serving_systems_can_do_is_what_the_hooks_say():
    """If this fails, run ``python -m tests.house.capabilities``."""
    text = capabilities.PAGE.read_text()
    assert text == capabilities.written(text)


def test_a_table_that_is_no_longer_so_is_found():
    changed = capabilities.PAGE.read_text().replace("| yes |", "| no |", 1)
    assert changed != capabilities.written(changed)


def test_nothing_is_said_of_a_serving_system_that_is_none():
    assert {key for key, _, _ in capabilities.systems()} == capabilities.KNOWN.keys()
