"""What one inspection carries from file to file: the policy, the work it may still do, and what it has learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.core.trust import TrustPolicy, allow_hint, untrusted
from model_lifecycle.stores.formats.blob import Blob

MAX_DEPTH = 6
"""Archives inside archives."""
MAX_MEMBERS = 100_000
"""Files in all archives of an artifact together."""
MAX_STEPS = 20_000_000
"""Opcodes, fields and tokens looked at in one artifact; some 20 s of one core."""
MIN_EXPANDED, MAX_RATIO = 256 << 20, 100
"""An artifact may unpack to 256 MiB, and beyond that to a hundred times its own size."""
MAX_JSON = 16 << 20
"""Bytes of JSON that are read as a whole."""


class Unknown(Untrusted):
    """Bytes of no known format; another file of the artifact may still explain them."""


@dataclass
class Trip:
    """One artifact under inspection.

    :param listed: the artifact's files with their sizes.
    :param claimed: files that a checked model names as its raw weights.
    """

    policy: TrustPolicy
    listed: Mapping[str, int] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    steps: int = MAX_STEPS
    members: int = MAX_MEMBERS
    expanded: int = 0

    def __post_init__(self) -> None:
        self.expanded = self.expanded or MIN_EXPANDED + MAX_RATIO * sum(self.listed.values())

    def step(self, where: str, count: int = 1) -> None:
        """Count work done.

        :raises Untrusted: if the artifact asks for more than anything real does.
        """
        self.steps -= count
        if self.steps < 0:
            raise self.refuse(where, "takes too many steps to look through", "nobody can say what it does")

    def member(self, where: str) -> None:
        """Count a file of an archive."""
        self.members -= 1
        if self.members < 0:
            raise self.refuse(where, f"is one of more than {MAX_MEMBERS:,} files in archives", "it is built to exhaust")

    def expand(self, where: str, count: int) -> None:
        """Count bytes that came out of a compressed file."""
        self.expanded -= count
        if self.expanded < 0:
            raise self.refuse(where, "unpacks to far more than the artifact's size", "it is built to exhaust memory")

    def need(self, word: str, where: str, found: str, why: str, instead: str = "") -> None:
        """Let only pass what the policy's ``formats`` allow by this word.

        :raises Untrusted: if they do not.
        """
        if word not in self.policy.formats:
            raise untrusted(where, found, why, allow_hint(f"formats {word}", instead))

    def need_code(self, where: str, found: str, why: str = "it runs in the server that loads the model") -> None:
        """Let only pass what brings code if the policy allows code."""
        if not self.policy.code:
            raise untrusted(where, found, why, allow_hint("code", "save the model without code of its own"))

    def refuse(
        self, where: str, found: str, why: str, hint: str = "find out who made this file, and save it again"
    ) -> Untrusted:
        """The error for what no policy allows."""
        return untrusted(where, found, why, hint)


def unknown(where: str) -> Unknown:
    """The error for bytes of no format that is known here."""
    error = untrusted(
        where,
        "is a binary file of no known format",
        "nobody can say what loading it does",
        allow_hint("formats unknown", "save the model as skops, ONNX, safetensors or the booster's own JSON"),
    )
    return Unknown(error.message, hint=error.hint)


Judge = Callable[[Blob, str, Trip], None]
"""Lets a file pass, or raises."""
