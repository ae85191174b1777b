"""From tensors to what a model wants, after its MLflow signature; every refusal names the column.

A column of the signature is one tensor of shape ``[n]`` or ``[n, 1]``. A column that is not required may hold nulls, or
be absent, which is the same: it was trained on data with missing values. Integers and booleans have no null. Numbers
are widened, never cut: an integer column takes no fractions and no integer outside its range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd
from mlflow.types import DataType, Schema, TensorSpec

from model_lifecycle.core.errors import Invalid
from model_lifecycle.scorer.protocol import FLOATS, INTEGERS, Tensor, shown

_NUMPY = {
    **{name: np.dtype(name.replace("UINT", "uint").replace("INT", "int")) for name in INTEGERS},
    **{name: np.dtype(name.replace("FP", "float")) for name in FLOATS},
    "BOOL": np.dtype(bool),
    "BYTES": np.dtype(object),
}
_PYTHON: dict[str, set[type]] = {
    "BOOL": {bool},
    "BYTES": {str},
    **{name: {int} for name in INTEGERS},
    **{name: {int, float} for name in FLOATS},
}


@dataclass(frozen=True)
class _Kind:
    """What a type of the signature takes, and what a client is told to send."""

    accepts: tuple[str, ...]
    datatype: str
    dtype: str
    nullable: bool = False


ANY = "input"
"""How the one tensor of a model without named inputs is called in the metadata; a client may call it otherwise."""

_KINDS: dict[Any, _Kind] = {
    DataType.boolean: _Kind(("BOOL",), "BOOL", "bool"),
    DataType.integer: _Kind(INTEGERS, "INT32", "int32"),
    DataType.long: _Kind(INTEGERS, "INT64", "int64"),
    DataType.float: _Kind((*FLOATS, *INTEGERS), "FP32", "float32", nullable=True),
    DataType.double: _Kind((*FLOATS, *INTEGERS), "FP64", "float64", nullable=True),
    DataType.string: _Kind(("BYTES",), "BYTES", "object", nullable=True),
    DataType.datetime: _Kind(("BYTES",), "BYTES", "datetime64[ns]", nullable=True),
}


@dataclass(frozen=True)
class _Column:
    name: str
    required: bool
    kind: _Kind


class Inputs:
    """The inputs of one model.

    :param schema: the inputs of its signature, or None: then it takes one numeric tensor of two dimensions.
    :raises Invalid: if the schema holds what this server cannot carry (nested or unnamed columns, binary).
    """

    def __init__(self, schema: Schema | None) -> None:
        specs = schema.inputs if schema is not None else []
        self._tensors = {spec.name or ANY: spec for spec in specs if isinstance(spec, TensorSpec)}
        self._columns = {column.name: column for column in map(_known, specs) if column}
        self.declared = tuple((str(one["name"]), str(one["datatype"])) for one in self.describe())
        """Names and datatypes, as the metadata lists them."""

    def describe(self) -> list[dict[str, Any]]:
        """The inputs as the protocol's metadata lists them."""
        columns = [(column.name, column.kind.datatype, [-1]) for column in self._columns.values()]
        tensors = [(name, _datatype(spec.type), list(spec.shape)) for name, spec in self._tensors.items()]
        found = columns + tensors or [(ANY, "FP64", [-1, -1])]
        return [{"name": name, "datatype": datatype, "shape": shape} for name, datatype, shape in found]

    def read(self, tensors: Sequence[Tensor]) -> Any:
        """A DataFrame for columns, an array or a dict of arrays for tensors.

        :raises Invalid: with the name of the first column or tensor that is wrong.
        """
        if self._columns:
            return self._frame({tensor.name: tensor for tensor in tensors})
        if self._tensors and ANY not in self._tensors:
            return self._arrays({tensor.name: tensor for tensor in tensors})
        if len(tensors) != 1:
            raise Invalid(f"the model takes one tensor, not {len(tensors)}: {shown([t.name for t in tensors])}")
        return _array(tensors[0], self._tensors[ANY]) if self._tensors else _matrix(tensors[0])

    def _frame(self, tensors: Mapping[str, Tensor]) -> pd.DataFrame:
        _check_names(tensors, self._columns)
        first = next(iter(tensors.values()))
        rows = first.shape[0]
        if not rows:
            raise Invalid(f"input {shown(first.name)} has no rows")
        columns = {}
        for name, column in self._columns.items():
            if name not in tensors and not column.kind.nullable:
                continue  # as MLflow does
            tensor = tensors.get(name) or Tensor(name, column.kind.datatype, (rows,), [None] * rows)
            if tensor.shape not in ((len(tensor.data),), (len(tensor.data), 1)):
                raise Invalid(f"input {shown(name)}: shape {shown(list(tensor.shape))} is neither [n] nor [n, 1]")
            if len(tensor.data) != rows:
                raise Invalid(f"input {shown(name)} has {len(tensor.data)} rows, {shown(first.name)} has {rows}")
            columns[name] = _values(tensor, column)
        return pd.DataFrame(columns)

    def _arrays(self, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
        _check_names(tensors, self._tensors)
        return {name: _array(tensor, self._tensors[name]) for name, tensor in tensors.items()}


def _known(spec: Any) -> _Column | None:
    if isinstance(spec, TensorSpec):
        return None
    if not isinstance(spec.type, DataType) or not spec.name or spec.type not in _KINDS:
        raise Invalid(f"column {shown(spec.name)} of the signature has no name, or a type that this server cannot take")
    return _Column(spec.name, spec.required, _KINDS[spec.type])


def _check_names(tensors: Mapping[str, Tensor], known: Mapping[str, Any]) -> None:
    for name in tensors:
        if name not in known:
            raise Invalid(f"input {shown(name)} is unknown; the model takes {', '.join(known)}")
    for name, spec in known.items():
        if spec.required and name not in tensors:
            raise Invalid(f"input {shown(name)} is missing; the model requires it")


def _values(tensor: Tensor, column: _Column) -> Any:
    kind = column.kind
    # A client that has nothing but nulls cannot tell their type.
    if tensor.datatype not in kind.accepts and set(map(type, tensor.data)) != {NoneType}:
        reason = f"datatype {tensor.datatype} is not {kind.datatype}, which the signature asks for"
        raise Invalid(f"input {shown(tensor.name)}: {reason}")
    _check_values(tensor, nulls=kind.nullable and not column.required)
    if kind.dtype == "object":
        # pandas decides between object and its own strings, as it did when the model was trained.
        return pd.Series(tensor.data, dtype="object" if set(map(type, tensor.data)) == {NoneType} else None)
    return _times(tensor) if kind.dtype.startswith("datetime") else _numbers(tensor, np.dtype(kind.dtype))


def _check_values(tensor: Tensor, *, nulls: bool) -> None:
    what = f"input {shown(tensor.name)}"
    allowed = _PYTHON[tensor.datatype] | ({NoneType} if nulls else set())
    for wrong in set(map(type, tensor.data)) - allowed:
        place, value = next((i, value) for i, value in enumerate(tensor.data) if type(value) is wrong)
        reason = "null is not allowed" if value is None else f"{shown(value)} is not a {tensor.datatype}"
        raise Invalid(f"{what}: {reason} (row {place})")
    if tensor.datatype == "BYTES":
        _check_text(tensor)
    elif tensor.datatype in INTEGERS:
        _check_range(tensor, _NUMPY[tensor.datatype])


def _check_text(tensor: Tensor) -> None:
    try:
        "".join(text for text in tensor.data if text).encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"input {shown(tensor.name)}: a text is not Unicode (a lone surrogate)") from error


def _check_range(tensor: Tensor, dtype: np.dtype[Any]) -> None:
    limits = np.iinfo(dtype)
    numbers = [value for value in tensor.data if value is not None] or [0]
    for value in (min(numbers), max(numbers)):
        if not limits.min <= value <= limits.max:
            raise Invalid(f"input {shown(tensor.name)}: {shown(value)} is outside {dtype.name}")


def _numbers(tensor: Tensor, dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "iu":
        _check_range(tensor, dtype)
    try:
        with np.errstate(over="ignore"):
            values = np.array([np.nan if value is None else value for value in tensor.data]).astype(dtype)
    except (OverflowError, TypeError, ValueError) as error:
        raise Invalid(f"input {shown(tensor.name)}: a number is outside {dtype.name}") from error
    if dtype.kind == "f" and np.isinf(values).any():
        raise Invalid(f"input {shown(tensor.name)}: a number is outside {dtype.name}")
    return values


def _times(tensor: Tensor) -> Any:
    try:
        times = pd.to_datetime(pd.Series(tensor.data, dtype="object"), format="ISO8601", utc=True)
        return times.dt.tz_localize(None).astype("datetime64[ns]")
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        raise Invalid(f"input {shown(tensor.name)}: a text is not an ISO 8601 time") from error


def _matrix(tensor: Tensor) -> Any:
    if len(tensor.shape) != 2 or tensor.datatype not in (*FLOATS, *INTEGERS):
        what = f"{tensor.datatype} of shape {shown(list(tensor.shape))}"
        raise Invalid(f"input {shown(tensor.name)}: {what}, but the model takes numbers of shape [n, k]")
    if not tensor.data:
        raise Invalid(f"input {shown(tensor.name)} has no rows")
    _check_values(tensor, nulls=False)
    return _numbers(tensor, _NUMPY[tensor.datatype]).reshape(tensor.shape)


def _array(tensor: Tensor, spec: TensorSpec) -> Any:
    expected = tuple(spec.shape)
    fits = len(expected) == len(tensor.shape) and all(e in (-1, size) for e, size in zip(expected, tensor.shape))  # noqa: B905 - equal lengths
    if not fits:
        raise Invalid(f"input {shown(tensor.name)}: shape {shown(list(tensor.shape))} is not {list(expected)}")
    if not tensor.data:
        raise Invalid(f"input {shown(tensor.name)} has no rows")
    datatype = _datatype(spec.type)
    accepted = {"BOOL": ("BOOL",), "BYTES": ("BYTES",)}.get(datatype, INTEGERS if datatype in INTEGERS else None)
    if tensor.datatype not in (accepted or (*FLOATS, *INTEGERS)):
        raise Invalid(f"input {shown(tensor.name)}: datatype {tensor.datatype} is not {datatype}")
    _check_values(tensor, nulls=False)
    if datatype in ("BOOL", "BYTES"):
        return np.array(tensor.data, dtype=_NUMPY[datatype]).reshape(tensor.shape)
    return _numbers(tensor, np.dtype(spec.type)).reshape(tensor.shape)


def _datatype(dtype: Any) -> str:
    return next((name for name, known in _NUMPY.items() if known == dtype and name != "BYTES"), "BYTES")
