"""From what a model returns to tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from model_lifecycle.scorer.protocol import Tensor, shown

OUTPUT = "output"


class UnusablePrediction(ValueError):
    """The model returned something that the protocol, or JSON, cannot carry; its own fault, not the client's."""


def to_tensors(prediction: Any) -> list[Tensor]:
    """One tensor per column of a DataFrame or entry of a dict, otherwise one tensor named ``output``.

    :raises UnusablePrediction: for NaN, infinity, null, and types that have no datatype.
    """
    if isinstance(prediction, pd.DataFrame):
        columns: Mapping[str, Any] = {str(name): prediction[name] for name in prediction.columns}
    elif isinstance(prediction, Mapping):
        columns = {str(name): value for name, value in prediction.items()}
    else:
        columns = {OUTPUT: prediction}
    if not columns:
        raise UnusablePrediction("the model returned nothing")
    return [_tensor(name, value) for name, value in columns.items()]


def _tensor(name: str, value: Any) -> Tensor:
    array = _array(name, value)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise UnusablePrediction(f"output {shown(name)} holds NaN or infinity, which JSON cannot carry")
    if array.dtype.kind in "OUSM":
        return Tensor(name, "BYTES", array.shape, [_text(name, item) for item in array.ravel().tolist()])
    return Tensor(name, _datatype(name, array.dtype), array.shape, array.ravel().tolist())


def _array(name: str, value: Any) -> Any:
    if isinstance(value, pd.Series):
        value = value.astype(str) if value.dtype.kind == "M" else value.to_numpy()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise UnusablePrediction(f"output {shown(name)} has rows of different lengths") from error
    if array.dtype.kind == "O" and len({type(item) for item in array.ravel().tolist()} - {bool, int, float}) == 0:
        array = np.array(array.tolist())
    if array.dtype.kind == "M":
        array = array.astype(str)
    return array.reshape(1) if array.ndim == 0 else array


def _datatype(name: str, dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "BOOL"
    prefix = {"i": "INT", "u": "UINT", "f": "FP"}.get(dtype.kind)
    if prefix is None or dtype.itemsize > 8:
        raise UnusablePrediction(f"output {shown(name)} has the type {dtype}, which has no datatype")
    return f"{prefix}{dtype.itemsize * 8}"


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise UnusablePrediction(f"output {shown(name)} holds {shown(value)} among texts")
    return value
