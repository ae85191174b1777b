from __future__ import annotations

import json

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from model_lifecycle.core.errors import (
    Conflict,
    Denied,
    Invalid,
    ModelLifecycleError,
    NotFound,
    Unavailable,
)
from model_lifecycle.core.models import ModelVersion
from model_lifecycle.hooks.mlflow_answers import (
    MAX_TEXT,
    artifact_uri_of,
    error_code,
    filter_for,
    same_artifact,
    source_of,
    tag_rows,
    translated,
    version_of,
)
from model_lifecycle.hooks.registry import DIGEST_TAG

parts = st.text("abcXYZ019._-", min_size=1, max_size=20)
paths = st.lists(parts, min_size=1, max_size=6).map(lambda names: "/".join(["", *names]))
hosts = st.sampled_from(["webhdfs://nn:9870", "webhdfs://nn1:1,nn2:2", "s3://bucket", "file://", "hdfs://nn"])


def answered(status: int, body: bytes, kind: type[ModelLifecycleError] = Invalid) -> ModelLifecycleError:
    response = requests.Response()
    response.status_code, response._content = status, body
    error = kind("said", target="mlflow_default", hint="look")
    error.__cause__ = requests.HTTPError(response=response)
    return error


@pytest.mark.parametrize(
    ("code", "status", "first", "kind"),
    [
        ("RESOURCE_DOES_NOT_EXIST", 404, NotFound, NotFound),
        ("RESOURCE_ALREADY_EXISTS", 400, Invalid, Conflict),
        ("INVALID_PARAMETER_VALUE", 400, Invalid, Invalid),
        ("PERMISSION_DENIED", 403, Denied, Denied),
        ("ENDPOINT_NOT_FOUND", 404, NotFound, Invalid),
        ("INVALID_STATE", 500, Unavailable, Invalid),
        ("INTERNAL_ERROR", 500, Unavailable, Unavailable),
        ("ABORTED", 409, Conflict, Unavailable),
        ("A_CODE_OF_TOMORROW", 503, Unavailable, Unavailable),
    ],
)
def test_the_code_of_mlflow_decides(
    code: str, status: int, first: type[ModelLifecycleError], kind: type[ModelLifecycleError]
) -> None:
    error = answered(status, json.dumps({"error_code": code, "message": "x"}).encode(), first)
    assert type(translated(error)) is kind
    assert str(translated(error)) == str(error)


@pytest.mark.parametrize("body", [b"<html></html>", b"", b"[]", b"{}", b'{"error_code": ["x"]}', b"\xff"])
def test_an_answer_without_a_code_keeps_its_class_but_404_is_no_mlflow(body: bytes) -> None:
    assert error_code(answered(500, body)) is None
    assert type(translated(answered(500, body, Unavailable))) is Unavailable
    with pytest.raises(Invalid, match="no MLflow server"):
        raise translated(answered(404, body, NotFound))


def test_an_error_without_an_answer_keeps_its_class() -> None:
    error = Unavailable("no answer in time")
    error.__cause__ = requests.Timeout()
    assert type(translated(error)) is Unavailable


@given(hosts, paths)
def test_an_artifact_uri_survives_the_registry(host: str, path: str) -> None:
    uri = host + path
    assert artifact_uri_of(source_of(uri)) == uri
    assert not source_of(uri).startswith("file:")


@pytest.mark.parametrize("uri", ["", "churn", "/srv/models", "s3://bucket", "webhdfs://nn:1//", "file:", None, 7, b"x"])
def test_what_names_no_path_is_no_artifact_uri(uri: object) -> None:
    with pytest.raises(Invalid, match="artifact URI"):
        source_of(uri)


def test_a_password_never_becomes_a_source() -> None:
    with pytest.raises(Invalid) as caught:
        source_of("webhdfs://ada:pass-word@nn:9870/models")
    assert "pass-word" not in str(caught.value)


@given(hosts, hosts, paths)
def test_the_same_artifact_is_the_same_path_on_any_host(one: str, other: str, path: str) -> None:
    found = ModelVersion("churn", 1, one + path)
    assert same_artifact(found, other + path) is found
    with pytest.raises(Conflict):
        same_artifact(found, f"{other}{path}x")


@given(st.dictionaries(st.text(min_size=1, max_size=250), st.none() | st.text(max_size=100)))
def test_tags_keep_every_text_and_lose_every_none(tags: dict[str, str | None]) -> None:
    rows = tag_rows(tags)
    assert {row["key"]: row["value"] for row in rows} == {k: v for k, v in tags.items() if v is not None}


@pytest.mark.parametrize("tags", [{"": "x"}, {5: "x"}, {"k": 5}, {"k" * 251: "x"}, {"k": "x" * (MAX_TEXT + 1)}])
def test_a_tag_that_mlflow_cannot_keep_is_refused(tags: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="tag"):
        tag_rows(tags)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20)))
def test_no_tag_breaks_out_of_the_filter(tags: dict[str, str]) -> None:
    text = filter_for("churn", tags)
    assert text.startswith("name = 'churn'")
    comparisons = text.count(" AND tags.`")
    assert text.count("'") == 2 + 2 * comparisons
    assert text.count("`") == 2 * comparisons


def test_a_version_without_a_true_digest_has_none() -> None:
    row = {"name": "churn", "version": "3", "source": "s3://b/m", "tags": [{"key": DIGEST_TAG, "value": "abc"}]}
    assert version_of(row) == ModelVersion("churn", 3, "s3://b/m", None, (), {DIGEST_TAG: "abc"})
    assert version_of({"name": "churn", "version": "3"}, ("champion",)).aliases == ("champion",)
