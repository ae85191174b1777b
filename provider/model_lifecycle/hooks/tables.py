"""Tables of any length, part by part: Parquet, CSV and Arrow files as mappings from names to columns of Arrow.

A part of Parquet is one row group whose columns are read one by one as they are asked for, so that what is held at a
time is one column of one row group, however long the table is. The others come in batches of some MiB.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from model_lifecycle.core.errors import Corrupt, Invalid
from model_lifecycle.hooks.data import open_data

Part = Mapping[str, Any]
"""Columns of equal length by name; ``num_rows`` tells the length."""
BLOCK = 8 * 2**20
"""Bytes of one batch of CSV."""


@contextmanager
def open_table(uri: str) -> Iterator[Table]:
    """A table by the ending of its name: ``.parquet``, ``.csv``, or ``.arrow``, ``.feather`` and ``.ipc``.

    :raises Invalid: if the ending is another, or two columns have one name.
    :raises Corrupt: if the file is not what its name says, or not whole; at any time while it is read.
    :raises NotFound: if there is no such file.
    """
    kind = TABLES.get(PurePosixPath(uri).suffix.lower())
    if kind is None:
        raise Invalid(f"{uri} is no table", hint=f"known endings are {', '.join(TABLES)}")
    with open_data(uri) as file, _translated(uri, kind.__name__):
        table = kind(uri, file)
        twice = sorted({name for name in table.names if table.names.count(name) > 1})
        if twice:
            raise Invalid(f"{uri} has more than one column {', '.join(twice)[:300]}")
        yield table


class Table(ABC):
    """One open table.

    :ivar names: its columns.
    :ivar plain: whether every value comes as text, because the format knows no types.
    """

    names: list[str]
    plain = False

    def __init__(self, uri: str, file: BinaryIO) -> None:
        self.uri, self.file = uri, file

    @abstractmethod
    def parts(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[Part]:
        """All rows in their order, of the columns that are wanted."""


class Parquet(Table):
    """A Parquet file; strings come as dictionaries, as they mostly lie in the file."""

    def __init__(self, uri: str, file: BinaryIO) -> None:
        import pyarrow.parquet as parquet

        super().__init__(uri, file)
        schema = parquet.read_schema(file)
        self.names = list(schema.names)
        text = [field.name for field in schema if str(field.type) in {"string", "large_string"}]
        file.seek(0)
        self.rows = parquet.ParquetFile(file, read_dictionary=text)

    def parts(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[Part]:  # noqa: D102 - see the base
        names = [name for name in self.names if wanted(name)]
        for number in range(self.rows.num_row_groups):
            yield _RowGroup(self.rows, number, names)


class _RowGroup(Part):
    """A row group; a column is read when it is asked for, and not kept."""

    def __init__(self, file: Any, number: int, names: list[str]) -> None:
        self.file, self.number, self.names = file, number, names
        self.num_rows = int(file.metadata.row_group(number).num_rows)

    def __getitem__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        return self.file.read_row_group(self.number, columns=[name], use_threads=False).column(0)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class Csv(Table):
    """A CSV file with a heading. Every value comes as text: what a column is, its first rows cannot tell.

    What is empty or says ``NA``, ``NaN`` or ``null`` in one of the usual ways is null.
    """

    plain = True

    def __init__(self, uri: str, file: BinaryIO) -> None:
        super().__init__(uri, file)
        self._wrong: list[Any] = []
        with self._rows_named():
            self.names = list(self._reader(None).schema.names)

    def parts(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[Part]:  # noqa: D102
        names = [name for name in self.names if wanted(name)]
        with self._rows_named():
            for batch in self._reader(names or self.names[:1]):
                yield _Batch(batch, names)

    def _reader(self, names: list[str] | None) -> Any:
        import pyarrow as pa
        from pyarrow import csv

        self.file.seek(0)
        text = dict.fromkeys(names or (), pa.string())
        convert = csv.ConvertOptions(include_columns=names, column_types=text, strings_can_be_null=True)
        parse = csv.ParseOptions(newlines_in_values=True, invalid_row_handler=self._refuse)
        read = csv.ReadOptions(block_size=BLOCK, use_threads=False)
        return csv.open_csv(self.file, read_options=read, parse_options=parse, convert_options=convert)

    def _refuse(self, row: Any) -> str:
        self._wrong.append(row)
        return "error"

    @contextmanager
    def _rows_named(self) -> Iterator[None]:
        """Say which row is wrong without its text, which may be anybody's data."""
        import pyarrow as pa

        try:
            yield
        except pa.ArrowInvalid as error:
            if not self._wrong:
                raise
            row = self._wrong[0]
            where = f"row {row.number}" if row.number else "a row"
            told = f"{where} has {row.actual_columns} columns instead of {row.expected_columns}"
            raise Corrupt(f"{self.uri}: {told}", hint="write the file again") from error


class Arrow(Table):
    """A file of Arrow's IPC format, Feather 2 among them."""

    def __init__(self, uri: str, file: BinaryIO) -> None:
        import pyarrow as pa

        super().__init__(uri, file)
        self.names = pa.ipc.open_file(file).schema.names

    def parts(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[Part]:  # noqa: D102
        import pyarrow as pa

        names = [name for name in self.names if wanted(name)]
        fields = [self.names.index(name) for name in names]
        self.file.seek(0)
        batches = pa.ipc.open_file(self.file, options=pa.ipc.IpcReadOptions(included_fields=fields))
        for number in range(batches.num_record_batches):
            yield _Batch(batches.get_batch(number), names)


class _Batch(dict[str, Any]):
    def __init__(self, batch: Any, names: list[str]) -> None:
        super().__init__({name: batch.column(name) for name in names})
        self.num_rows = int(batch.num_rows)


@contextmanager
def _translated(uri: str, kind: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        what = " ".join(str(error).split())[:300]
        raise Corrupt(f"{uri} cannot be read as {kind}: {what}", hint="write the file again") from error


TABLES: dict[str, type[Table]] = {
    ".parquet": Parquet,
    ".csv": Csv,
    ".arrow": Arrow,
    ".feather": Arrow,
    ".ipc": Arrow,
}
