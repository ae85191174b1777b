"""Columns as tensors of the Open Inference Protocol v2, and its answers as columns; pure, and without numpy.

Columns may hold plain Python values, numpy's scalars, a pandas Series or None. NaN travels as null, which JSON has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.serving import Answer, Columns

_DATATYPES: dict[frozenset[type], str] = {
    frozenset({bool}): "BOOL",
    frozenset({int}): "INT64",
    frozenset({float}): "FP64",
    frozenset({int, float}): "FP64",
    frozenset({str}): "BYTES",
    frozenset(): "FP64",
}


def to_tensors(inputs: Columns) -> list[dict[str, Any]]:
    """One tensor of shape ``[n]`` per column.

    :raises Invalid: with the column's name, for mixed types, infinity, values that are no scalars, unequal lengths.
    """
    tensors = [_tensor(str(name), values) for name, values in inputs.items()]
    if not tensors:
        raise Invalid("a request needs at least one column")
    rows = tensors[0]["shape"]
    for tensor in tensors:
        if tensor["shape"] != rows:
            raise Invalid(f"column {tensor['name']} has {tensor['shape'][0]} rows, {tensors[0]['name']} has {rows[0]}")
    return tensors


def to_answer(value: Any, header: str | None = None) -> Answer:
    """What an infer response says; an output of two dimensions becomes a list of rows, one of shape [n, 1] a column.

    :param header: the version that the header ``x-model-version`` names, for servers that leave it out of the body.
    :raises Invalid: if it is not a response of the protocol.
    """
    try:
        outputs = {tensor["name"]: _rows(tensor["data"], tensor["shape"]) for tensor in value["outputs"]}
        said = str(value.get("model_version") or header or "")
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise Invalid(f"the answer is no infer response of the protocol: {error!r}") from error
    return Answer(int(said) if said.isascii() and said.isdigit() else None, outputs)


def _tensor(name: str, values: Sequence[Any]) -> dict[str, Any]:
    listed = values.tolist() if hasattr(values, "tolist") else list(values)
    data = [_plain(value) for value in listed]
    kinds = frozenset(map(type, data)) - {type(None)}
    datatype = _DATATYPES.get(kinds)
    if datatype is None:
        raise Invalid(f"column {name} holds {' and '.join(sorted(kind.__name__ for kind in kinds))} values")
    if any(isinstance(value, float) and math.isinf(value) for value in data):
        raise Invalid(f"column {name} holds infinity, which JSON cannot carry")
    return {"name": name, "shape": [len(data)], "datatype": datatype, "data": data}


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    # What is missing is a NaN among floats and, for pandas, among texts; a NaT among times; an NA elsewhere.
    if type(value).__name__ in ("NaTType", "NAType") or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.isoformat() if isinstance(value, date) else value


def _rows(data: Any, shape: Sequence[int]) -> Sequence[Any]:
    if not isinstance(data, list):
        raise TypeError("data is not a list")
    if list(shape[1:]) == [1] and shape[0] == len(data):
        return [row[0] if isinstance(row, list) else row for row in data]
    if math.prod(shape) != len(data):
        if shape[0] != len(data):
            raise ValueError("data does not fit its shape")
        return data  # nested already, as the protocol allows
    width = math.prod(shape[1:])
    return data if len(shape) < 2 else [data[place : place + width] for place in range(0, len(data), width or 1)]


def state_of(entry: Mapping[str, Any]) -> str | None:
    """What a line of the repository index says of its version: LOADING, READY, FAILED, or None for not loaded.

    Other servers (Triton, MLServer) call a version UNAVAILABLE that could not be loaded, and give a reason.
    """
    state, reason = entry.get("state"), entry.get("reason")
    if state in ("LOADING", "READY", "FAILED"):
        return str(state)
    return "FAILED" if state == "UNAVAILABLE" and reason not in (None, "", "unloaded") else None
