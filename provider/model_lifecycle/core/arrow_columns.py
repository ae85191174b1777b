"""Reading a column of Arrow: the buffers as they are, strings counted by their dictionary, no Python object per row.

pyarrow is imported by whoever made the column, and here only when one is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.columns import MAX_TEXT, Values, edges_of, join_values, plain_text, read_numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MANY = 4096
"""From so many different texts on, those that nobody asks for are not made into Python's strings."""


def read_arrow(column: Any, labels: Sequence[Any] | None = None) -> Values:
    """Sort the values of an Array or ChunkedArray by type.

    Decimals are numbers, as floats. Dates, times, lists and structs are strange: nothing here can compare them.

    :param labels: the texts that will be asked for; others are only counted where there are many.
    """
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        parts = [_read(chunk, labels) for chunk in column.chunks]
        return parts[0] if len(parts) == 1 else join_values(parts)
    return _read(column, labels)


def _read(array: Any, labels: Sequence[Any] | None) -> Values:
    import numpy as np
    import pyarrow.types as kinds

    array = _plain(array)
    kind, values = array.type, Values(len(array), np.empty(0))
    if kinds.is_dictionary(kind):
        values = _read_dictionary(array, labels)
    elif kinds.is_floating(kind) or kinds.is_integer(kind) or kinds.is_decimal(kind):
        values = _read_numbers(array, labels)
    elif kinds.is_boolean(kind):
        true = array.true_count
        tally = {"True": true, "False": len(array) - array.null_count - true}
        values.booleans = Counter({name: count for name, count in tally.items() if count})
    elif _is_text(kind):
        return _read(array.dictionary_encode(), labels)
    elif not kinds.is_null(kind):
        values.strange = len(array) - array.null_count
    values.null = values.rows - values.counted - values.nan - values.texts.total() - values.unlisted
    values.null -= values.booleans.total() + values.strange
    return values


def _plain(array: Any) -> Any:
    """The same values without an extension's type, runs or views."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if kinds.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if kinds.is_string_view(array.type) or kinds.is_binary_view(array.type):
        array = array.cast(pa.large_string() if kinds.is_string_view(array.type) else pa.large_binary())
    return array


def _is_text(kind: Any) -> bool:
    import pyarrow.types as kinds

    known = (kinds.is_string, kinds.is_large_string, kinds.is_binary, kinds.is_large_binary)
    return any(is_kind(kind) for is_kind in (*known, kinds.is_fixed_size_binary))


def _read_numbers(array: Any, labels: Sequence[Any] | None) -> Values:
    import numpy as np
    import pyarrow.types as kinds

    present = array.drop_null() if array.null_count else array
    if kinds.is_decimal(array.type):
        numbers: NDArray[Any] = np.array([float(item) for item in present.to_pylist()], dtype=np.float64)
    else:
        numbers = present.to_numpy(zero_copy_only=False)
    values = read_numbers(numbers, edges_of(labels))
    values.rows = len(array)
    return values


def _read_dictionary(array: Any, labels: Sequence[Any] | None) -> Values:
    """Rows by entry of the dictionary, which may hold entries twice, unused, or null."""
    import numpy as np
    import pyarrow.types as kinds

    if not _is_text(array.type.value_type) and not kinds.is_null(array.type.value_type):
        return _read(array.dictionary_decode(), labels)
    indices = array.indices.drop_null() if array.indices.null_count else array.indices
    counts = np.bincount(indices.to_numpy(zero_copy_only=False), minlength=len(array.dictionary))
    values = Values(len(array), np.empty(0))
    entries, counts, values.unlisted = _asked_for(array.dictionary, counts, labels)
    for text, count in zip(_texts(entries), counts.tolist(), strict=True):
        if count and text is not None:
            values.texts[text] += count
    return values


def _asked_for(
    dictionary: Any, counts: NDArray[np.intp], labels: Sequence[Any] | None
) -> tuple[Any, NDArray[np.intp], int]:
    """Of a large dictionary the entries that are labels, their counts, and the rows of all others but null."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    if labels is None or len(dictionary) < MANY or not kinds.is_string(dictionary.type):
        return dictionary, counts, 0
    known = pa.array([label for label in map(str, labels) if _encodable(label)], pa.string())
    # Whoever is as long as a label can be may be one after it was cut.
    wanted = pc.or_(pc.is_in(dictionary, known), pc.greater_equal(pc.binary_length(dictionary), MAX_TEXT))
    mask = pc.fill_null(wanted, True).to_numpy(zero_copy_only=False)
    return dictionary.filter(pa.array(mask)), counts[mask], int(counts[~mask].sum())


def _texts(dictionary: Any) -> list[str | None]:
    import pyarrow as pa

    try:
        items = dictionary.to_pylist()
    except UnicodeDecodeError:  # a file may say utf-8 and hold other bytes
        items = dictionary.cast(pa.binary()).to_pylist()
    return [None if item is None else plain_text(item) for item in items]


def _encodable(label: str) -> bool:
    try:
        label.encode()
    except UnicodeEncodeError:
        return False
    return True


TRUTHS = {"true": "True", "false": "False"}


def read_text(column: Any, kind: str | None) -> Any:
    """A column that came as text, as the type it is meant to have; what does not fit stays text.

    :param kind: the type of the reference's column; None finds out: whole numbers, numbers, booleans, else text.
    """
    import pyarrow as pa

    if kind in ("string", "empty"):
        return column
    if kind == "boolean":
        return _truths(column)
    try:
        return _cast(column, pa.int64() if kind is None else pa.float64())
    except pa.ArrowInvalid:
        return _guessed(column) if kind is None else _mixed(column)


def _cast(column: Any, kind: Any) -> Any:
    import pyarrow.compute as pc

    return pc.cast(pc.utf8_trim_whitespace(column), kind)


def _guessed(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return _cast(column, pa.float64())
    except pa.ArrowInvalid:
        words = {str(word).strip().lower() for word in pc.unique(column).drop_null().to_pylist()}
        return _truths(column) if words <= TRUTHS.keys() else column


def _truths(column: Any) -> Values:
    values = read_arrow(column)
    for text in [text for text in values.texts if text.strip().lower() in TRUTHS]:
        values.booleans[TRUTHS[text.strip().lower()]] += values.texts.pop(text)
    return values


def _mixed(column: Any) -> Values:
    """Numbers among texts, told apart one by one."""
    import numpy as np

    values = read_arrow(column)
    found = {text: number for text in values.texts if (number := _number(text)) is not None}
    numbers = np.repeat(list(found.values()), [values.texts.pop(text) for text in found])
    joined = join_values([values, read_numbers(np.asarray(numbers, dtype=np.float64))])
    joined.rows = values.rows
    return joined


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
