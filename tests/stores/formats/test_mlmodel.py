"""MLmodel: the loaders and settings that MLflow itself writes pass, and every other is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_lifecycle.core.errors import Untrusted
from model_lifecycle.stores.formats import mlmodel
from model_lifecycle.stores.formats.blob import Blob
from tests import models
from tests.trust.look import trip


def refused(value: Any, words: object = "") -> str | None:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    try:
        mlmodel.check(Blob.of_bytes(data), "MLmodel", trip(words))
    except Untrusted as error:
        return str(error)
    return None


def python_function(**settings: Any) -> dict[str, Any]:
    return {"flavors": {"python_function": {"loader_module": "mlflow.sklearn", **settings}}}


def test_what_mlflow_writes_passes(tmp_path: Path):
    models.linear(tmp_path / "m", 1.0)
    assert refused((tmp_path / "m" / "MLmodel").read_bytes()) is None


def test_other_keys_at_the_top_are_tolerated():
    assert refused({**python_function(), "run_id": "x", "metadata": {"path": "../x"}, "new_key": [1]}) is None


@pytest.mark.parametrize("loader", ["evil", "mlflow.langchain", "os", "mlflow.sklearn.evil", None, 3, ""])
def test_another_loader_is_refused(loader):
    assert refused(python_function(loader_module=loader), "code, pickle") is not None


def test_a_loader_of_our_own_can_be_allowed():
    assert refused(python_function(loader_module="ours.loader"), {"loader_modules": ["ours.loader"]}) is None
    assert refused({"flavors": {"spark": {}}}, {"flavors": ["spark"]}) is None


@pytest.mark.parametrize("words", ["", "pickle", "code"])
def test_python_models_need_code_or_pickles(words):
    code = python_function(loader_module="mlflow.pyfunc.loaders.code_model", model_code_path="/home/me/model.py")
    both = python_function(loader_module="mlflow.pyfunc.model", model_code_path="model.py")
    pickled = python_function(loader_module="mlflow.pyfunc.model", python_model="python_model.pkl")
    assert (refused(code, words) is None) is (words == "code")
    assert (refused(both, words) is None) is (words == "code")
    assert (refused(pickled, words) is None) is (words == "pickle")


@pytest.mark.parametrize("key", ["code", "code_path", "code_paths", "model_code_path"])
def test_code_in_any_flavor_needs_the_word(key):
    value = {"flavors": {"sklearn": {key: "code"}}}
    assert "brings code" in str(refused(value))
    assert refused(value, "code") is None
    assert refused({"flavors": {"sklearn": {key: None}}}) is None


@pytest.mark.parametrize(
    "place", ["../x", "a/../../x", "/etc/passwd", "~/x", "C:\\x", "file:///x", "s3://a/b", "..", "..\\x"]
)
def test_no_place_outside_is_named(place):
    for settings in ({"data": place}, {"env": {"conda": place}}, {"artifacts": {"a": {"path": place}}}, {"x": [place]}):
        assert "leads out" in str(refused(python_function(**settings), "code, pickle"))
    assert "leads out" in str(refused({**python_function(), "saved_input_example_info": {"artifact_path": place}}))
    assert refused(python_function(artifacts={"a": {"path": "artifacts/a", "uri": place}})) is None


@pytest.mark.parametrize(
    ("flavor", "settings", "allowed"),
    [
        ("sklearn", {"serialization_format": "skops"}, True),
        ("sklearn", {"serialization_format": "cloudpickle"}, False),
        ("sklearn", {"serialization_format": "dill"}, False),
        ("sklearn", {"skops_trusted_types": ["sklearn.svm._classes.SVC"]}, True),
        ("sklearn", {"skops_trusted_types": ["os.system"]}, False),
        ("sklearn", {"pickled_model": "model.joblib"}, False),
        ("xgboost", {"model_class": "xgboost.sklearn.XGBRegressor"}, True),
        ("xgboost", {"model_class": "os.system"}, False),
        ("xgboost", {"model_class": "xgboost.sklearn.os"}, False),
        ("lightgbm", {"model_class": "lightgbm.basic.Booster"}, True),
        ("lightgbm", {"model_class": ["lightgbm.basic.Booster", "os.system"]}, False),
        ("onnx", {"providers": ["CUDAExecutionProvider", "CPUExecutionProvider"]}, True),
        ("onnx", {"providers": [["QNNExecutionProvider", {"backend_path": "x"}]]}, False),
        ("onnx", {"providers": ["evil.so"]}, False),
        ("onnx", {"onnx_session_options": {"execution_mode": "parallel"}}, True),
        ("onnx", {"onnx_session_options": {"extra_session_config": {"a": "b"}}}, False),
        ("tensorflow", {"keras_module": "tensorflow.keras"}, True),
        ("tensorflow", {"keras_module": "os"}, False),
        ("python_function", {"loader_module": "mlflow.sklearn", "predict_fn": "predict_proba"}, True),
        ("python_function", {"loader_module": "mlflow.sklearn", "predict_fn": "__reduce__"}, False),
        ("langchain", {}, False),
        ("sklearn", [], True),
        ("sklearn", ["x"], False),
    ],
)
def test_settings_that_mlflow_acts_on_are_held_to_lists(flavor, settings, allowed):
    assert (refused({"flavors": {flavor: settings}}) is None) is allowed


@pytest.mark.parametrize("data", [b"", b"[]", b"flavors: []", b"flavors:", b"flavors: *x", b"{", b"\xff"])
def test_what_is_no_mlmodel_is_refused(data):
    assert refused(data) is not None
