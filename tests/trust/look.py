"""One file before the gate, in memory."""

from __future__ import annotations

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.core.trust import TrustPolicy
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.judge import judge
from model_lifecycle.stores.formats.trip import Trip


def trip(words: object = "", **listed: int) -> Trip:
    """An inspection of an artifact with these files, each under its name with a dot for two underscores."""
    return Trip(TrustPolicy.parse(words), {name.replace("__", "."): size for name, size in listed.items()})


def refusal(data: bytes, name: str = "model.bin", words: object = "") -> str | None:
    """Why a file is refused; None if it is not."""
    try:
        judge(Blob.of_bytes(data), name, Trip(TrustPolicy.parse(words), {name: len(data)}))
    except Untrusted as error:
        return str(error)
    return None
