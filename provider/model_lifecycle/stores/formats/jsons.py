"""JSON of other people: bounded, read the same way by every reader, and never deeper than the stack."""

from __future__ import annotations

import json
from typing import Any

from model_lifecycle.stores.formats.trip import MAX_JSON, Trip


def parse(data: bytes, where: str, trip: Trip) -> Any:
    """The value of a JSON document.

    :raises Untrusted: if it is none, is larger than 16 MiB, is nested too deep, or gives a key twice: of such keys one
        reader takes the first and another the last.
    """
    trip.step(where, 1 + len(data) // 64)
    if len(data) > MAX_JSON:
        raise trip.refuse(where, f"has more than {MAX_JSON:,} bytes of JSON", "it is too large to be looked through")
    try:
        return json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise trip.refuse(where, f"is no plain JSON ({error})", "readers may differ in what they find") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found
