"""Profiles of tables that lie anywhere: any number of files, each read part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from model_lifecycle.core.columns import Values, join_values, read_values
from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.profile import Profile, profile
from model_lifecycle.hooks.predictions import ALL, Only, open_rows
from model_lifecycle.hooks.tables import Part, Table

Wanted = Callable[[str], bool]


def profile_data(uris: Sequence[str], reference: Profile, only: Only = ALL) -> Profile:
    """Count tables into the cells of a reference; no files at all are a profile of no rows.

    Files of the prediction log are known by their columns: see :mod:`model_lifecycle.hooks.predictions`.

    Memory is flat: one column of one row group of Parquet, or one batch of the other formats, at a time.

    :raises Corrupt: if a file cannot be read, naming it.
    """
    made = profile({}, reference)
    for uri in uris:
        with open_rows(uri, only) as table:
            for part in table.parts(reference.columns.__contains__):
                made = made.merge(profile(_Meant(part, reference) if table.plain else part, reference))
    return made


def profile_reference(uris: Sequence[str], wanted: Wanted = lambda _: True) -> Profile:
    """Find the cells of each column from the tables themselves, and count these into them.

    Exact quantiles need all values of a column at once: memory grows by 8 bytes for each row and by every text that
    occurs. Formats other than Parquet are read once for each column.

    :raises Invalid: if there are no files, or a column holds what cannot be profiled.
    :raises Corrupt: if a file cannot be read, naming it.
    """
    if not uris:
        raise Invalid("there are no files to make a reference from")
    return profile(_Whole(uris, wanted))


class _Meant(Part):
    """A part that came as text, by the types of the reference."""

    def __init__(self, part: Part, reference: Profile) -> None:
        self.part, self.reference = part, reference
        self.num_rows: int = getattr(part, "num_rows")  # noqa: B009 - not of every mapping

    def __getitem__(self, name: str) -> Any:
        from model_lifecycle.core.arrow_columns import read_text

        return read_text(self.part[name], self.reference.columns[name].type)

    def __iter__(self) -> Iterator[str]:
        return iter(self.part)

    def __len__(self) -> int:
        return len(self.part)


class _Whole(Part):
    """All rows of several tables, a column at a time; a column that one of them lacks is null there."""

    def __init__(self, uris: Sequence[str], wanted: Wanted) -> None:
        self.uris, self.rows = uris, dict.fromkeys(uris, 0)
        names: dict[str, None] = {}
        for uri in uris:
            with open_rows(uri) as table:
                names |= dict.fromkeys(filter(wanted, table.names))
                self.rows[uri] = sum(_rows(part) for part in table.parts(lambda _: False))
        self.names = list(names)

    @property
    def num_rows(self) -> int:
        return sum(self.rows.values())

    def __getitem__(self, name: str) -> Values:
        return join_values([self._of(uri, name) for uri in self.uris])

    def _of(self, uri: str, name: str) -> Values:
        with open_rows(uri) as table:
            if name not in table.names:
                return read_values([None] * self.rows[uri])
            return _column(table, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def _column(table: Table, name: str) -> Values:
    import pyarrow as pa

    from model_lifecycle.core.arrow_columns import read_text

    chunks = [part[name] for part in table.parts(lambda one: one == name)]
    if table.plain:
        return read_values(read_text(pa.chunked_array(chunks, pa.string()), None))
    return join_values([read_values(chunk) for chunk in chunks])


def _rows(part: Part) -> int:
    return int(getattr(part, "num_rows"))  # noqa: B009 - not of every mapping
