"""What a version may hold: the trust policy (Law 11), an allow-list of formats, flavors, loaders and names.

The policy only says what is allowed. :mod:`model_lifecycle.stores.trust` reads an artifact's files by it, without
loading any.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_lifecycle.core.errors import Invalid, Untrusted
from model_lifecycle.core.trusted_types import (
    CLOUDPICKLE_GLOBALS,
    PICKLE_GLOBALS,
    SKOPS_TYPES,
    TORCHSCRIPT_GLOBALS,
    is_data_type,
)

FORMATS: Mapping[str, str] = {
    "text": "UTF-8 text: JSON, CSV, YAML without Python objects, the text models of LightGBM and XGBoost",
    "numpy": ".npy and .npz arrays of numbers and strings",
    "skops": "scikit-learn models in the skops format whose types are on the allow-list",
    "onnx": "ONNX graphs with standard operators, their external data inside the artifact",
    "safetensors": "safetensors",
    "ubjson": "UBJSON, XGBoost's binary model",
    "catboost": "CatBoost's binary model",
    "parquet": "Parquet",
    "arrow": "Arrow files and Feather",
    "image": "PNG and JPEG",
    "archive": "zip, tar, gzip, bzip2 and xz of files that are allowed themselves",
    "pickle": "pickles, joblib and torch checkpoints whose names are on the allow-list",
    "torchscript": "TorchScript archives",
    "keras": "Keras models (.keras, HDF5) of Keras's own layers",
    "tensorflow_saved_model": "TensorFlow's SavedModel without operators that run Python or touch files",
    "foreign_requirements": "requirements that name a place to install from: an index, a URL, a repository",
    "unknown": "binary files of no format that is known here",
}
"""Every format by its name in a policy."""
_SAFE = "text numpy skops onnx safetensors ubjson catboost parquet arrow image archive"
SAFE_FORMATS = frozenset(_SAFE.split())
"""Formats that hold data only, so that loading them runs nothing they bring."""

_FLAVORS = "python_function sklearn onnx xgboost lightgbm catboost pytorch tensorflow keras"
KNOWN_FLAVORS = frozenset(_FLAVORS.split())
"""MLflow flavors whose ``MLmodel`` entries are understood; others may name code in keys that nobody here looks at."""
KNOWN_LOADERS = frozenset(
    f"mlflow.{name}"
    for name in ("catboost", "keras", "lightgbm", "onnx", "pytorch", "sklearn", "tensorflow", "xgboost")
)
"""Values of ``loader_module`` that load a model's files and nothing else."""
CODE_LOADERS = frozenset({"mlflow.pyfunc.loaders.code_model", "mlflow.pyfunc.model"})
"""Values of ``loader_module`` that run the artifact's own Python; the second one may load a pickle instead."""

_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_PATTERN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(\.\*)?")
_CLASS = re.compile(r"_*[A-Z]\w*")
_LISTS = ("formats", "flavors", "loader_modules", "globals")


@dataclass(frozen=True)
class TrustPolicy:
    """What the files of a version may be and may name. The default allows no format that can run code when loaded.

    :param formats: names out of :data:`FORMATS`.
    :param flavors: the flavors that ``MLmodel`` may list.
    :param loader_modules: the values that its ``loader_module`` may have, beside :data:`CODE_LOADERS`, which follow
        ``code`` and the format ``pickle``.
    :param code: whether Python files, scripts and native libraries may lie in the artifact.
    :param globals: names that pickles and skops files may use beside the built-in list: ``package.module.name``, or
        ``package.*`` for everything below whose last part is written like a class. A function must be named in full.
    :raises Invalid: if a format is not known or a name is no dotted name.
    """

    formats: frozenset[str] = SAFE_FORMATS
    flavors: frozenset[str] = KNOWN_FLAVORS
    loader_modules: frozenset[str] = KNOWN_LOADERS
    code: bool = False
    globals: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in _LISTS:
            object.__setattr__(self, name, _words(getattr(self, name), name))
        if type(self.code) is not bool:
            raise Invalid(f"trust: code is true or false, not {ascii(self.code)[:100]}")
        if unknown := self.formats - FORMATS.keys():
            raise _unknown("format", sorted(unknown)[0], sorted(FORMATS))
        for name, rule in (("loader_modules", _NAME), ("globals", _PATTERN)):
            for word in sorted(getattr(self, name)):
                if not rule.fullmatch(word):
                    hint = "write package.module.name" + (" or package.*" if name == "globals" else "")
                    raise Invalid(f"trust: {ascii(word)[:100]} in {name} is no dotted name", hint=hint)

    @classmethod
    def parse(cls, value: object) -> TrustPolicy:
        """Read a policy as a connection, an argument or the configuration gives it.

        :param value: None or ``""`` for the default; words such as ``"pickle, torchscript, code"``; or a mapping, also
            as a string of JSON, with any of ``formats``, ``flavors``, ``loader_modules``, ``globals`` (lists of words)
            and ``code`` (true or false). Lists are added to the defaults; with ``"exact": true`` they are all there is.
        :raises Invalid: if anything in it is not known.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            value = _from_text(value)
        if value is None:
            return cls()
        if not isinstance(value, Mapping):
            raise Invalid(f"trust: expected words or a mapping, not {type(value).__name__}", hint=_HINT)
        fields = dict(value)
        exact, code = fields.pop("exact", False), fields.pop("code", False)
        if type(exact) is not bool:
            raise Invalid(f"trust: exact is true or false, not {ascii(exact)[:100]}")
        if unknown := sorted(map(str, fields.keys() - set(_LISTS))):
            raise _unknown("key", unknown[0], [*_LISTS, "code", "exact"])
        given = {name: _words(words, name) for name, words in fields.items()}
        policy = cls(code=code, **given)
        return policy if exact else cls(code=code, **{name: given[name] | _DEFAULTS[name] for name in given})

    def to_dict(self) -> dict[str, Any]:
        """The policy as JSON values that :meth:`parse` reads back to an equal one."""
        return {**{name: sorted(getattr(self, name)) for name in _LISTS}, "code": self.code, "exact": True}

    def allows_skops_type(self, name: str) -> bool:
        """Tell whether a skops file may name this type or function."""
        return name in SKOPS_TYPES or is_data_type(name) or self._named(name)

    def allows_global(self, module: str, name: str) -> bool:
        """Tell whether a pickle may name ``name`` in ``module``.

        A dotted name reaches through attributes to anywhere, such as ``os`` inside a harmless package: only one that
        the policy lists in full is allowed.
        """
        full = f"{module}.{name}"
        if "." in name or not _NAME.fullmatch(full):
            return full in self.globals
        if full in PICKLE_GLOBALS or is_data_type(full):
            return True
        if "torchscript" in self.formats and (
            full in TORCHSCRIPT_GLOBALS or module.split(".", maxsplit=1)[0] == "__torch__"
        ):
            return True
        if module.startswith("torch.nn.modules.") and _CLASS.fullmatch(name):
            return True
        return (self.code and full in CLOUDPICKLE_GLOBALS) or self._named(full)

    def _named(self, full: str) -> bool:
        if full in self.globals:
            return True
        parts = full.split(".")
        if not _CLASS.fullmatch(parts[-1]):
            return False
        return any(".".join([*parts[:depth], "*"]) in self.globals for depth in range(1, len(parts)))


_HINT = 'write words such as "pickle, torchscript", or {"formats": ["pickle"], "globals": ["package.Type"]}'
_DEFAULTS = {"formats": SAFE_FORMATS, "flavors": KNOWN_FLAVORS, "loader_modules": KNOWN_LOADERS, "globals": frozenset()}


def untrusted(where: str, found: str, why: str, hint: str) -> Untrusted:
    """The refusal of one file: which, what was found in it, why that matters and what to do next."""
    return Untrusted(f"{_shown(where)} {found}: {why}", hint=hint)


def allow_hint(what: str, instead: str = "") -> str:
    """What to do about something refused: another way to save it, or the policy's word that lets it through."""
    allow = f"if you trust where it comes from, allow it in the trust policy: {what}"
    return f"{instead}; {allow}" if instead else allow


def _shown(text: str) -> str:
    return ascii(text)[1:-1][:300]


def _from_text(text: str) -> object:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Invalid(f"trust: not JSON: {error}", hint=_HINT) from error
    words = {word.strip() for word in text.split(",")} - {""}
    return {"formats": sorted(words - {"code"}), "code": "code" in words} if words else None


def _words(value: object, name: str) -> frozenset[str]:
    if isinstance(value, str) or not isinstance(value, frozenset | set | list | tuple):
        raise Invalid(f"trust: {name} is a list of words, not {ascii(value)[:100]}", hint=_HINT)
    if wrong := [word for word in value if not isinstance(word, str) or not word]:
        raise Invalid(f"trust: {name} holds {ascii(wrong[0])[:100]}, which is no word", hint=_HINT)
    return frozenset(value)


def _unknown(what: str, word: str, known: list[str]) -> Invalid:
    return Invalid(f"trust: unknown {what} {ascii(word)[:100]}", hint=f"known are {', '.join(known)}")
