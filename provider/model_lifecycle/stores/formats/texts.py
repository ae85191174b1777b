"""Text: UTF-8 without control characters; YAML without Python objects, JSON that names no code, plain requirements."""

from __future__ import annotations

import codecs
import re

from model_lifecycle.core.trust import allow_hint, untrusted
from model_lifecycle.stores.formats import keras, yamls
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.jsons import parse
from model_lifecycle.stores.formats.trip import MAX_JSON, Trip

MAX_MODULE_NAME = 256
_CONTROL = bytes(set(range(32)) - {9, 10, 12, 13})
_PYTHON = re.compile(rb"!!python/|tag:yaml\.org,2002:python|!<[^>]*python")
# A letter that is written as an escape is a letter that shall not be found.
_SUSPECT = re.compile(rb'"(class_name"\s*:\s*"|auto_map"\s*:)|\\u00(5[fF]|[46][1-9a-fA-F]|[57][0-9aA])')
_REQUIREMENTS = re.compile(r"(requirements|constraints)[\w.-]*\.(txt|in)|conda\.ya?ml|python_env\.ya?ml")
_PLACE = re.compile(
    r"^[\s\-\"']*(-e\b|--editable|-i\b|--index-url|--extra-index-url|-f\b|--find-links|--trusted-host|file:)"
    r"|://|\bgit\+|\s@\s|^[\s\-\"']*-[rc]\s*[\"']?(/|\.\.)|^[\s\-\"']*\.{0,2}/",
    re.MULTILINE,
)
_MODULES = {
    "pickle_module_info.txt": {"mlflow.pytorch.pickle_module", "pickle", "cloudpickle"},
    "keras_module.txt": {"keras", "tensorflow.keras", "tf_keras"},
}
"""Text files whose content MLflow imports as a module."""


def looks(blob: Blob) -> bool:
    """Tell whether all bytes are text; a byte order mark may begin it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in blob.blocks():
            if len(block.translate(None, _CONTROL)) != len(block):
                return False
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def check(blob: Blob, where: str, trip: Trip) -> None:
    """Hold text to what may be in it.

    :raises Untrusted: if it is YAML that makes Python objects, JSON that names code or layers of Keras, requirements
        that name a place, or the name of a module that MLflow would import.
    """
    trip.need("text", where, "is text", "the policy does not list that format")
    trip.step(where, 1 + blob.size // 1024)
    if any(_PYTHON.search(block) for block in blob.blocks(overlap=64)):
        raise trip.refuse(where, "makes Python objects by YAML tags", "reading them can run anything")
    name = where.rpartition("!")[2].rpartition("/")[2]
    if name == "MLmodel" or name.endswith((".yaml", ".yml")):
        yamls.check(blob, where, trip)
    if blob.read(0, 64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        _check_json(blob, where, trip)
    if _REQUIREMENTS.fullmatch(name):
        _check_requirements(blob, where, trip)
    if name in _MODULES:
        _check_module(blob, where, trip, _MODULES[name])


def _check_json(blob: Blob, where: str, trip: Trip) -> None:
    if not any(_SUSPECT.search(block) for block in blob.blocks(overlap=64)):
        return
    if blob.size > MAX_JSON:
        raise trip.refuse(where, "names classes in JSON that is too large to be looked through", "it may name code")
    value = parse(blob.read(0, MAX_JSON).removeprefix(codecs.BOM_UTF8), where, trip)
    if isinstance(value, dict) and "auto_map" in value:
        trip.need_code(where, "names Python classes in auto_map", "transformers imports them")
    if isinstance(value, dict) and isinstance(value.get("class_name"), str) and "config" in value:
        keras.check_config(value, where, trip)


def _check_requirements(blob: Blob, where: str, trip: Trip) -> None:
    for block in blob.blocks(overlap=256):
        place = _PLACE.search(block.decode("utf-8", "replace"))
        if place and "foreign_requirements" not in trip.policy.formats:
            found = f"asks for packages from a place of its own ({place[0].strip()[:40]})"
            hint = allow_hint("formats foreign_requirements", "name packages and versions only")
            raise untrusted(where, found, "whoever installs them runs what lies there", hint)


def _check_module(blob: Blob, where: str, trip: Trip, allowed: set[str]) -> None:
    name = blob.read(0, MAX_MODULE_NAME).decode("utf-8", "replace")
    if name not in allowed:
        found = f"names the module {name[:100]}"
        raise trip.refuse(where, found, "MLflow imports it when it loads the model", f"expected {sorted(allowed)}")
