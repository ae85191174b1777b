from __future__ import annotations

import re

import pytest

from model_lifecycle.core.report_style import STYLE


def test_nothing_is_loaded_from_anywhere():
    assert not re.search(r"url\(|@import|https?:|expression", STYLE)


def test_every_brace_is_closed():
    assert STYLE.count("{") == STYLE.count("}")
    assert "</" not in STYLE


def test_there_is_a_light_a_dark_a_narrow_and_a_printed_look():
    for word in ("prefers-color-scheme:dark", "max-width:46rem", "@media print"):
        assert word in STYLE


def _colours(block: int) -> dict[str, str]:
    return dict(re.findall(r"--(\w+):(#[0-9a-f]{3,6})\b", re.findall(r":root\{([^}]*)\}", STYLE)[block]))


def _light(colour: str) -> float:
    """Relative luminance after WCAG 2.1."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("look", [0, 1, 2], ids=["light", "dark", "print"])
@pytest.mark.parametrize(("name", "least"), [*((name, 4.5) for name in ("fg", "dim", "bad", "good", "warn", "new"))])
def test_text_can_be_told_from_its_ground(look: int, name: str, least: float):
    colours = _colours(look)
    high, low = sorted([_light(colours[name]), _light(colours["bg"])], reverse=True)
    assert (high + 0.05) / (low + 0.05) >= least


@pytest.mark.parametrize("look", [0, 1], ids=["light", "dark"])
def test_old_and_new_differ_in_lightness_not_only_in_colour(look: int):
    colours = _colours(look)
    high, low = sorted([_light(colours["old"]), _light(colours["new"])], reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 2
