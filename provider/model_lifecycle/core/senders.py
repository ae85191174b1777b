"""Whether a stranger knows a secret: compared in constant time, against every secret that is valid now."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256

from model_lifecycle.core.errors import Denied

WINDOW = 300
"""Seconds that a signature is good for, and that two clocks may differ (Standard Webhooks)."""
SHORTEST = 16
"""Characters; whoever can ask a thousand times a second guesses anything shorter that a person made up."""

_SECONDS = re.compile(r"[0-9]{1,12}")
_DELIVERY = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_bearer(authorization: str, secrets: Sequence[str]) -> None:
    """Hold the header ``Authorization`` against the shared secrets.

    :raises Denied: unless it is ``Bearer`` and one of them; the message is always the same.
    """
    scheme, _, presented = authorization.partition(" ")
    if not _equals_any(presented.strip(), secrets) or scheme.lower() != "bearer":
        raise Denied("the shared secret is missing or wrong")


def check_signature(
    signature: str, delivery: str, timestamp: str, body: bytes, secrets: Sequence[str], now: float
) -> None:
    """Hold MLflow's signature ``v1,<base64 of HMAC-SHA256>`` of ``<delivery>.<timestamp>.<body>`` against the secrets.

    :param timestamp: seconds since 1970, as the header says.
    :param now: the same of our own clock.
    :raises Denied: if it is wrong, or older or newer than :data:`WINDOW`; the message is always the same.
    """
    fresh = bool(_SECONDS.fullmatch(timestamp)) and abs(now - int(timestamp)) <= WINDOW
    signed = b".".join([delivery.encode(), timestamp.encode(), body])
    right = [f"v1,{b64encode(hmac.digest(one.encode(), signed, sha256)).decode()}" for one in secrets]
    if not _equals_any(signature, right) or not fresh or not _DELIVERY.fullmatch(delivery):
        raise Denied("the signature is missing or wrong, or its time is not now")


def _equals_any(presented: str, valid: Sequence[str]) -> bool:
    # Every one is compared, so that the time tells neither how many there are nor which it was.
    return sum(hmac.compare_digest(presented.encode(), one.encode()) for one in valid) > 0
