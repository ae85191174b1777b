"""Profiles: what the columns of a data set look like, small enough to lie beside a model, without any row of it.

A **reference** profile finds the cells of each column from the data itself: numbers fall between 200 quantiles; text,
booleans and small sets of integers are counted by value. A **current** profile counts other data into the cells of a
reference, so that the profiles of hours or partitions add up exactly, in any order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import pairwise
from typing import Any

from model_lifecycle.core.columns import Values, count_values, cut_cells, read_values
from model_lifecycle.core.errors import Corrupt, Invalid

SCHEMA = 1
MAX_BYTES = 64 * 2**20
TYPES = ("number", "integer", "string", "boolean", "empty")


@dataclass(frozen=True)
class Column:
    """The counts of one column; every row stands in one cell, or under one of the names below.

    :param type: ``number`` (ordered cells), ``integer``, ``string`` or ``boolean`` (a cell for each value), or
        ``empty`` where the reference held no value at all.
    :param labels: a number's rising edges, else the values as text. Cell i of a number holds what lies above edge
        i - 1 and not above edge i; its first and last cells lie below and above all that the reference held.
    :param counts: rows by cell; one more than labels for a number.
    :param null: rows without a value; NaN counts here in columns that are not numbers, as pandas writes nulls so.
    :param nan: rows that hold the number NaN.
    :param outside: values that have no cell: unseen in the reference, or beyond its 1000 most frequent.
    :param mismatched: rows whose value is of another type than the reference's.
    :param absent: rows of data that lacked this column.
    :param infinite: of the numbers counted above, those that are infinite.
    """

    type: str
    labels: tuple[float, ...] | tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    null: int = 0
    nan: int = 0
    outside: int = 0
    mismatched: int = 0
    absent: int = 0
    infinite: int = 0

    def __post_init__(self) -> None:
        numeric = self.type == "number"
        tallies = [*self.counts, *(getattr(self, name) for name in TALLIES)]
        if self.type not in TYPES or any(type(tally) is not int or tally < 0 for tally in tallies):
            raise Invalid("a column needs a known type and whole numbers of rows")
        if len(self.counts) != len(self.labels) + numeric or not _rising(self.labels, float if numeric else str):
            raise Invalid("the cells of a column and their counts do not fit")

    @property
    def values(self) -> int:
        """Rows with a value of the column's type."""
        return sum(self.counts) + self.outside

    @property
    def missing(self) -> int:
        """Rows without one."""
        return self.null + self.nan + self.absent + self.mismatched

    @property
    def rows(self) -> int:
        """All rows."""
        return self.values + self.missing

    @property
    def below(self) -> int:
        """Numbers smaller than any of the reference."""
        return self.counts[0] if self.type == "number" else 0

    @property
    def above(self) -> int:
        """Numbers larger than any of the reference."""
        return self.counts[-1] if self.type == "number" else 0

    def plus(self, other: Column) -> Column:
        """Both together.

        :raises Invalid: if their cells differ.
        """
        if (self.type, self.labels) != (other.type, other.labels):
            raise Invalid("profiles with different cells cannot be added", hint="make both with the same edges_from")
        sums = {name: getattr(self, name) + getattr(other, name) for name in TALLIES}
        return replace(self, counts=tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)), **sums)


TALLIES = tuple(one.name for one in fields(Column) if one.name not in {"type", "labels", "counts"})


def _rising(labels: tuple[Any, ...], kind: type) -> bool:
    right = all(type(label) is kind for label in labels) and (kind is str or all(map(math.isfinite, labels)))
    return right and all(one < other for one, other in pairwise(labels))


@dataclass(frozen=True)
class Profile:
    """The columns of one data set, by name, each with the same number of rows."""

    rows: int = 0
    columns: Mapping[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if type(self.rows) is not int or self.rows < 0:
            raise Invalid("a profile needs a whole number of rows")
        wrong = [name for name, column in self.columns.items() if column.rows != self.rows]
        if wrong:
            raise Invalid(f"columns of different length: {', '.join(sorted(wrong))[:500]}")

    def merge(self, other: Profile) -> Profile:
        """Both data sets together; exact, and the same in any order.

        :raises Invalid: if the columns or their cells differ.
        """
        if self.columns.keys() != other.columns.keys():
            raise Invalid("profiles with different columns cannot be added", hint="make both with the same edges_from")
        columns = {name: column.plus(other.columns[name]) for name, column in self.columns.items()}
        return Profile(self.rows + other.rows, columns)

    def to_json(self) -> bytes:
        """One canonical form: UTF-8, sorted keys, no white space."""
        columns = {name: asdict(column) for name, column in self.columns.items()}
        value = {"schema": SCHEMA, "rows": self.rows, "columns": columns}
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Profile:
        """Read what :meth:`to_json` wrote.

        :raises Corrupt: if the bytes are anything but a valid profile.
        """
        try:
            value = json.loads(data) if len(data) <= MAX_BYTES else None
            if (
                not isinstance(value, dict)
                or value.keys() != {"schema", "rows", "columns"}
                or value["schema"] != SCHEMA
            ):
                raise ValueError(f"expected a profile of schema {SCHEMA}")
            return cls(value["rows"], {name: _column(raw) for name, raw in value["columns"].items()})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, Invalid) as error:
            raise Corrupt(f"not a profile: {error}") from error


def _column(raw: dict[str, Any]) -> Column:
    return Column(**{**raw, "labels": tuple(raw["labels"]), "counts": tuple(raw["counts"])})


def profile(columns: Mapping[str, Any], edges_from: Profile | None = None) -> Profile:
    """Summarise columns: arrays, pandas Series, columns of Arrow or lists of equal length, a data frame among them.

    Each column is asked for once and then let go, so a mapping that reads them one by one holds one at a time. It can
    tell its length by ``num_rows``.

    :param edges_from: count into the cells of this profile. Columns it does not have are left out; its columns that
        the data does not have are counted as absent.
    :raises Invalid: if the lengths differ, or a reference column mixes types or holds something other than numbers,
        text and booleans.
    """
    wanted = list(columns) if edges_from is None else [name for name in columns if name in edges_from.columns]
    if edges_from is None:
        made = {_named(name): _reference(name, read_values(columns[name])) for name in wanted}
        return Profile(_length(columns, made), made)
    known = edges_from.columns
    seen = {name: _count(known[name], read_values(columns[name], known[name].labels)) for name in wanted}
    rows = _length(columns, seen)
    return Profile(rows, {name: seen[name] if name in seen else _absent(known[name], rows) for name in known})


def _length(columns: Mapping[str, Any], made: Mapping[str, Column]) -> int:
    lengths = {column.rows for column in made.values()} or _lengths(columns)
    if len(lengths) > 1:
        raise Invalid(f"the columns have different lengths: {sorted(lengths)}")
    return lengths.pop() if lengths else 0


def _lengths(columns: Mapping[str, Any]) -> set[int]:
    told = getattr(columns, "num_rows", None)
    return {len(columns[name]) for name in columns} if told is None else {told}


def _named(name: Any) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= 256:
        raise Invalid(f"{ascii(name)[:100]} is no name for a column", hint="use text of 1 to 256 characters")
    return name


def _reference(name: str, values: Values) -> Column:
    if values.strange or len(values.types) > 1:
        found = ", ".join([*values.types, *(["something else"] if values.strange else [])])
        raise Invalid(f"column {name} holds {found}", hint="give numbers only, text only or booleans only")
    kind, labels = cut_cells(values)
    counts = (0,) * (len(labels) + (kind == "number"))
    return _count(Column(kind, labels, counts), values)


def _absent(column: Column, rows: int) -> Column:
    return Column(column.type, column.labels, (0,) * len(column.counts), absent=rows)


def _count(column: Column, values: Values) -> Column:
    counts, outside, infinite = count_values(column.type, column.labels, values)
    known = sum(counts) + outside
    nan = values.nan if column.type == "number" else 0
    null = values.null + values.nan - nan
    return Column(
        column.type,
        column.labels,
        tuple(counts),
        null=null,
        nan=nan,
        outside=outside,
        mismatched=values.rows - known - null - nan,
        infinite=infinite,
    )
