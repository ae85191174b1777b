"""Reading one column of whatever callers hold, and counting its values into cells."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import Invalid

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

QUANTILES = 200
"""Cells of a number; the distance of Kolmogorov and Smirnov is then exact to 1/200, whatever the data."""
BLOCK = 2**15
MAX_VALUES = 1000
MAX_INTEGERS = 50
MAX_TEXT = 256


@dataclass
class Values:
    """The values of one column by type; ``numbers`` is sorted and holds no NaN.

    :param cells: the numbers counted into the cells that were asked for, instead of ``numbers``.
    :param infinite: of the numbers counted so, those that are infinite.
    :param whole: whether the numbers came as integers.
    :param unlisted: text besides ``texts``, left uncounted because nobody asked for these values.
    :param strange: values that are neither numbers nor text nor booleans.
    """

    rows: int
    numbers: NDArray[np.float64]
    cells: NDArray[np.int64] | None = None
    infinite: int = 0
    whole: bool = False
    texts: Counter[str] = field(default_factory=Counter)
    booleans: Counter[str] = field(default_factory=Counter)
    unlisted: int = 0
    null: int = 0
    nan: int = 0
    strange: int = 0

    @property
    def counted(self) -> int:
        """How many numbers there are, NaN not among them."""
        return len(self.numbers) if self.cells is None else int(self.cells.sum())

    @property
    def types(self) -> list[str]:
        """The types that occur."""
        texts = len(self.texts) + self.unlisted
        found = {"number": self.counted, "string": texts, "boolean": len(self.booleans)}
        return [name for name, size in found.items() if size]


def read_values(values: Any, labels: Sequence[Any] | None = None) -> Values:
    """Sort the values of an array, a pandas Series, a column of Arrow or a sequence by their types.

    A list is read item by item: numpy would turn ``[1, "a"]`` and ``["a", nan]`` into text.

    :param labels: what will be asked for, where it is known: texts, others may then stay uncounted; or the edges of
        cells, into which the numbers of an array are counted at once.
    :raises Invalid: if it has more than one dimension.
    """
    import numpy as np

    if isinstance(values, Values):
        return values
    if type(values).__module__.partition(".")[0] == "pyarrow":
        from model_lifecycle.core.arrow_columns import read_arrow

        return read_arrow(values, labels)
    if isinstance(values, Sequence) and not isinstance(values, str | bytes):
        return _read_items(list(values))
    array = np.asarray(values)
    if array.ndim != 1:
        raise Invalid(f"a column has one dimension, not {array.ndim}")
    if array.dtype.kind in "iuf":
        return read_numbers(array, edges_of(labels))
    if array.dtype.kind in "MmcV":
        return Values(len(array), np.empty(0), strange=len(array))
    return _read_items(array.tolist())


def edges_of(labels: Sequence[Any] | None) -> NDArray[np.float64] | None:
    """The labels as an array, if they are the edges of numbers."""
    import numpy as np

    return np.array(labels, dtype=np.float64) if labels and isinstance(labels[0], float) else None


def read_numbers(array: NDArray[Any], edges: NDArray[np.float64] | None = None) -> Values:
    """The values of an array of numbers: one sort, which also tells how many are NaN, as these come last.

    :param edges: count into the cells between them instead of keeping the numbers.
    """
    import numpy as np

    if edges is not None:
        return _count_numbers(array, edges)
    ordered = array.astype(np.float64)
    ordered.sort()
    present = int(np.searchsorted(ordered, np.nan)) if len(ordered) and np.isnan(ordered[-1]) else len(ordered)
    return Values(len(array), ordered[:present], whole=array.dtype.kind != "f", nan=len(array) - present)


def _count_numbers(array: NDArray[Any], edges: NDArray[np.float64]) -> Values:
    """Sort block by block, in one buffer that fits the processor's cache, and look the edges up in each."""
    import numpy as np

    buffer, below = np.empty(min(BLOCK, len(array))), np.zeros(len(edges), dtype=np.int64)
    present = infinite = 0
    for start in range(0, len(array), BLOCK):
        block = array[start : start + BLOCK]
        ordered = buffer[: len(block)]
        ordered[:] = block
        ordered.sort()
        if np.isnan(ordered[-1]):
            ordered = ordered[: np.searchsorted(ordered, np.nan)]
        below += np.searchsorted(ordered, edges, "right")
        present += len(ordered)
        infinite += _infinite(ordered)
    cells = np.diff(below, prepend=0, append=present)
    return Values(len(array), np.empty(0), cells, infinite, nan=len(array) - present)


def join_values(parts: Sequence[Values]) -> Values:
    """The values of all parts together."""
    import numpy as np

    numeric = [part for part in parts if len(part.numbers)]
    joined = Values(0, np.sort(np.concatenate([part.numbers for part in numeric] or [np.empty(0)])))
    joined.whole = bool(numeric) and all(part.whole for part in numeric)
    for part in parts:
        if part.cells is not None:
            joined.cells = part.cells if joined.cells is None else joined.cells + part.cells
        joined.texts.update(part.texts)
        joined.booleans.update(part.booleans)
        for name in ("rows", "infinite", "unlisted", "null", "nan", "strange"):
            setattr(joined, name, getattr(joined, name) + getattr(part, name))
    return joined


def _read_items(items: list[Any]) -> Values:
    by_type: defaultdict[type, list[Any]] = defaultdict(list)
    for item in items:
        by_type[type(item)].append(item)
    numeric = [item for kind in by_type if _is_number(kind) for item in by_type[kind]]
    found = read_numbers(_numbers(numeric))
    found.rows = len(items)
    found.whole = not any(issubclass(kind, float) for kind in by_type) and bool(numeric)
    for kind, same in by_type.items():
        if kind.__name__ in {"NoneType", "NAType", "NaTType"}:  # None and the nulls of pandas, known without pandas
            found.null += len(same)
        elif kind.__name__ in {"bool", "bool_"}:
            found.booleans.update(map(str, same))
        elif issubclass(kind, str | bytes):
            found.texts.update(map(plain_text, same))
        elif not _is_number(kind):
            found.strange += len(same)
    return found


def _is_number(kind: type) -> bool:
    import numpy as np

    return issubclass(kind, int | float | np.integer | np.floating) and kind is not bool


def _numbers(items: list[Any]) -> NDArray[Any]:
    import numpy as np

    try:
        return np.array(items, dtype=np.float64)
    except OverflowError:  # integers beyond all floating-point numbers
        return np.array([_float(item) for item in items])


def _float(item: Any) -> float:
    try:
        return float(item)
    except OverflowError:
        return float("inf") if item > 0 else float("-inf")


def plain_text(item: str | bytes) -> str:
    """A text as it is counted: bytes that are no UTF-8 escaped, and 256 characters at most."""
    text = item.decode("utf-8", "backslashreplace") if isinstance(item, bytes) else str(item)
    return text[:MAX_TEXT]


def cut_cells(values: Values) -> tuple[str, tuple[float, ...] | tuple[str, ...]]:
    """The type of a reference column that holds one type at most, and the labels of its cells."""
    if not values.types:
        return "empty", ()
    kind = values.types[0]
    if kind == "number":
        tally = _by_value(values.numbers) if values.whole else Counter()
        if 0 < len(tally) <= MAX_INTEGERS:
            return "integer", tuple(sorted(tally))
        return "number", _edges(values.numbers)
    tally = values.texts if kind == "string" else values.booleans
    frequent = sorted(tally.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_VALUES]
    return kind, tuple(sorted(value for value, _ in frequent))


def _edges(numbers: NDArray[np.float64]) -> tuple[float, ...]:
    """Quantiles that occur in the data, and just below each value that occurs twice, so that it has its own cell.

    Between two edges lies then at most a 200th of the rows, or rows of one value only.
    """
    import numpy as np

    ordered = np.sort(numbers[np.isfinite(numbers)]) + 0.0  # turns -0.0 into 0.0
    if not len(ordered):
        return ()
    ranks = -(-np.arange(1, QUANTILES + 1) * len(ordered) // QUANTILES) - 1
    chosen = np.unique(ordered[ranks])
    times = np.searchsorted(ordered, chosen, "right") - np.searchsorted(ordered, chosen, "left")
    with np.errstate(over="ignore"):  # below the smallest number there is none, which the last line drops
        just_below = np.nextafter(np.append(chosen[times > 1], ordered[0]), -np.inf)
    edges = np.unique(np.concatenate([chosen, just_below]))
    return tuple(edges[np.isfinite(edges)].tolist())


def count_values(kind: str, labels: Sequence[Any], values: Values) -> tuple[list[int], int, int]:
    """Rows by cell, values of the right type without a cell, and how many of all these are infinite."""
    import numpy as np

    texts = values.texts.total() + values.unlisted
    if kind == "empty":
        return [], values.counted + texts + values.booleans.total(), 0
    if values.cells is not None:
        return values.cells.tolist(), 0, values.infinite
    infinite = _infinite(values.numbers) if kind in {"number", "integer"} else 0
    if kind == "number":
        cumulated = np.searchsorted(values.numbers, np.array(labels, dtype=np.float64), "right")
        return np.diff(cumulated, prepend=0, append=len(values.numbers)).tolist(), 0, infinite
    tallies = {"integer": lambda: _by_value(values.numbers), "string": lambda: values.texts}
    tally = tallies.get(kind, lambda: values.booleans)()
    counts = [tally.get(label, 0) for label in labels]
    known = texts if kind == "string" else tally.total()
    return counts, known - sum(counts), infinite


def _infinite(ordered: NDArray[np.float64]) -> int:
    import numpy as np

    if not len(ordered) or (ordered[0] > -np.inf and ordered[-1] < np.inf):
        return 0
    low, high = np.searchsorted(ordered, -np.inf, "right"), np.searchsorted(ordered, np.inf, "left")
    return int(low) + len(ordered) - int(high)


def _by_value(numbers: NDArray[np.float64]) -> Counter[str]:
    """Rows by value, whole numbers written without a point: nulls make pandas turn integers into floats."""
    import numpy as np

    found, counts = np.unique(numbers + 0.0, return_counts=True)
    names = [str(int(value)) if value.is_integer() else repr(value) for value in found.tolist()]
    return Counter(dict(zip(names, counts.tolist(), strict=True)))
