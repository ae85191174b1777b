"""Requests and answers of the containers behind a SageMaker endpoint: MLflow's JSON, or lines of CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.serving import Columns
from model_lifecycle.hooks.tensors import to_tensors

JSON, CSV = "application/json", "text/csv"
FORMATS = {"mlflow": JSON, "csv": CSV}
"""The extra ``format`` and the media type of each."""


def to_body(inputs: Columns, kind: str) -> bytes:
    """Columns as the body of a request: MLflow's ``dataframe_split``, or CSV without a header.

    :raises Invalid: with the column's name, for what cannot be sent.
    """
    tensors = to_tensors(inputs)
    rows = [list(row) for row in zip(*(tensor["data"] for tensor in tensors), strict=True)]
    if kind == "csv":
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(rows)
        return out.getvalue().encode()
    split = {"columns": [tensor["name"] for tensor in tensors], "data": rows}
    return json.dumps({"dataframe_split": split}, allow_nan=False).encode()


def to_outputs(body: bytes, media_type: str) -> dict[str, list[Any]]:
    """The columns of an answer; those without a name are ``predictions``, or numbered where there are several.

    :raises Invalid: if it is neither JSON nor CSV, or holds no rows.
    """
    try:
        text = body.decode()
        rows = json.loads(text) if media_type.partition(";")[0].strip() == JSON else _lines(text)
    except ValueError as error:
        raise Invalid(f"the answer is no {media_type or 'CSV'}") from error
    rows = rows.get("predictions", rows) if isinstance(rows, Mapping) else rows
    if isinstance(rows, Mapping):
        return {str(name): values if isinstance(values, list) else [values] for name, values in rows.items()}
    if not isinstance(rows, list):
        raise Invalid("the answer holds no rows")
    if rows and all(isinstance(row, Mapping) and row.keys() == rows[0].keys() for row in rows):
        return {str(name): [row[name] for row in rows] for name in rows[0]}
    return {"predictions": rows}


def _lines(text: str) -> list[Any]:
    rows = [[_number(cell) for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    return [row[0] for row in rows] if all(len(row) == 1 for row in rows) else rows


def _number(cell: str) -> Any:
    try:
        return float(cell)
    except ValueError:
        return cell
