"""Windows of time: how they are named, and where the documents about them are kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.names import check_name

KINDS = ("training", "previous", "last_week", "last_year")
"""What a window may be compared with."""
WINDOW = re.compile(r"\d{8}T\d{6}Z")


def window_id(start: datetime) -> str:
    """The name of the window that begins then; names sort as their windows do. A time without a zone is UTC."""
    return f"{(start if start.tzinfo else start.replace(tzinfo=UTC)).astimezone(UTC):%Y%m%dT%H%M%SZ}"


def parse_start(text: str) -> datetime:
    """When a window begins, in UTC.

    :raises Invalid: if the text is no time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{ascii(text)[:100]} is no time", hint="write it as 2013-02-01T00:00:00+00:00") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def check_kind(kind: str) -> str:
    """Return ``kind`` if a window can be compared so.

    :raises Invalid: if it cannot.
    """
    if kind not in KINDS:
        raise Invalid(f"{ascii(kind)[:100]} is no window", hint=f"known are {', '.join(KINDS)}")
    return kind


def merged_folder(name: str, window: str) -> str:
    """Where the profile of a whole window is kept."""
    return f"{check_name(name, 'name')}/{window}/merged"


def verdict_folder(name: str, window: str, kind: str) -> str:
    """Where a window's verdict is kept, by what it was compared with."""
    return f"{check_name(name, 'name')}/{window}/verdict-{check_kind(kind)}"
