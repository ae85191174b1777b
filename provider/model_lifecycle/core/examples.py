"""Input examples: the rows with which a version is asked before it may serve."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from model_lifecycle.core.errors import Invalid

EXAMPLE_FILES = ("serving_input_example.json", "input_example.json")
"""Where MLflow keeps the example of a model, the newer form first."""

Columns = Mapping[str, Sequence[Any]]


def example_columns(data: bytes) -> dict[str, list[Any]]:
    """Read MLflow's input example: ``{"columns": [...], "data": [[...]]}``, bare or under ``dataframe_split``.

    :raises Invalid: if the bytes hold no named columns with at least one row.
    """
    try:
        value = json.loads(data)
        value = value.get("dataframe_split", value)
        columns = {str(name): [row[i] for row in value["data"]] for i, name in enumerate(value["columns"])}
        if not columns or not value["data"]:
            raise ValueError("it has no rows")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise Invalid(f"the artifact's input example has no named columns: {error}") from error
    return columns


def rows(columns: Columns) -> int:
    """The number of rows.

    :raises Invalid: if the columns differ in length.
    """
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise Invalid(f"columns of different lengths: {sorted(lengths)}")
    return lengths.pop()


def fault_of(outputs: Columns, expected_rows: int) -> str | None:
    """What is wrong with a smoke answer: no outputs, another number of rows, a NaN or an infinity. None if nothing."""
    if not outputs:
        return "the answer has no outputs"
    for name, values in outputs.items():
        flat = list(_flat(values))
        if len(values) != expected_rows:
            return f"output {name} has {len(values)} rows for {expected_rows} asked"
        if any(value is None or (isinstance(value, float) and not math.isfinite(value)) for value in flat):
            return f"output {name} holds a value that is no number"
    return None


def _flat(values: Any) -> Any:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value
