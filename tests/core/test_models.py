"""Model URIs and endpoints: what is read is what was written, all else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.models import Endpoint, ModelUri, ModelVersion
from tests.core.bad_names import BAD_NAMES, BAD_VALUES, RESERVED

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9_-])?", fullmatch=True)
BAD_URIS = [
    "", "flights", "models:", "models:/", "models:/flights", "models:/flights/", "models:/flights/0",
    "models:/flights/01", "models:/flights/-1", "models:/flights/1.0", "models:/flights/+1", "models:/flights/ 1",
    "models:/flights/1/", "models:/flights/1/2", "models:/flights/latest", "models:/flights/Production",
    "models:/flights@", "models:/flights@a@b", "models:/flights@champion/1", "models:/flights/1@champion",
    "models://flights/1", "Models:/flights/1", "models:/flights/" + "9" * 19, "models:/flights/\u0661",
    "models:/flights/1\n",
    "runs:/0123/model", "models:/../1", "models:/a/b/1", "models:/flights/1?x", "models:/flights/1#x", " models:/a/1",
]  # fmt: skip


@given(NAMES, st.integers(1, 10**18 - 1))
def test_a_version_is_written_and_read_back(name: str, version: int) -> None:
    uri = ModelUri.parse(f"models:/{name}/{version}")
    assert (uri.name, uri.version, uri.alias) == (name, version, None)
    assert ModelUri.parse(str(uri)) == uri


@given(NAMES, NAMES)
def test_an_alias_is_written_and_read_back(name: str, alias: str) -> None:
    uri = ModelUri.parse(f"models:/{name}@{alias}")
    assert (uri.name, uri.version, uri.alias) == (name, None, alias)
    assert ModelUri.parse(str(uri)) == uri


@pytest.mark.parametrize("text", [*BAD_URIS, *BAD_VALUES])
def test_what_is_no_model_uri_is_refused(text: object) -> None:
    with pytest.raises(Invalid):
        ModelUri.parse(text)


@pytest.mark.parametrize("name", [*BAD_NAMES.values(), *RESERVED])
@pytest.mark.parametrize("form", ["models:/{}/1", "models:/flights@{}", "models:/{}@champion"])
def test_a_bad_name_in_a_model_uri_is_refused(name: str, form: str) -> None:
    with pytest.raises(Invalid):
        ModelUri.parse(form.format(name))


@given(st.text())
def test_any_other_text_is_refused_or_written_back_as_it_was(text: str) -> None:
    for prefix in ("", "models:/"):
        try:
            uri = ModelUri.parse(prefix + text)
        except Invalid:
            continue
        assert str(uri) == prefix + text


@given(NAMES, NAMES)
def test_an_endpoint_is_written_and_read_back(conn_id: str, model: str) -> None:
    endpoint = Endpoint.parse(f"{conn_id}/{model}")
    assert endpoint == Endpoint(conn_id, model)
    assert str(endpoint) == f"{conn_id}/{model}"


@pytest.mark.parametrize("text", ["", "/", "a", "a/", "/b", "a/b/c", "a//b", *BAD_VALUES])
def test_what_is_no_endpoint_is_refused(text: object) -> None:
    with pytest.raises(Invalid):
        Endpoint.parse(text)


@pytest.mark.parametrize("name", [*BAD_NAMES.values(), *RESERVED])
@pytest.mark.parametrize("form", ["{}/flights", "scorer_default/{}"])
def test_a_bad_name_in_an_endpoint_is_refused(name: str, form: str) -> None:
    with pytest.raises(Invalid):
        Endpoint.parse(form.format(name))


def test_a_version_knows_the_uri_that_names_it_for_ever() -> None:
    assert ModelVersion("flights", 3, "file:///models", aliases=("champion",)).uri == "models:/flights/3"
