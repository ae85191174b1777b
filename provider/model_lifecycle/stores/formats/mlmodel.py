"""MLflow's ``MLmodel``: which code would load the model, from which files, with which settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.core.trust import CODE_LOADERS, allow_hint, untrusted
from model_lifecycle.stores.formats import yamls
from model_lifecycle.stores.formats.blob import Blob
from model_lifecycle.stores.formats.trip import Trip

CODE_MODEL = "mlflow.pyfunc.loaders.code_model"
_PREDICT = frozenset(
    {
        "predict",
        "predict_proba",
        "predict_log_proba",
        "predict_joint_log_proba",
        "score",
        "transform",
        "decision_function",
    }
)
_BOOSTERS = re.compile(
    r"(xgboost\.(core\.Booster|sklearn\.XGB[A-Z]\w+)|lightgbm\.(basic\.Booster|sklearn\.LGBM[A-Z]\w+)|catboost\.core\.CatBoost\w*)"
)
_KERAS_MODULES = frozenset({"keras", "tensorflow.keras", "tf_keras"})
_SAFE_SERIALIZATION = frozenset({"skops", "json", "ubj", "onnx", "cbm", "keras", "tf", "h5", "pt2"})
_PROVIDERS = re.compile(r"[A-Z][A-Za-z0-9]{1,40}ExecutionProvider")
_CODE_KEYS = frozenset({"code", "code_path", "code_paths", "code_dir", "model_code_path"})
_URI_KEYS = frozenset({"uri", "model_code_path"})
"""Keys whose value says where something came from; nothing is read from there."""
_OUTSIDE = re.compile(r"[/\\~]|[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]*:/")


def check(blob: Blob, where: str, trip: Trip) -> None:
    """Hold an ``MLmodel`` to the flavors, loaders and settings of the policy.

    Other keys at the top are tolerated: MLflow reads them into a record and runs nothing by them.

    :raises Untrusted: if it lists another flavor or loader, brings code, leads out of its folder, or names a class.
    """
    value = yamls.load(blob, where, trip)
    flavors = value.get("flavors") if isinstance(value, dict) else None
    if not isinstance(flavors, dict):
        raise trip.refuse(where, "lists no flavors", "nobody can say how MLflow would load it")
    for name, settings in flavors.items():
        if name not in trip.policy.flavors:
            hint = allow_hint(f"flavors {name}", "save the model with a flavor that is known to hold data only")
            raise untrusted(where, f"lists the flavor {name}", "what it loads by is not looked at here", hint)
        _check_flavor(name, settings or {}, where, trip)
    _check_places(value.get("saved_input_example_info"), where, trip)


def _check_flavor(flavor: str, settings: Any, where: str, trip: Trip) -> None:
    if not isinstance(settings, dict):
        raise trip.refuse(where, f"gives {flavor} no mapping of settings", "nobody can say how it loads")
    _check_places(settings, where, trip)
    for key in sorted(_CODE_KEYS & settings.keys()):
        if settings[key]:
            trip.need_code(where, f"brings code ({key}: {settings[key]})", "it runs when the model is loaded")
    if flavor == "python_function":
        _check_loader(settings, where, trip)
    for key, check_setting in _SETTINGS.items():
        if settings.get(key) is not None:
            check_setting(settings[key], where, trip)


def _check_loader(settings: dict[str, Any], where: str, trip: Trip) -> None:
    loader = settings.get("loader_module")
    found = f"is loaded by {loader}"
    if not isinstance(loader, str):
        raise trip.refuse(where, "names no loader_module", "nobody can say how MLflow would load it")
    if loader in CODE_LOADERS:
        if loader == CODE_MODEL or settings.get("model_code_path"):
            trip.need_code(where, found, "it runs the model's own Python")
        else:
            why = "it unpickles a Python object and runs it"
            trip.need("pickle", where, found, why, "save the model with the flavor of its own library")
    elif loader not in trip.policy.loader_modules:
        hint = allow_hint(f"loader_modules {loader}", "save the model with a flavor of MLflow")
        raise untrusted(where, found, "MLflow imports that module and calls it", hint)


def _check_places(value: Any, where: str, trip: Trip) -> None:
    for key, text in _strings(value):
        if key in _URI_KEYS:
            continue
        if text.endswith(".joblib"):
            raise trip.refuse(where, f"loads {text}", "MLflow unpickles it in another way than joblib does")
        if _OUTSIDE.match(text) or ".." in re.split(r"[/\\]", text):
            raise trip.refuse(
                where, f"leads out of the artifact ({key}: {text})", "what lies there was never looked at"
            )


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, key)


def _one_of(allowed: Callable[[str, Trip], bool], what: str, why: str) -> Callable[[Any, str, Trip], None]:
    def check_setting(value: Any, where: str, trip: Trip) -> None:
        for word in value if isinstance(value, list) else [value]:
            if not isinstance(word, str) or not allowed(word, trip):
                raise _setting(where, what, word, why)

    return check_setting


def _setting(where: str, what: str, word: Any, why: str) -> Untrusted:
    return untrusted(where, f"sets {what} to {str(word)[:200]}", why, allow_hint(f"globals {word}"))


def _check_serialization(value: Any, where: str, trip: Trip) -> None:
    if value not in _SAFE_SERIALIZATION:
        instead = 'save it with serialization_format="skops"'
        trip.need("pickle", where, f"is serialized as {value}", "it is unpickled, which can run anything", instead)


def _check_session(value: Any, where: str, trip: Trip) -> None:
    if isinstance(value, dict) and value.get("extra_session_config"):
        trip.need_code(where, "sets extra_session_config of ONNX Runtime", "it can load libraries")


_IMPORTED = "it is imported when the model is loaded"
_SETTINGS: dict[str, Callable[[Any, str, Trip], None]] = {
    "serialization_format": _check_serialization,
    "onnx_session_options": _check_session,
    "providers": _one_of(
        lambda word, _: bool(_PROVIDERS.fullmatch(word)), "providers", "its options can name libraries"
    ),
    "model_class": _one_of(
        lambda word, trip: bool(_BOOSTERS.fullmatch(word)) or word in trip.policy.globals, "model_class", _IMPORTED
    ),
    "keras_module": _one_of(lambda word, _: word in _KERAS_MODULES, "keras_module", _IMPORTED),
    "predict_fn": _one_of(lambda word, _: word in _PREDICT, "predict_fn", "any method could be called by it"),
    "skops_trusted_types": _one_of(
        lambda word, trip: trip.policy.allows_skops_type(word), "skops_trusted_types", "skops would make it"
    ),
}
