"""Values that name things: model URIs, endpoints, registered versions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.names import check_name

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"

_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>[1-9][0-9]{0,17})|@(?P<alias>[^/@]+))")


@dataclass(frozen=True)
class ModelUri:
    """``models:/<name>/<version>`` or ``models:/<name>@<alias>``: the string that crosses XCom between tasks.

    Exactly one of ``version`` and ``alias`` is set.
    """

    name: str
    version: int | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: object) -> ModelUri:
        """Read a model URI.

        :raises Invalid: if the text has another form, or a name outside the allow-list.
        """
        match = _URI.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise Invalid(
                f"{ascii(text)[:200]} is not a model URI",
                hint="write models:/<name>/<version> or models:/<name>@<alias>",
            )
        name = check_name(match["name"], "model name")
        if match["alias"]:
            return cls(name, alias=check_name(match["alias"], "alias"))
        return cls(name, version=int(match["version"]))

    def __str__(self) -> str:
        return f"models:/{self.name}@{self.alias}" if self.alias else f"models:/{self.name}/{self.version}"


@dataclass(frozen=True)
class Endpoint:
    """What callers call: one model on one serving connection, written ``<serving_conn_id>/<model>``."""

    conn_id: str
    model: str

    @classmethod
    def parse(cls, text: object) -> Endpoint:
        """Read an endpoint's name.

        :raises Invalid: if the text is not two allowed names joined by one slash.
        """
        parts = text.split("/") if isinstance(text, str) else []
        if len(parts) != 2:
            raise Invalid(f"{ascii(text)[:200]} is not an endpoint", hint="write <serving_conn_id>/<model>")
        return cls(check_name(parts[0], "serving connection"), check_name(parts[1], "model name"))

    def __str__(self) -> str:
        return f"{self.conn_id}/{self.model}"


@dataclass(frozen=True)
class ModelVersion:
    """One version as the registry holds it.

    ``digest`` is the manifest digest recorded at registration, or None for a version registered without us.
    """

    name: str
    version: int
    artifact_uri: str
    digest: str | None = None
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        """The model URI that names this version for ever."""
        return str(ModelUri(self.name, self.version))
