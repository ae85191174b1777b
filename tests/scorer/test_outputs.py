"""From what a model returns to tensors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from model_lifecycle.scorer.outputs import UnusablePrediction, to_tensors
from model_lifecycle.scorer.protocol import Tensor


@pytest.mark.parametrize(
    ("prediction", "datatype", "shape", "data"),
    [
        (np.array([1.5, 2.5]), "FP64", (2,), [1.5, 2.5]),
        (np.array([1.5], dtype="float32"), "FP32", (1,), [1.5]),
        (np.array([[1, 2], [3, 4]], dtype="int8"), "INT8", (2, 2), [1, 2, 3, 4]),
        (np.array([1], dtype="uint16"), "UINT16", (1,), [1]),
        (np.array([True]), "BOOL", (1,), [True]),
        (np.array(["a", "b"]), "BYTES", (2,), ["a", "b"]),
        (np.array(["a"], dtype=object), "BYTES", (1,), ["a"]),
        (np.array([1, 2], dtype=object), "INT64", (2,), [1, 2]),
        (np.array([1, 2.5], dtype=object), "FP64", (2,), [1, 2.5]),
        (np.array(["2013-01-31"], dtype="datetime64[D]"), "BYTES", (1,), ["2013-01-31"]),
        ([1, 2], "INT64", (2,), [1, 2]),
        (["a"], "BYTES", (1,), ["a"]),
        (1.5, "FP64", (1,), [1.5]),
        ("text", "BYTES", (1,), ["text"]),
        (pd.Series([1.5]), "FP64", (1,), [1.5]),
        (pd.Series(["a"]), "BYTES", (1,), ["a"]),
        (pd.Series(["a"], dtype="category"), "BYTES", (1,), ["a"]),
        (pd.Series(pd.to_datetime(["2013-01-31"])), "BYTES", (1,), ["2013-01-31"]),
        (np.zeros((0, 2)), "FP64", (0, 2), []),
    ],
)
def test_a_prediction_becomes_one_tensor(prediction, datatype, shape, data):
    assert to_tensors(prediction) == [Tensor("output", datatype, shape, data)]


def test_a_frame_becomes_one_tensor_per_column_and_a_dict_one_per_entry():
    expected = [Tensor("a", "INT64", (2,), [1, 2]), Tensor("1", "BYTES", (2,), ["x", "y"])]
    assert to_tensors(pd.DataFrame({"a": [1, 2], 1: ["x", "y"]})) == expected
    assert to_tensors({"a": [1, 2], 1: np.array(["x", "y"])}) == expected


@pytest.mark.parametrize(
    ("prediction", "match"),
    [
        ([1.0, float("nan")], "output 'output' holds NaN or infinity"),
        (np.array([[np.inf]]), "output 'output' holds NaN or infinity"),
        (pd.DataFrame({"p": [None, 1.0]}), "output 'p' holds NaN or infinity"),
        (["a", None], "holds None among texts"),
        ([object()], "among texts"),
        ([[1], [2, 3]], "rows of different lengths"),
        (np.array([1j]), "has the type complex128"),
        (np.array([1], dtype="longdouble"), "has the type"),
        ({}, "returned nothing"),
        (pd.DataFrame(), "returned nothing"),
        (None, "holds None among texts"),
    ],
)
def test_what_json_cannot_carry_is_the_models_fault(prediction, match):
    with pytest.raises(UnusablePrediction, match=match):
        to_tensors(prediction)
