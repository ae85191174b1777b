"""Columns as TensorFlow's tensors, by the signature of the model, and its answers as columns; without numpy.

A column is a list of rows: plain values for an input of one dimension, or of a second that is 1; lists for more. NaN is
a value for floating-point inputs; None and infinity are refused.
"""

from __future__ import annotations

import math
import struct
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.serving import Columns


@dataclass(frozen=True)
class Kind:
    """One of TensorFlow's data types: its name, the field of a tensor that holds its values, and its packed form."""

    name: str
    field: str
    code: str


KINDS = {
    1: Kind("DT_FLOAT", "float_val", "f"),
    2: Kind("DT_DOUBLE", "double_val", "d"),
    3: Kind("DT_INT32", "int_val", "i"),
    4: Kind("DT_UINT8", "int_val", "B"),
    5: Kind("DT_INT16", "int_val", "h"),
    6: Kind("DT_INT8", "int_val", "b"),
    7: Kind("DT_STRING", "string_val", ""),
    9: Kind("DT_INT64", "int64_val", "q"),
    10: Kind("DT_BOOL", "bool_val", "?"),
    17: Kind("DT_UINT16", "int_val", "H"),
    22: Kind("DT_UINT32", "uint32_val", "I"),
    23: Kind("DT_UINT64", "uint64_val", "Q"),
}
"""By the numbers of TensorFlow's ``DataType``; what is not here (half, complex, quantised) is refused by name."""


@dataclass(frozen=True)
class Input:
    """What a signature says of one input; -1 stands for any size, a shape of None for any rank."""

    dtype: int
    shape: tuple[int, ...] | None
    required: bool = True


@dataclass(frozen=True)
class Tensor:
    """One input, checked: its values in row-major order."""

    kind: Kind
    dtype: int
    shape: tuple[int, ...]
    values: tuple[Any, ...]


def inputs_of(signature: Any) -> dict[str, Input]:
    """The inputs that a ``SignatureDef`` declares."""
    return {name: Input(info.dtype, _shape(info), name not in signature.defaults)
            for name, info in signature.inputs.items()}  # fmt: skip


def to_tensors(inputs: Columns, wanted: Mapping[str, Input]) -> dict[str, Tensor]:
    """One tensor per column, as the signature wants them.

    :raises Invalid: with the column's name, for one too few or too many, a wrong type, shape or number of rows.
    """
    for name in inputs:
        if name not in wanted:
            raise Invalid(f"the model has no input {name}", hint=f"its inputs are {', '.join(sorted(wanted))}")
    for name, one in wanted.items():
        if name not in inputs and one.required:
            raise Invalid(f"the model also wants the column {name}")
    tensors = {str(name): _tensor(str(name), values, wanted[name]) for name, values in inputs.items()}
    if not tensors:
        raise Invalid("a request needs at least one column")
    first = next(iter(tensors))
    for name, tensor in tensors.items():
        if tensor.shape[:1] != tensors[first].shape[:1]:
            raise Invalid(f"column {name} has another number of rows than {first}")
    return tensors


def fill(message: Any, tensor: Tensor) -> None:
    """Write a tensor into a ``TensorProto``."""
    message.dtype = tensor.dtype
    for size in tensor.shape:
        message.tensor_shape.dim.add(size=size)
    getattr(message, tensor.kind.field).extend(tensor.values)


def to_json(tensor: Tensor) -> Any:
    """A tensor as the REST interface takes it: nested lists, texts as they are, other bytes as base64."""
    return _nested([_json(value) for value in tensor.values], tensor.shape)


def to_rows(name: str, message: Any) -> list[Any]:
    """The rows that a ``TensorProto`` holds: plain values for the shapes [n] and [n, 1], nested lists for more.

    :raises Invalid: with the output's name, for a type that is not among :data:`KINDS`, or values that do not fit.
    """
    kind = KINDS.get(message.dtype)
    if kind is None:
        raise Invalid(f"output {name} is of TensorFlow's data type {message.dtype}, which is not read here")
    shape = tuple(dim.size for dim in message.tensor_shape.dim)
    size = math.prod(shape)
    values = _unpacked(name, kind, message.tensor_content) or list(getattr(message, kind.field))
    if 0 < len(values) < size:  # TensorFlow leaves out what repeats the last value
        values += values[-1:] * (size - len(values))
    if len(values) != size:
        raise Invalid(f"output {name} holds {len(values)} values, its shape {size}")
    texts = [_text(value) if isinstance(value, bytes) else value for value in values]
    return _nested(texts, shape) if shape[1:] != (1,) else texts


def to_columns(value: Any, names: Sequence[str]) -> dict[str, Any]:
    """The outputs in an answer of the REST interface, which leaves out the name of a single one.

    :raises Invalid: if it is no such answer.
    """
    outputs = value.get("outputs") if isinstance(value, Mapping) else None
    if len(names) == 1 and isinstance(outputs, list):
        outputs = {names[0]: outputs}
    if not isinstance(outputs, Mapping):
        raise Invalid("the answer holds no outputs of TensorFlow Serving")
    return {name: _column(rows) for name, rows in sorted(outputs.items())}


def _column(rows: Any) -> list[Any]:
    if not isinstance(rows, list):
        return [rows]
    single = all(isinstance(row, list) and len(row) == 1 and not isinstance(row[0], list) for row in rows)
    return [row[0] for row in rows] if single else rows


def _shape(info: Any) -> tuple[int, ...] | None:
    if info.tensor_shape.unknown_rank:
        return None
    return tuple(dim.size for dim in info.tensor_shape.dim)


def _tensor(name: str, values: Sequence[Any], wanted: Input) -> Tensor:
    kind = KINDS.get(wanted.dtype)
    if kind is None:
        raise Invalid(f"column {name} is of TensorFlow's data type {wanted.dtype}, which is not sent here")
    shape, flat = _flat(name, values.tolist() if hasattr(values, "tolist") else list(values))
    return Tensor(kind, wanted.dtype, _fitted(name, shape, wanted), tuple(_value(name, one, kind) for one in flat))


def _flat(name: str, values: list[Any]) -> tuple[tuple[int, ...], list[Any]]:
    """Shape and values of nested lists.

    :raises Invalid: if they are of unequal lengths.
    """
    values = [one.tolist() if hasattr(one, "tolist") else one for one in values]
    if not any(isinstance(one, list | tuple) for one in values):
        return (len(values),), values
    parts = [_flat(name, list(one)) if isinstance(one, list | tuple) else ((), [one]) for one in values]
    if len({shape for shape, _ in parts}) != 1:
        raise Invalid(f"the rows of column {name} are of unequal lengths")
    return (len(values), *parts[0][0]), [value for _, flat in parts for value in flat]


def _fitted(name: str, shape: tuple[int, ...], wanted: Input) -> tuple[int, ...]:
    if wanted.shape is None:
        return shape
    if len(wanted.shape) == len(shape) + 1 and wanted.shape[-1] in (1, -1):
        shape = (*shape, 1)
    fits = len(shape) == len(wanted.shape) and all(
        size == asked or asked == -1 for size, asked in zip(shape, wanted.shape, strict=True)
    )
    if not fits:
        raise Invalid(f"column {name} has the shape {list(shape)}, the model takes {list(wanted.shape)}")
    return shape


def _value(name: str, value: Any, kind: Kind) -> Any:
    if kind.field == "string_val":
        right, value = isinstance(value, str | bytes), value.encode() if isinstance(value, str) else value
    elif kind.code == "?":
        right = isinstance(value, bool)
    else:
        right = _is_number(value, kind)
    if not right:
        raise Invalid(f"column {name} is of type {kind.name}, and holds {_shown(value)}")
    return int(value) if kind.code in _WHOLE else value


_WHOLE = tuple("iBhbqHIQ")


def _is_number(value: Any, kind: Kind) -> bool:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (isinstance(value, float) and math.isinf(value))
    ):
        return False
    if kind.code in _WHOLE and (not isinstance(value, int) and not value.is_integer()):
        return False
    try:
        struct.pack(f"<{kind.code}", int(value) if kind.code in _WHOLE else value)
    except (struct.error, OverflowError):
        return False
    return True


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _unpacked(name: str, kind: Kind, content: bytes) -> list[Any]:
    if not content:
        return []
    try:
        return [value for (value,) in struct.iter_unpack(f"<{kind.code}", content)]
    except struct.error as error:
        raise Invalid(f"output {name} holds packed values that are no {kind.name}") from error


def _nested(values: list[Any], shape: Sequence[int]) -> list[Any]:
    if len(shape) < 2:
        return values
    width = math.prod(shape[1:])
    return [_nested(values[place * width : (place + 1) * width], shape[1:]) for place in range(shape[0])]


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _json(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    text = _text(value)
    return text if isinstance(text, str) else {"b64": b64encode(value).decode()}
