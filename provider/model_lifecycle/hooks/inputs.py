"""Whether the columns of a request are those that a model's signature asks for; pure.

MLServer, KServe and MLflow's own server drop columns that they do not know, and answer 500 with a traceback, or 400
without a name, for what they cannot use. A pinned request says here already which column is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_lifecycle.core.errors import Invalid

_ACCEPTED: dict[str, tuple[str, ...]] = {
    "boolean": ("BOOL",),
    "integer": ("INT64",),
    "long": ("INT64",),
    "float": ("FP64", "INT64"),
    "double": ("FP64", "INT64"),
    "string": ("BYTES",),
    "datetime": ("BYTES",),
}


def check_inputs(tensors: Sequence[Mapping[str, Any]], signature: Mapping[str, Any] | None) -> None:
    """Refuse columns that the signature does not name, and missing, mistyped or null ones that it requires.

    :param tensors: as :func:`model_lifecycle.hooks.tensors.to_tensors` makes them.
    :param signature: as a manifest holds it; what it says of tensors and nested columns is left to the server.
    :raises Invalid: with the column's name.
    """
    known = _columns(signature)
    if known is None:
        return
    sent = {tensor["name"]: tensor for tensor in tensors}
    for name in sent:
        if name not in known:
            raise Invalid(f"input {name} is unknown; the model takes {', '.join(known)}")
    for name, column in known.items():
        required = column.get("required", True)
        if name in sent:
            _check_tensor(sent[name], str(column.get("type")), nulls=not required)
        elif required:
            raise Invalid(f"input {name} is missing; the model requires it")


def _columns(signature: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]] | None:
    inputs = (signature or {}).get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(column, Mapping) for column in inputs):
        return None
    known = {str(column["name"]): column for column in inputs if column.get("name") and column.get("type") != "tensor"}
    return known if known and len(known) == len(inputs) else None


def _check_tensor(tensor: Mapping[str, Any], kind: str, *, nulls: bool) -> None:
    name, data = tensor["name"], tensor["data"]
    if not nulls and None in data:
        raise Invalid(f"input {name}: null is not allowed (row {data.index(None)})")
    accepted = _ACCEPTED.get(kind)
    if accepted and tensor["datatype"] not in accepted and any(value is not None for value in data):
        raise Invalid(f"input {name}: datatype {tensor['datatype']} does not fit {kind}, which the signature asks for")
