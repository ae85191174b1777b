"""The prediction log: what a model server writes down of the answers it gave, so that labels can join them later.

Files lie at ``<root>/_predictions/<model>/<YYYY-MM-DD>/<HH>/<any name>.parquet``, days and hours in UTC and those of
``at``. A file is whole or absent; names that begin with a dot or an underscore are unfinished and overlooked. Any
server may write such a log: ``docs/prediction-log.md`` describes it for people, and this module for programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.names import check_name

PREDICTIONS_FOLDER = "_predictions"
ENDING = ".parquet"
REQUEST_ID, ROW, AT, VERSION, MODEL = "request_id", "row", "at", "version", "model"
INPUT, OUTPUT = "input.", "output."

FIXED = {
    REQUEST_ID: "string",
    ROW: "int32",
    AT: "timestamp[us, tz=UTC]",
    VERSION: "int64",
    MODEL: "string",
}
"""The columns that every file has, and their Arrow types."""

TYPES = {
    "BOOL": "bool",
    "BYTES": "string",
    "UINT64": "uint64",
    **dict.fromkeys(("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32"), "int64"),
    **dict.fromkeys(("FP16", "FP32", "FP64"), "double"),
}
"""Arrow types of inputs and outputs by the Open Inference Protocol's datatypes; several values a row are a list."""

MAX_ID = 256
_PLAIN_ID = re.compile(r"[!-~]{1,128}")
_MOMENT = re.compile(r"timestamp\[(s|ms|us|ns), tz=(UTC|Etc/UTC|\+00:00)\]")


def hour_folder(model: str, at: datetime) -> str:
    """Where the rows of a model at that moment lie, relative to the root.

    :raises Invalid: if the model's name is not allowed.
    """
    return f"{PREDICTIONS_FOLDER}/{check_name(model, 'model name')}/{at.astimezone(UTC):%Y-%m-%d/%H}"


def hour_folders(model: str, start: datetime, end: datetime) -> Iterator[str]:
    """The folders that can hold rows with ``start <= at < end``.

    :raises Invalid: if a moment has no time zone.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise Invalid("a window of the prediction log needs a time zone", hint="such as +00:00")
    hour = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while start < end and hour < end:
        yield hour_folder(model, hour)
        hour += timedelta(hours=1)


def is_sampled(request_id: str, share: float) -> bool:
    """Whether a request belongs to this share of all, decided by its id alone.

    The first eight bytes of the id's SHA-256 as a number, over 2^64, lie below the share. So the same requests are
    sampled on every server and in every join, and a smaller share is part of a larger one.
    """
    number = int.from_bytes(sha256(request_id.encode("utf-8", "surrogatepass")).digest()[:8])
    return number < share * 2**64


def is_plain_id(text: str) -> bool:
    """Whether an id may travel in a header: 1 to 128 visible ASCII characters."""
    return _PLAIN_ID.fullmatch(text) is not None


def fault_of_id(request_id: str) -> str | None:
    """Why rows of a request with this id cannot be logged, or None."""
    if not 0 < len(request_id) <= MAX_ID:
        return f"its id has {len(request_id)} characters, of 1 to {MAX_ID}"
    try:
        request_id.encode()
    except UnicodeEncodeError:
        return "its id is not Unicode"
    return None


def faults(columns: Mapping[str, str]) -> list[str]:
    """What keeps a table from being a file of the log; empty if nothing does.

    :param columns: the names and Arrow types of its columns, as Arrow writes types; more columns than are known here
        may be there.
    """
    found = []
    for name, wanted in FIXED.items():
        kind = columns.get(name)
        if kind is None:
            found.append(f"the column {name} is missing")
        elif not _fits(kind, wanted):
            found.append(f"the column {name} is {kind}, not {wanted}")
    if not any(name.startswith(OUTPUT) for name in columns):
        found.append(f"no column begins with {OUTPUT}")
    return found


def check_columns(columns: Mapping[str, str], where: str) -> None:
    """Refuse a table that is no file of the log.

    :raises Invalid: with all that is wrong.
    """
    found = faults(columns)
    if found:
        raise Invalid(f"{where} is no prediction log: {'; '.join(found)}", hint="see docs/prediction-log.md")


def _fits(kind: str, wanted: str) -> bool:
    if wanted.startswith("timestamp"):
        return _MOMENT.fullmatch(kind) is not None
    if wanted.startswith("int"):
        return re.fullmatch(r"u?int(8|16|32|64)", kind) is not None
    return kind in (wanted, "large_string", "string_view") or kind.startswith("dictionary<values=string")
