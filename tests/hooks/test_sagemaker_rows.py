"""Requests and answers of SageMaker's containers."""

from __future__ import annotations

import json
import math

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.sagemaker_rows import CSV, JSON, to_body, to_outputs


def test_mlflows_containers_get_rows_with_names() -> None:
    body = json.loads(to_body({"x": [1.0, math.nan], "t": ["a", 'b"']}, "mlflow"))
    assert body == {"dataframe_split": {"columns": ["x", "t"], "data": [[1.0, "a"], [None, 'b"']]}}


def test_others_get_lines_without_names() -> None:
    assert to_body({"x": [1.5, 2.0], "t": ["a,b", 'c"']}, "csv") == b'1.5,"a,b"\n2.0,"c"""\n'


@pytest.mark.parametrize("kind", ["mlflow", "csv"])
@pytest.mark.parametrize("inputs", [{}, {"x": [math.inf]}, {"x": [1, "a"]}, {"x": [1.0], "y": [1.0, 2.0]}])
def test_what_cannot_be_sent_is_refused(inputs: dict, kind: str) -> None:
    with pytest.raises(Invalid):
        to_body(inputs, kind)


@pytest.mark.parametrize(
    ("body", "media_type", "outputs"),
    [
        (b'{"predictions": [1.5, 2]}', JSON, {"predictions": [1.5, 2]}),
        (b'{"predictions": [[1, 2], [3, 4]]}', JSON, {"predictions": [[1, 2], [3, 4]]}),
        (b'{"predictions": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}', JSON, {"a": [1, 2], "b": ["x", "y"]}),
        (b'{"predictions": {"a": [1, 2], "b": 3}}', JSON, {"a": [1, 2], "b": [3]}),
        (b"[1, 2]", "application/json; charset=utf-8", {"predictions": [1, 2]}),
        (b'[{"a": 1}, {"b": 2}]', JSON, {"predictions": [{"a": 1}, {"b": 2}]}),
        (b"1.5\n2\n", CSV, {"predictions": [1.5, 2.0]}),
        (b"1,2\n3,yes\n", CSV, {"predictions": [[1.0, 2.0], [3.0, "yes"]]}),
        (b"", CSV, {"predictions": []}),
    ],
)
def test_answers_are_columns(body: bytes, media_type: str, outputs: dict) -> None:
    assert to_outputs(body, media_type) == outputs


@pytest.mark.parametrize(("body", "media_type"), [(b"<html>", JSON), (b"7", JSON), (b"null", JSON), (b"\xff", CSV)])
def test_other_answers_are_refused(body: bytes, media_type: str) -> None:
    with pytest.raises(Invalid):
        to_outputs(body, media_type)
