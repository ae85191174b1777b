"""One window of the prediction log, its labels joined, as the checks of a monitor want it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import Corrupt, Invalid, NotFound
from model_lifecycle.core.joining import Joined, join_labels
from model_lifecycle.core.prediction_log import (
    AT,
    ENDING,
    FIXED,
    INPUT,
    OUTPUT,
    REQUEST_ID,
    ROW,
    VERSION,
    check_columns,
    hour_folders,
)
from model_lifecycle.hooks.data import list_data, open_data
from model_lifecycle.operators.data import read_table

if TYPE_CHECKING:
    import pyarrow as pa

    from model_lifecycle.core.monitoring import Window

Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Labels:
    """Where the labels lie and how they find their predictions.

    :param uri: a table or a folder of tables, Parquet or CSV; None if there are none yet.
    :param target: the column that holds them.
    :param on: the columns of the key: ``request_id``, other columns of the log, or names of inputs.
    :param binary: whether only 0 and 1 are labels. :param numeric: whether only numbers are.
    """

    uri: str | None
    target: str
    on: Sequence[str] = (REQUEST_ID,)
    binary: bool = False
    numeric: bool = False


class LoggedPredictions:
    """The predictions of a model in ``start <= at < end``.

    :param root: URI of the folder that the log lies in, as :mod:`model_lifecycle.hooks.data` reads it.
    :param inputs: the inputs that are wanted; no others are read.
    """

    def __init__(self, root: str, model: str, start: datetime, end: datetime, inputs: Sequence[str]) -> None:
        self.root, self.model, self.start, self.end = root.rstrip("/"), model, start, end
        self.inputs = list(dict.fromkeys(inputs))
        self._known: Columns | None = None

    def window(
        self, version: int, before: int | None, labels: Labels, due: datetime, slices: Sequence[str] = (), **more: Any
    ) -> Window:
        """What the checks ask about.

        Only predictions that are old enough count for quality: labels that come early may be others than those to come.

        :param due: the newest moment of a prediction that should have its label.
        :param more: further fields of the window.
        """
        from model_lifecycle.core.drift import PREDICTION
        from model_lifecycle.core.monitoring import Window

        joined = self._joined(labels)
        own, old = self._of(version), [at <= due for at in self.columns[AT]]
        mature = [row for row in own if old[row]]
        labelled = [row for row in mature if joined.labels[row] is not None]
        others = [row for row in self._of(before) if old[row] and joined.labels[row] is not None]
        answers = self.answers
        return Window(
            requests=0,
            errors=[],
            features=self._inputs(labelled, self.inputs),
            labels=[joined.labels[row] for row in labelled],
            predictions=[answers[row] for row in labelled],
            others=([joined.labels[row] for row in others], [answers[row] for row in others]) if others else None,
            groups=self._inputs(labelled, slices),
            joined=self._join(labels, mature) if mature else Joined(),
            unlabelled=[answers[row] for row in own if joined.labels[row] is None],
            seen={**self._inputs(own, self.inputs), PREDICTION: [answers[row] for row in own]} if own else {},
            **more,
        )

    @cached_property
    def columns(self) -> Columns:
        """The rows of the window, column by column."""
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted = {*FIXED, *(INPUT + name for name in self.inputs)}
        parts = [part for uri in self._files() if (part := _read(uri, wanted)).num_rows]
        if not parts:
            return {name: [] for name in FIXED}
        with _readable(f"the prediction log of {self.model}"):
            table = pa.concat_tables(parts, promote_options="permissive")
            moments = table[AT]
            inside = pc.and_(pc.greater_equal(moments, self.start), pc.less(moments, self.end))
            table = table.filter(inside)
        return {name: table[name].to_pylist() for name in table.column_names}

    @cached_property
    def answers(self) -> list[Any]:
        """One answer for each row: a number, a class, or of two probabilities the second.

        Versions may call their outputs otherwise: of each, the outputs that it gave count.
        """
        found: list[Any] = [None] * len(self.columns[VERSION])
        outputs = [name for name in self.columns if name.startswith(OUTPUT)]
        for version in sorted(set(self.columns[VERSION])):
            rows = self._of(version)
            given = [name for name in outputs if any(self.columns[name][row] is not None for row in rows)]
            for row in rows:
                found[row] = _answer([self.columns[name][row] for name in given], self.model)
        return found

    def _files(self) -> Iterator[str]:
        """The files of the window's hours; a day that was never logged has none."""
        hours = list(hour_folders(self.model, self.start, self.end))
        for day in dict.fromkeys(hour.rpartition("/")[0] for hour in hours):
            wanted = {f"/{hour}/" for hour in hours if hour.startswith(day)}
            try:
                files = list_data(f"{self.root}/{day}")
            except NotFound:
                continue
            yield from (uri for uri in files if uri.endswith(ENDING) and any(hour in uri for hour in wanted))

    def _of(self, version: int | None) -> list[int]:
        return [row for row, one in enumerate(self.columns[VERSION]) if one == version]

    def _inputs(self, rows: Sequence[int], names: Sequence[str]) -> Columns:
        known = [name for name in names if INPUT + name in self.columns]
        return {name: [self.columns[INPUT + name][row] for row in rows] for name in known}

    def _joined(self, labels: Labels) -> Joined:
        return self._join(labels, range(len(self.columns[VERSION])))

    def _join(self, labels: Labels, rows: Sequence[int]) -> Joined:
        on, keys, values = self._labels(labels)
        own = _keys({name: [self._key(name)[row] for row in rows] for name in on}, on)
        versions = [self.columns[VERSION][row] for row in rows]
        return join_labels(own, versions, keys, values, binary=labels.binary, numeric=labels.numeric)

    def _key(self, name: str) -> list[Any]:
        column = name if name in FIXED else INPUT + name
        if column not in self.columns:
            if not self.columns[VERSION]:
                return []
            raise Invalid(f"the log has no column {column} to join on", hint="join on request_id, or on inputs")
        return self.columns[column]

    def _labels(self, labels: Labels) -> tuple[Sequence[str], list[Hashable], list[Any]]:
        if labels.uri is None:
            return labels.on, [], []
        table = self._label_table(labels)
        on = [*labels.on, ROW] if list(labels.on) == [REQUEST_ID] and ROW in table else labels.on
        return on, _keys(table, on), table[labels.target]

    def _label_table(self, labels: Labels) -> Columns:
        if self._known is None:
            self._known = _label_tables(labels)
        return self._known


def _label_tables(labels: Labels) -> Columns:
    found: Columns = {}
    for uri in list_data(str(labels.uri)):
        table = _label_rows(uri, [*labels.on, labels.target])
        if found and found.keys() != table.keys():
            raise Invalid(f"{uri} has other columns than the tables before it")
        for name, values in table.items():
            found.setdefault(name, []).extend(values)
    return found or {name: [] for name in (*labels.on, labels.target)}


def _label_rows(uri: str, needed: Sequence[str]) -> Columns:
    """The needed columns of one table of labels, and its rows' numbers if it has them."""
    if uri.endswith(ENDING):
        import pyarrow.parquet as pq

        with _readable(uri), open_data(uri) as file:
            names = pq.read_schema(file).names
            _check_names(uri, names, needed)
            file.seek(0)
            table = pq.ParquetFile(file).read(columns=_with_row(names, needed))
        return {name: table[name].to_pylist() for name in table.column_names}
    frame = read_table(uri)
    names = [str(name) for name in frame.columns]
    _check_names(uri, names, needed)
    return {name: frame[name].tolist() for name in _with_row(names, needed)}


def _check_names(uri: str, names: Sequence[str], needed: Sequence[str]) -> None:
    missing = sorted(set(needed) - set(names))
    if missing:
        raise Invalid(f"{uri} has no column {', '.join(missing)[:300]}", hint=f"it has {', '.join(names)[:300]}")


def _with_row(names: Sequence[str], needed: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*needed, *([ROW] if ROW in names else [])]))


def _keys(columns: Mapping[str, Sequence[Any]], on: Sequence[str]) -> list[Hashable]:
    parts = [[_comparable(name, value) for value in columns[name]] for name in on]
    return list(zip(*parts, strict=True))


def _comparable(name: str, value: Any) -> Any:
    """A value of a key: ids as text, whatever read them; what cannot be a key joins nothing."""
    if name == REQUEST_ID and value is not None and value == value:
        return str(value)
    return None if isinstance(value, list | dict) else value


def _read(uri: str, wanted: set[str]) -> pa.Table:
    """The wanted columns and all outputs of one file.

    :raises Invalid: if it is no file of the log. :raises Corrupt: if it is not whole.
    """
    import pyarrow.parquet as pq

    with _readable(uri), open_data(uri) as file:
        parquet = pq.ParquetFile(file)
        schema = parquet.schema_arrow
        check_columns({field.name: str(field.type) for field in schema}, uri)
        names = [name for name in schema.names if name in wanted or name.startswith(OUTPUT)]
        return parquet.read(columns=names).replace_schema_metadata(None)


@contextmanager
def _readable(uri: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        what = " ".join(str(error).split())[:300]
        raise Corrupt(f"{uri} cannot be read: {what}", hint="write the file again, or remove it") from error


def _answer(values: Sequence[Any], model: str) -> Any:
    flat = values[0] if len(values) == 1 else list(values)
    if not isinstance(flat, list):
        return flat
    if not 0 < len(flat) <= 2:
        raise Invalid(
            f"{model} answers {len(flat)} values for a row: neither one nor two class probabilities",
            hint="save the model with one output, or with the probabilities of two classes",
        )
    return flat[-1]
