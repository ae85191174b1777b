"""Input examples: the rows with which a version is asked before it may serve."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from model_lifecycle.core.errors import Invalid

EXAMPLE_FILES = ("serving_input_example.json", "input_example.json")
"""Where MLflow keeps the example of a model, the newer form first."""

OUTPUT_FILE = "output_example.json"
"""What the model answered for its input example when it was trained, for whoever has it loaded then."""

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


def output_example(outputs: Columns) -> bytes:
    """The bytes of :data:`OUTPUT_FILE`; numbers, texts and lists of them.

    :raises Invalid: if a value cannot be written as JSON.
    """
    try:
        columns = {str(name): [_json(value) for value in values] for name, values in outputs.items()}
        return json.dumps({"outputs": columns}, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise Invalid(f"the outputs cannot be written as JSON: {error}") from error


def expected_outputs(data: bytes) -> dict[str, list[Any]]:
    """Read what :func:`output_example` wrote.

    :raises Invalid: if the bytes hold no named outputs.
    """
    try:
        return {str(name): list(values) for name, values in json.loads(data)["outputs"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Invalid(f"the artifact's {OUTPUT_FILE} holds no named outputs: {error!r}") from error


def difference(outputs: Columns, expected: Columns, tolerance: float) -> str | None:
    """Where an answer differs from the recorded one by more than ``tolerance``, or None.

    A single output is compared whatever a server calls it. The tolerance is relative, and absolute for numbers below 1.
    """
    if len(outputs) == len(expected) == 1:
        outputs = dict(zip(expected, outputs.values(), strict=True))
    for name, wanted in expected.items():
        found = list(_flat(outputs.get(name, ())))
        for place, (value, other) in enumerate(zip_longest(found, _flat(wanted))):
            if not _near(value, other, tolerance):
                return f"output {name} is {value!r} at place {place}, and was {other!r} when the version was trained"
    return None


def _near(value: Any, other: Any, tolerance: float) -> bool:
    if isinstance(value, int | float) and isinstance(other, int | float):
        return abs(value - other) <= tolerance * max(1.0, abs(other))
    return bool(value == other)


def _json(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    return value.item() if hasattr(value, "item") else value
