"""Read our messages with TensorFlow Serving's official classes and write them again, where those are installed.

``python -P tensorflow_wire.py`` reads ``{message: base64}``, answers ``{message: {"fields": ..., "bytes": base64}}``.
"""

from __future__ import annotations

import json
import sys
from base64 import b64decode, b64encode
from typing import Any

ELSEWHERE = {
    "Number": "google.protobuf.Int64Value",
    "Packed": "google.protobuf.Any",
    "ServableVersionPolicy": "tensorflow.serving.FileSystemStoragePathSourceConfig.ServableVersionPolicy",
    **{name: f"tensorflow.{name}" for name in ("SignatureDef", "TensorInfo", "TensorProto", "TensorShapeProto")},
}
"""The official names of messages that stand in another package than ours."""


def official(name: str) -> str:
    """The official full name of one of our messages, which may be nested in another."""
    first, *rest = name.removeprefix("tensorflow.serving.").split(".")
    return ".".join([ELSEWHERE.get(first, f"tensorflow.serving.{first}"), *rest])


def fields(message: Any) -> dict[str, Any]:
    """What a message holds, by the numbers and names of its fields."""
    return {f"{field.number} {field.name}": _value(field, value) for field, value in message.ListFields()}


def _value(field: Any, value: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {key: _value(field.message_type.fields_by_name["value"], value[key]) for key in sorted(value)}
    if field.is_repeated:
        return [_one(one) for one in value]
    return _one(value)


def _one(value: Any) -> Any:
    if hasattr(value, "ListFields"):
        return fields(value)
    return b64encode(value).decode() if isinstance(value, bytes) else value


def main() -> None:
    from google.protobuf import any_pb2, symbol_database, wrappers_pb2  # noqa: F401
    from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2

    classes = symbol_database.Default()
    found: dict[str, Any] = {"services": {}}
    for name, text in json.load(sys.stdin).items():
        read = classes.GetSymbol(official(name)).FromString(b64decode(text))
        found[name] = {"fields": fields(read), "bytes": b64encode(read.SerializeToString(deterministic=True)).decode()}
    for module in (model_service_pb2, prediction_service_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            found["services"][service.full_name] = {
                method.name: [method.input_type.full_name, method.output_type.full_name] for method in service.methods
            }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
