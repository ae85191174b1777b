"""The calls of the Open Inference Protocol v2 and its repository extension, over gRPC."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.grpc_calls import GrpcCalls
from model_lifecycle.hooks.open_inference_rest import Tensors
from model_lifecycle.hooks.serving import Answer
from model_lifecycle.hooks.tensors import to_answer

if TYPE_CHECKING:
    from airflow.sdk import Connection

_SERVICE = "inference.GRPCInferenceService"
_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
_RAW = {
    "BOOL": "?",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}


class GrpcInference:
    """:class:`~model_lifecycle.hooks.open_inference_rest.InferenceCalls` over gRPC.

    :param connection: as whom; see :mod:`model_lifecycle.hooks.grpc_calls`.
    :param address: ``host:port``, with ``grpcs://`` before it for TLS.
    """

    def __init__(self, connection: Connection, address: str) -> None:
        self.calls = GrpcCalls(connection, address, "open_inference")
        self.timeout = self.calls.timeout

    def index(self) -> list[dict[str, str]]:
        """What the server's repository holds."""
        # MLServer 1.7.1 writes its states as Python shows them: State.READY.
        return [
            {"name": one.name, "version": one.version, "state": one.state.rpartition(".")[2], "reason": one.reason}
            for one in self._call("RepositoryIndex").models
        ]

    def load(self, name: str) -> None:
        """Ask once: a second load of a version that ended the server would end it again."""
        cannot = {"INTERNAL": Invalid, "UNKNOWN": Invalid, "FAILED_PRECONDITION": Invalid}
        self._call("RepositoryModelLoad", retry=False, errors=cannot, model_name=name)

    def unload(self, name: str) -> None:
        """Ask; a repeated call says NotFound."""
        self._call("RepositoryModelUnload", model_name=name)

    def infer(self, name: str, version: int | None, tensors: Tensors) -> Answer:
        """Ask for a prediction."""
        failed = {"INTERNAL": Invalid, "UNKNOWN": Invalid}
        inputs = [_input(tensor) for tensor in tensors]
        found = self._call("ModelInfer", errors=failed, model_name=name, model_version=_text(version), inputs=inputs)
        raw = list(found.raw_output_contents)
        outputs = [_output(tensor, raw[place] if raw else None) for place, tensor in enumerate(found.outputs)]
        return to_answer({"model_version": found.model_version, "outputs": outputs})

    def _call(self, method: str, *, retry: bool = True, errors: Any = None, **fields: Any) -> Any:
        request = self.calls.new(f"inference.{method}Request", **fields)
        return self.calls.call(f"{_SERVICE}/{method}", request, retry=retry, errors=errors)


def _text(version: int | None) -> str:
    return "" if version is None else str(version)


def _input(tensor: Any) -> dict[str, Any]:
    name, datatype, data = tensor["name"], tensor["datatype"], tensor["data"]
    if datatype == "FP64":
        data = [float("nan") if value is None else value for value in data]
    if None in data:
        raise Invalid(f"column {name} holds a null, which gRPC cannot carry as {datatype}")
    if datatype == "BYTES":
        data = [text.encode() for text in data]
    shape, contents = tensor["shape"], {_CONTENTS[datatype]: data}
    return {"name": name, "datatype": datatype, "shape": shape, "contents": contents}


def _output(tensor: Any, raw: bytes | None) -> dict[str, Any]:
    datatype = tensor.datatype
    if raw is not None:
        data = _unpacked(datatype, raw)
    elif datatype in _CONTENTS:
        data = list(getattr(tensor.contents, _CONTENTS[datatype]))
    else:
        raise Invalid(f"output {tensor.name} has the datatype {datatype}, which nobody here can read")
    texts = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in data]
    return {"name": tensor.name, "shape": list(tensor.shape), "data": texts}


def _unpacked(datatype: str, raw: bytes) -> list[Any]:
    """Values one after the other, little-endian; before each text its length."""
    try:
        if datatype != "BYTES":
            return [value for (value,) in struct.iter_unpack(f"<{_RAW[datatype]}", raw)]
        texts, place = [], 0
        while place < len(raw):
            (length,) = struct.unpack_from("<I", raw, place)
            texts.append(raw[place + 4 : place + 4 + length])
            place += 4 + length
        return texts
    except (KeyError, struct.error) as error:
        raise Invalid(f"an output of the datatype {datatype} cannot be read: {error}") from error
