"""Files of the prediction log as tables: inputs under their own names, answers as the column ``prediction``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model_lifecycle.core.drift import PREDICTION
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.prediction_log import AT, INPUT, OUTPUT, VERSION, faults
from model_lifecycle.hooks.tables import Parquet, Part, Table, open_table


@dataclass(frozen=True)
class Only:
    """Which rows of a prediction log count; other tables are read whole.

    :param version: those that this version answered; None for all.
    :param between: those answered from the first moment on and before the second; None for all.
    """

    version: int | None = None
    between: tuple[datetime, datetime] | None = None


ALL = Only()


@contextmanager
def open_rows(uri: str, only: Only = ALL) -> Iterator[Table]:
    """A table as :func:`model_lifecycle.hooks.tables.open_table` opens it; a file of the prediction log by its columns.

    :raises Invalid: also if a log's answers are neither one value nor two class probabilities for each row.
    """
    with open_table(uri) as table:
        logged = isinstance(table, Parquet) and not faults(_types(table))
        yield Predictions(table, only) if isinstance(table, Parquet) and logged else table


class Predictions(Table):
    """One file of the prediction log; memory is that of its Parquet, a column of a row group at a time."""

    def __init__(self, file: Parquet, only: Only) -> None:
        super().__init__(file.uri, file.file)
        self.log, self.only = file, only
        inputs = [name.removeprefix(INPUT) for name in file.names if name.startswith(INPUT)]
        self.names = list(dict.fromkeys([*inputs, PREDICTION]))

    def parts(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[Part]:  # noqa: D102 - see the base
        names = [name for name in self.names if wanted(name)]
        for group in self.log.parts():
            yield _Rows(self.uri, group, names, self._chosen(group))

    def _chosen(self, group: Part) -> Any:
        """Which rows of a row group count, as booleans; None if all do."""
        import pyarrow.compute as pc

        chosen = None if self.only.version is None else pc.equal(group[VERSION], self.only.version)
        if self.only.between is None:
            return chosen
        start, end = self.only.between
        moments = group[AT]
        inside = pc.and_(pc.greater_equal(moments, start), pc.less(moments, end))
        return inside if chosen is None else pc.and_(chosen, inside)


class _Rows(Part):
    """The rows of a row group that count; a column is read when it is asked for, and not kept."""

    def __init__(self, uri: str, group: Part, names: list[str], chosen: Any) -> None:
        import pyarrow.compute as pc

        self.uri, self.group, self.names, self.chosen = uri, group, names, chosen
        self.num_rows = len(group[AT]) if chosen is None else int(pc.sum(chosen).as_py() or 0)

    def __getitem__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        if name == PREDICTION:
            return _answers([self._column(one) for one in self.group if one.startswith(OUTPUT)], self.uri)
        return self._column(INPUT + name)

    def _column(self, name: str) -> Any:
        column = self.group[name]
        return column if self.chosen is None else column.filter(self.chosen)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def _types(file: Parquet) -> dict[str, str]:
    return {field.name: str(field.type) for field in file.rows.schema_arrow}


def _answers(outputs: Sequence[Any], uri: str) -> Any:
    """One answer for each row: a number, a class, or of two probabilities the second.

    Versions may call their outputs otherwise, and one file may hold several: the outputs that were given count.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    given = [output for output in outputs if output.null_count < len(output)] or list(outputs[:1])
    lists, width = any(_is_list(output.type) for output in given), len(given)
    if lists and width == 1:
        found = pc.min_max(pc.list_value_length(given[0])).as_py()
        width = found["max"] if found["min"] == found["max"] else 0
    if width is None:
        return pa.chunked_array([pa.nulls(len(given[0]), pa.float64())])
    if not 0 < width <= 2 or (lists and len(given) > 1):
        raise Invalid(
            f"{uri}: the model answers neither one value nor two class probabilities for each row",
            hint="save the model with one output, or with the probabilities of two classes",
        )
    return pc.list_element(given[0], width - 1) if lists else given[-1]


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
