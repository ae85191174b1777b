"""Keras models: a configuration that names only Keras's own layers, none of which carries code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import Trip

HDF5 = b"\x89HDF\r\n\x1a\n"
_INSTEAD = "save the model as ONNX"
_WHY = "layers of a Keras model can carry code"
_MODULE = re.compile(
    r"(tf_)?keras(\.src)?(\.(activations|constraints|dtype_policies|initializers|layers|losses|metrics|models|ops"
    r"|optimizers|random|regularizers)(\.[a-z_0-9]+)*)?"
)
# What runs code of the model, or reads other files, though it is one of Keras's own.
_WORDS = "Lambda FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper"
_ACTING = frozenset(_WORDS.split())
_CLASS = re.compile(r"[A-Z]\w{0,100}|__(bytes|complex|ellipsis|keras_tensor|numpy|slice|tensor|tuple)__")
_NAMED = re.compile(rb'\\*"class_name\\*"\s*:\s*\\*"([^"\\]*)')
_HIDDEN = re.compile(rb"\\u00(5[fF]|[46][1-9a-fA-F]|[57][0-9aA])")


def looks_hdf5(blob: Blob) -> bool:
    """Tell whether a reader of HDF5 finds a file here: it may begin at 0, 512, 1024 and so on."""
    at = 0
    while at < blob.size:
        if blob.read(at, 8) == HDF5:
            return True
        at = at * 2 or 512
    return False


def check_hdf5(blob: Blob, where: str, trip: Trip) -> None:
    """Hold an HDF5 file to Keras's layers by the names that its bytes hold: attributes are never compressed.

    :raises Untrusted: if the format is not allowed, or a class of the configuration acts.
    """
    trip.need("keras", where, "is an HDF5 file, in which Keras keeps models", _WHY, _INSTEAD)
    check_names(blob, where, trip)


def check_names(blob: Blob, where: str, trip: Trip) -> None:
    """Hold binary data to Keras's layers by every name of a class that its bytes hold.

    :raises Untrusted: if one acts, or letters are written in a way that hides names.
    """
    trip.step(where, 1 + blob.size // 1024)
    for block in blob.blocks(overlap=256):
        if _HIDDEN.search(block):
            raise trip.refuse(where, "writes letters as escapes", "they may hide the name of a layer")
        for found in _NAMED.finditer(block):
            _check_class(found[1].decode("latin-1"), where, trip)


def check_config(config: Any, where: str, trip: Trip) -> None:
    """Hold the JSON configuration of a model to Keras's own layers.

    :raises Untrusted: if the format is not allowed, or the configuration names anything else.
    """
    trip.need("keras", where, "is the configuration of a Keras model", _WHY, _INSTEAD)
    for node in _dictionaries(config):
        trip.step(where)
        if "class_name" in node:
            _check_class(node["class_name"], where, trip)
        module = node.get("module")
        if module is not None and "class_name" in node and not (isinstance(module, str) and _MODULE.fullmatch(module)):
            raise trip.refuse(where, f"names the module {module}", "Keras imports it when it loads the model")
        if node.get("registered_name") not in (None, node.get("class_name")):
            raise trip.refuse(where, f"names the registered {node['registered_name']}", "it is none of Keras's own")
        if isinstance(node.get("vocabulary"), str):
            raise trip.refuse(where, "reads a vocabulary from a file", "the file is not part of the model")


def _check_class(name: Any, where: str, trip: Trip) -> None:
    if not isinstance(name, str) or not _CLASS.fullmatch(name) or name in _ACTING:
        raise trip.refuse(where, f"has a layer of class {name}", "it runs code of the model, or reads other files")


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
