"""Our names as SageMaker's, which are shorter, without dots and underscores, and the same in upper and lower case.

The mapping is injective: two of our names never become one of SageMaker's. What SageMaker would take as it stands is
kept; everything else is cut and told apart by a hash, after two hyphens, which no kept name holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.names import check_name

LONGEST = 30
"""Characters of an endpoint's name; what is built upon it has to fit into 63."""

_KEPT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VARIANT = re.compile(r"v([1-9][0-9]{0,17})")


def endpoint_name(model: str) -> str:
    """The endpoint of a model: 1 to 30 of ``a-z 0-9 -``.

    :raises Invalid: if the model's name is not on our allow-list.
    """
    check_name(model, "model name")
    if len(model) <= LONGEST and _KEPT.fullmatch(model):
        return model
    readable = "-".join(re.findall(r"[a-z0-9]+", model.lower()))[:12].strip("-")
    return f"{readable}--{_hash(model)}" if readable else f"x--{_hash(model)}"


def variant_name(version: int) -> str:
    """The production variant of a version."""
    if type(version) is not int or not 0 < version < 10**18:
        raise Invalid(f"version {version!r} is no positive whole number")
    return f"v{version}"


def version_of(variant: str) -> int | None:
    """The version of a production variant; None if it is not one of ours."""
    found = _VARIANT.fullmatch(variant)
    return int(found[1]) if found else None


def model_name(model: str, version: int, container: Mapping[str, Any]) -> str:
    """SageMaker's model of a version, in a container of that image, role and environment.

    Another container is another model: the artifact of a version never changes, but how it is run may have to.
    """
    return f"{endpoint_name(model)}-{variant_name(version)}-{_hash(container)[:10]}"


def config_name(model: str, variants: Sequence[Mapping[str, Any]]) -> str:
    """The endpoint configuration with exactly these production variants."""
    return f"{endpoint_name(model)}-c-{_hash(list(variants))}"


def is_config_of(model: str, name: str) -> bool:
    """Whether a configuration's name is one that :func:`config_name` makes for the model."""
    return re.fullmatch(rf"{re.escape(endpoint_name(model))}-c-[0-9a-f]{{16}}", name) is not None


def _hash(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
