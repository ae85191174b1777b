"""Formats written by hand, right or wrong, where no library of the test environment writes them."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from typing import Any


def zipped(files: dict[str, bytes], **more: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **more) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(*members: tuple[tarfile.TarInfo | str, bytes], **more: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **more) as archive:
        for member, data in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def npy(descr: str, shape: str, data: bytes) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def safetensors(header: Any, data: bytes, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def number(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(key: int, value: int | bytes | str) -> bytes:
    """A field of a protocol buffer: a number, or a stretch of bytes."""
    if isinstance(value, int):
        return number(key << 3) + number(value)
    data = value.encode() if isinstance(value, str) else value
    return number(key << 3 | 2) + number(len(data)) + data


def node(operator: str, domain: str = "", attribute: bytes = b"") -> bytes:
    parts = field(1, "x") + field(2, "y") + field(4, operator) + field(7, domain)
    return parts + (field(5, attribute) if attribute else b"")


def external(location: str) -> bytes:
    """A tensor whose numbers lie in another file."""
    entry = field(1, "location") + field(2, location)
    return field(1, 4) + field(2, 1) + field(8, "w") + field(13, entry) + field(14, 1)


def onnx(*nodes: bytes, tensors: tuple[bytes, ...] = (), functions: tuple[bytes, ...] = ()) -> bytes:
    graph = b"".join(field(1, one) for one in nodes or (node("Relu"),)) + field(2, "graph")
    graph += b"".join(field(5, one) for one in tensors)
    model = field(1, 8) + field(2, "by hand") + field(7, graph) + field(8, field(2, 17))
    return model + b"".join(field(25, one) for one in functions)


def saved_model(*operators: str, in_function: bool = False) -> bytes:
    nodes = b"".join(field(3 if in_function else 1, field(1, "n") + field(2, one)) for one in operators)
    graph = field(2, field(1, nodes)) if in_function else nodes
    return field(1, 1) + field(2, field(1, field(5, "2.21.0")) + field(2, graph))


def ubjson(value: Any) -> bytes:
    """A value as XGBoost writes it: lengths as 64 bits, arrays of numbers with their type."""
    if isinstance(value, dict):
        return b"{" + b"".join(_key(name) + ubjson(inner) for name, inner in value.items()) + b"}"
    if isinstance(value, str):
        return b"SL" + struct.pack(">q", len(value.encode())) + value.encode()
    if isinstance(value, list) and all(isinstance(one, float) for one in value):
        return b"[$d#L" + struct.pack(">q", len(value)) + struct.pack(f">{len(value)}f", *value)
    if isinstance(value, list):
        return b"[" + b"".join(map(ubjson, value)) + b"]"
    return b"l" + struct.pack(">i", value)


def _key(name: str) -> bytes:
    return b"L" + struct.pack(">q", len(name)) + name.encode()


def keras(layer: dict[str, Any]) -> bytes:
    """A .keras archive of one layer."""
    config = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "sequential", "layers": [layer]},
        "registered_name": None,
    }
    return zipped({"metadata.json": b'{"keras_version": "3.15.1"}', "config.json": json.dumps(config).encode()})
