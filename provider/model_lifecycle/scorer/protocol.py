"""The JSON of the Open Inference Protocol v2: requests, tensors, responses.

Only JSON data; the binary extension is refused. Whatever a client sends is answered by :class:`Invalid` with the name
of the field that is wrong, never by another exception.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any

from model_lifecycle.core.errors import Invalid

INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
FLOATS = ("FP16", "FP32", "FP64")
DATATYPES = ("BOOL", *INTEGERS, *FLOATS, "BYTES")


@dataclass(frozen=True)
class Tensor:
    """A named tensor; ``data`` is flat, in row-major order."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]

    def to_dict(self) -> dict[str, Any]:
        """JSON values only."""
        return {"name": self.name, "shape": list(self.shape), "datatype": self.datatype, "data": self.data}


@dataclass(frozen=True)
class InferRequest:
    """One request for a prediction; ``outputs`` names the tensors the client wants, None means all."""

    id: str | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[str, ...] | None


def shown(value: object) -> str:
    """A value for an error message: short, and in ASCII whatever a client has sent."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a request body holds; an empty body is an empty object.

    :raises Invalid: if it is anything else; NaN and Infinity are not JSON.
    """
    try:
        value = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the body is not JSON: {shown(str(error))}") from error
    if not isinstance(value, dict):
        raise Invalid("the body is not a JSON object")
    return value


def read_request(body: bytes) -> InferRequest:
    """Read the body of an infer request.

    :raises Invalid: with the name of the field or tensor that is wrong.
    """
    value = read_object(body)
    request_id = value.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise Invalid("id is not a string")
    inputs = _list(value.get("inputs"), "inputs")
    if not inputs:
        raise Invalid("inputs holds no tensor")
    tensors = tuple(_tensor(item, place) for place, item in enumerate(inputs))
    names: set[str] = set()
    for tensor in tensors:
        if tensor.name in names:
            raise Invalid(f"input {shown(tensor.name)} stands twice in the request")
        names.add(tensor.name)
    return InferRequest(request_id, tensors, _wanted(value.get("outputs")))


def write_response(model: str, version: int, request: InferRequest, outputs: Iterable[Tensor]) -> bytes:
    """The body of an answer, with the version that answered.

    :raises Invalid: if the client asked for an output that the model does not have.
    """
    found = {tensor.name: tensor for tensor in outputs}
    wanted = found if request.outputs is None else request.outputs
    for name in wanted:
        if name not in found:
            raise Invalid(f"output {shown(name)} is unknown; the model has {', '.join(found)}")
    value: dict[str, Any] = {"model_name": model, "model_version": str(version)}
    if request.id is not None:
        value["id"] = request.id
    value["outputs"] = [found[name].to_dict() for name in wanted]
    return json.dumps(value, allow_nan=False).encode()


def _tensor(value: Any, place: int) -> Tensor:
    if not isinstance(value, dict):
        raise Invalid(f"inputs[{place}] is not an object")
    name = value.get("name")
    if not isinstance(name, str) or not name:
        raise Invalid(f"inputs[{place}] has no name")
    what = f"input {shown(name)}"
    datatype = value.get("datatype")
    if datatype not in DATATYPES:
        raise Invalid(f"{what}: datatype {shown(datatype)} is none of {', '.join(DATATYPES)}")
    shape = _list(value.get("shape"), f"{what}: shape")
    if not shape or any(type(size) is not int or size < 0 for size in shape):
        raise Invalid(f"{what}: shape {shown(shape)} is not a list of sizes")
    data = _flat(_list(value.get("data"), f"{what}: data"), len(shape))
    if prod(shape) != len(data):
        raise Invalid(f"{what}: shape {shown(shape)} does not fit {len(data)} values")
    return Tensor(name, datatype, tuple(shape), data)


def _flat(data: list[Any], dimensions: int) -> list[Any]:
    # The protocol allows nested lists as well as one flat list; a list that is left over is a wrong value later.
    for _ in range(dimensions - 1):
        if not data or any(type(item) is not list for item in data):
            break
        data = list(chain.from_iterable(data))
    return data


def _wanted(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    names: dict[str, None] = {}
    for item in _list(value, "outputs"):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            raise Invalid("outputs holds something without a name")
        names[name] = None
    return tuple(names) or None


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise Invalid(f"{what} is not a list" if value is not None else f"{what} is missing")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
