"""A request's columns, checked against the signature of the model that is to answer; every refusal names the column.

Only the standard library: the Python of a model server may have nothing else of ours.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

WHOLE = {"integer": 31, "long": 63}
"""Types of whole numbers, and the bits of their values."""
REAL = ("float", "double")
ANY = "input"
"""How the one tensor of a model without named inputs is called."""


class RefusedError(ValueError):
    """The request does not fit the model."""


def read_columns(body: Any, specs: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """The columns of ``{"inputs": {name: [values]}}`` in the order of the signature.

    What is missing is a NaN, where the signature says that a column of real numbers is not required.

    :param specs: the inputs of an MLflow signature.
    :raises RefusedError: if a column is missing, unknown, of another type, or of another length than the first.
    """
    inputs = body.get("inputs") if isinstance(body, dict) else None
    if not isinstance(inputs, dict) or not inputs:
        raise RefusedError('send {"inputs": {"<column>": [<values>], ...}}')
    names = [name_of(spec) for spec in specs]
    for name in inputs:
        if name not in names:
            raise RefusedError(f"column {name} is not of the model: it takes {', '.join(names)}")
    rows = _rows(inputs)
    return [_column(name, spec, inputs, rows) for name, spec in zip(names, specs)]


def name_of(spec: Mapping[str, Any]) -> str:
    """What callers call an input of the signature."""
    return str(spec.get("name") or ANY)


def plain(value: Any) -> Any:
    """Outputs as JSON can carry them: what is no finite number becomes null."""
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def parse(raw: Any) -> Any:
    """A body that the server has not parsed.

    :raises RefusedError: if it is not JSON.
    """
    if not isinstance(raw, (bytes, bytearray, str)):
        return raw
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RefusedError("the body is not JSON") from error


def _rows(inputs: Mapping[str, Any]) -> int:
    rows = None
    for name, values in inputs.items():
        if not isinstance(values, list) or not values:
            raise RefusedError(f"column {name} is not a list of values")
        rows = len(values) if rows is None else rows
        if len(values) != rows:
            raise RefusedError(f"column {name} has {len(values)} rows, the first has {rows}")
    return rows or 0


def _column(name: str, spec: Mapping[str, Any], inputs: Mapping[str, Any], rows: int) -> list[Any]:
    if spec["type"] == "tensor":
        shape = spec["tensor-spec"]["shape"][1:]
        return [_nested(name, value, shape) for value in _given(name, inputs)]
    optional = spec.get("required") is False and spec["type"] in REAL
    if optional and name not in inputs:
        return [math.nan] * rows
    return [_value(name, spec["type"], value, optional) for value in _given(name, inputs)]


def _given(name: str, inputs: Mapping[str, Any]) -> list[Any]:
    if name not in inputs:
        raise RefusedError(f"column {name} is missing")
    return list(inputs[name])


def _value(name: str, kind: str, value: Any, optional: bool) -> Any:
    if value is None and optional:
        return math.nan
    if kind in REAL:
        right = type(value) in (int, float) and _is_finite(value)
    elif kind in WHOLE:
        right = type(value) is int and -(2 ** WHOLE[kind]) <= value < 2 ** WHOLE[kind]
    else:
        right = type(value) is {"boolean": bool, "string": str}[kind]
    if not right:
        raise RefusedError(f"column {name} holds {str(value)[:40]!r}, which is no {kind}")
    return value


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def _nested(name: str, value: Any, shape: Sequence[int]) -> Any:
    if not shape:
        return _value(name, "double", value, False)
    if not isinstance(value, list) or (shape[0] >= 0 and len(value) != shape[0]):
        raise RefusedError(f"a row of column {name} is not a list of {shape[0]}")
    return [_nested(name, one, shape[1:]) for one in value]
