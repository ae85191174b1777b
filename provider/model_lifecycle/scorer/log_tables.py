"""From answered requests to the Parquet of the prediction log, see :mod:`model_lifecycle.core.prediction_log`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from itertools import chain
from math import prod
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.prediction_log import AT, INPUT, MODEL, OUTPUT, REQUEST_ID, ROW, TYPES, VERSION, fault_of_id
from model_lifecycle.scorer.protocol import Tensor

SCHEMA_KEY, SHARE_KEY = b"model_lifecycle.prediction_log", b"model_lifecycle.share"
_ARROW = {"bool": pa.bool_(), "string": pa.string(), "uint64": pa.uint64(), "int64": pa.int64(), "double": pa.float64()}
_FIXED = pa.schema(
    [
        (REQUEST_ID, pa.string()),
        (ROW, pa.int32()),
        (AT, pa.timestamp("us", tz="UTC")),
        (VERSION, pa.int64()),
        (MODEL, pa.string()),
    ]
)
_OVERHEAD = 2048
"""Bytes that a request of no size holds in memory."""

Layout = tuple[tuple[str, str, bool], ...]
"""Name, Arrow type, and whether a row holds several values, of each column after the fixed ones."""


@dataclass(frozen=True)
class Record:
    """One answered request.

    :param declared: names and datatypes of the inputs that the model's metadata lists.
    :param body: bytes of the request, for a bound on memory.
    """

    model: str
    version: int
    request_id: str
    at: datetime
    declared: tuple[tuple[str, str], ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    body: int = 0

    @property
    def rows(self) -> int:
        """Rows of the request."""
        return self.inputs[0].shape[0]

    @property
    def size(self) -> int:
        """Bytes that it holds in memory, roughly."""
        return self.body + _OVERHEAD

    def columns(self) -> list[tuple[str, str, Tensor]]:
        """Name in the log, Arrow type and tensor of each input and output; what was not sent is null.

        The datatypes are those of the model's metadata, so that all files of a version have the same types. A model
        that takes one tensor of any name has it logged under the name of the metadata.
        """
        sent = {tensor.name: tensor for tensor in self.inputs}
        if len(self.declared) == len(self.inputs) == 1:
            sent = {self.declared[0][0]: self.inputs[0]}
        none = [None] * self.rows
        inputs = [
            (INPUT + _text(name), TYPES[datatype], sent.get(name) or Tensor(name, datatype, (self.rows,), none))
            for name, datatype in self.declared
        ]
        outputs = [(OUTPUT + _text(tensor.name), TYPES[tensor.datatype], tensor) for tensor in self.outputs]
        return inputs + outputs

    def layout(self) -> Layout:
        """The columns and types; records of one version and layout go into one file.

        :raises Invalid: if the request cannot be written as rows.
        """
        fault = fault_of_id(self.request_id)
        columns = self.columns()
        names = [name for name, _, _ in columns]
        uneven = [tensor.name for _, _, tensor in columns if tensor.shape[0] != self.rows]
        if fault or uneven or len({*names}) < len(names):
            reason = fault or (f"{ascii(uneven[0])[:80]} has other rows than the inputs" if uneven else "equal names")
            raise Invalid(f"a request of {self.model} cannot be logged: {reason}")
        return tuple((name, kind, _several(tensor)) for name, kind, tensor in columns)


def to_parquet(records: Sequence[Record], layout: Layout, share: float) -> bytes:
    """One file, of records that all have this layout.

    :raises Invalid: if a value does not fit its column.
    """
    rows = [record.rows for record in records]
    fixed: list[list[Any]] = [
        list(chain.from_iterable([record.request_id] * record.rows for record in records)),
        list(chain.from_iterable(range(count) for count in rows)),
        list(chain.from_iterable([record.at] * record.rows for record in records)),
        list(chain.from_iterable([record.version] * record.rows for record in records)),
        list(chain.from_iterable([record.model] * record.rows for record in records)),
    ]
    tensors = list(zip(*([tensor for _, _, tensor in record.columns()] for record in records), strict=True))
    try:
        arrays = [pa.array(values, field.type) for values, field in zip(fixed, _FIXED, strict=True)]
        arrays += [_array(kind, several, found) for (_, kind, several), found in zip(layout, tensors, strict=True)]
        names = [*_FIXED.names, *(name for name, _, _ in layout)]
        table = pa.table(arrays, names=names)
        table = table.replace_schema_metadata({SCHEMA_KEY: b"1", SHARE_KEY: str(share).encode()})
        out = BytesIO()
        pq.write_table(table, out, compression="zstd")
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise Invalid(f"predictions of {records[0].model} cannot be logged: {str(error)[:300]}") from error
    return out.getvalue()


def _several(tensor: Tensor) -> bool:
    return len(tensor.shape) > 1 and tensor.shape[1:] != (1,)


def _array(kind: str, several: bool, tensors: Sequence[Tensor]) -> pa.Array:
    values = list(chain.from_iterable(tensor.data for tensor in tensors))
    if kind == "double":  # a client may send whole numbers, and those beyond 2^53 are not converted unasked
        values = [None if value is None else float(value) for value in values]
    flat = pa.array(values, _ARROW[kind])
    if not several:
        return flat
    sizes = chain.from_iterable([prod(tensor.shape[1:])] * tensor.shape[0] for tensor in tensors)
    offsets = [0]
    for size in sizes:
        offsets.append(offsets[-1] + size)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat)


def _text(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
