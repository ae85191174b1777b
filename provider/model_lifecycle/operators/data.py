"""Labelled tables and model outputs, as the operators that judge need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.hooks.data import open_data

if TYPE_CHECKING:
    import pandas as pd

READERS = {".parquet": "read_parquet", ".csv": "read_csv"}
CLASSES = 2


def read_table(uri: str) -> pd.DataFrame:
    """Read a Parquet or CSV file from a path or any URI that :mod:`model_lifecycle.hooks.data` knows.

    :raises Invalid: if it is neither, or cannot be read.
    """
    import pandas as pd

    reader = READERS.get(PurePosixPath(uri).suffix)
    if reader is None:
        raise Invalid(f"{uri} is no table", hint=f"known endings are {', '.join(READERS)}")
    try:
        with open_data(uri) as file:
            table: pd.DataFrame = getattr(pd, reader)(file)
    except (OSError, ValueError, NotFound) as error:
        raise Invalid(f"{uri} cannot be read: {error}") from error
    return table


def split_labels(table: pd.DataFrame, target: str, uri: str) -> tuple[pd.DataFrame, pd.Series]:
    """The features and the labels of a table.

    :raises Invalid: if the table has no such column, no rows, or rows without a label.
    """
    if target not in table.columns:
        raise Invalid(f"{uri} has no column {target}", hint=f"it has {', '.join(map(str, table.columns))}")
    if table.empty or table[target].isna().any():
        raise Invalid(
            f"{uri} has {'no rows' if table.empty else f'rows without {target}'}", hint="drop what has no label"
        )
    return table.drop(columns=[target]), table[target]


def input_columns(signature: Mapping[str, Any] | None, table: pd.DataFrame) -> list[str]:
    """The columns a model asks for: those its signature names, else all of the table.

    :raises Invalid: if the table lacks one.
    """
    names = [column.get("name") for column in (signature or {}).get("inputs") or []]
    wanted = [name for name in names if name] or [str(name) for name in table.columns]
    missing = sorted(set(wanted) - set(map(str, table.columns)))
    if missing:
        raise Invalid(f"the data lacks the model's inputs {', '.join(missing)}")
    return wanted


def as_columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    """The table as JSON values, what is missing as None."""
    return {str(name): _values(table[name]) for name in table.columns}


def _values(series: pd.Series) -> list[Any]:
    values: list[Any] = series.astype(object).where(series.notna(), None).tolist()
    return values


def scores(outputs: Any) -> list[float]:
    """One number for each row: the value itself, or of two class probabilities the second.

    :param outputs: an array, a DataFrame, or the output columns of an endpoint.
    :raises Invalid: if the outputs have another shape.
    """
    import numpy as np

    if isinstance(outputs, Mapping):
        outputs = next(iter(outputs.values())) if len(outputs) == 1 else list(zip(*outputs.values(), strict=True))
    array = np.asarray(outputs, dtype=float)
    if array.ndim == CLASSES and array.shape[1] in (1, CLASSES):
        array = array[:, -1]
    if array.ndim != 1:
        raise Invalid(
            f"outputs of shape {array.shape} are neither one number nor two class probabilities for each row",
            hint="save the model with pyfunc_predict_fn='predict_proba' or with one output",
        )
    numbers: list[float] = array.tolist()
    return numbers


def batches(table: pd.DataFrame, size: int, most: int) -> Sequence[pd.DataFrame]:
    """At most ``most`` rows, evenly spaced over the table, in requests of ``size`` rows."""
    step = max(1, -(-len(table) // most))
    chosen = table.iloc[::step]
    return [chosen.iloc[start : start + size] for start in range(0, len(chosen), size)]
