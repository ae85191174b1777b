"""Names: an allow-list, whatever comes (bad inputs 1 to 34)."""

from __future__ import annotations

import posixpath
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.names import MAX_PATH, check_name, check_path
from tests.core.bad_names import BAD_NAMES, BAD_VALUES, RESERVED

ALLOWED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
PIECES = [*"aZ0._-/%\\:~ \n\0", "%2e", "%252f", "..", "\xe9", "\u202e", "_staging"]
NASTY = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@pytest.mark.parametrize("name", [*BAD_NAMES.values(), *RESERVED, "a/b", "_x", *BAD_VALUES])
def test_a_name_outside_the_allow_list_is_refused(name: object) -> None:
    with pytest.raises(Invalid, match="model name"):
        check_name(name, "model name")


@pytest.mark.parametrize("name", ["x", "7", "churn", "a.b-c_d", "1.0.0", "x" * 128, "A--", "a..b", "v1_"])
def test_an_allowed_name_is_returned_as_it_is(name: str) -> None:
    assert check_name(name, "model name") == name


@pytest.mark.parametrize("path", [*BAD_NAMES.values(), *RESERVED, *BAD_VALUES])
@pytest.mark.parametrize("place", ["{}", "data/{}", "{}/data"])
def test_a_path_outside_the_allow_list_is_refused(path: object, place: str) -> None:
    with pytest.raises(Invalid, match="is not allowed in an artifact"):
        check_path(place.format(path) if isinstance(path, str) else path)


@pytest.mark.parametrize("path", ["MLmodel", "code/__init__.py", "a/b/c.d", "_x", "x" * 128, "a..b/c"])
def test_an_allowed_path_is_returned_as_it_is(path: str) -> None:
    assert check_path(path) == path


def test_a_path_has_a_longest_length() -> None:
    parts = ["x" * 127] * (MAX_PATH // 128)
    longest = "/".join([*parts]) + "/"
    assert check_path(longest[:MAX_PATH].rstrip("/"))
    with pytest.raises(Invalid):
        check_path("/".join([*parts, "xx"]))


@given(st.text() | NASTY)
@example("x\u0660")
def test_what_is_allowed_is_one_plain_word_in_every_reading(text: str) -> None:
    try:
        name = check_name(text, "name")
    except Invalid:
        return
    assert set(name) <= ALLOWED
    assert 1 <= len(name.encode()) <= 128
    assert unquote(name) == quote(name, safe="") == name
    assert name[0] not in "._-"
    assert name[-1] != "."


@given(st.text() | NASTY)
def test_an_allowed_path_never_leaves_its_root(text: str) -> None:
    try:
        path = check_path(text)
    except Invalid:
        return
    assert posixpath.normpath(posixpath.join("/root/of/store", path)) == f"/root/of/store/{path}"
    assert unquote(path) == path
    assert path.isascii()


@given(st.text(min_size=0, max_size=10_000))
def test_an_error_shows_any_text_in_one_short_printable_line(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_name(text + "!", "name")
    assert len(str(caught.value)) < 400
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
