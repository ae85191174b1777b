"""ONNX models on ONNX Runtime, which must be installed in the server's Python.

A graph whose inputs are called as the columns gets each column as an input of its own; a graph with one input gets all
columns as one tensor of two dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model_lifecycle.handlers.columns import name_of
from model_lifecycle.handlers.worker import Predict, Worker

TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


def open_model(file: Path, specs: Sequence[Mapping[str, Any]], context: Any) -> Predict:
    """Load a graph onto the CPU."""
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the server runs as many workers as it wants threads
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    taken, made = session.get_inputs(), [output.name for output in session.get_outputs()]
    columns_of_their_own = {one.name for one in taken} == {name_of(spec) for spec in specs}
    if not columns_of_their_own and len(taken) != 1:
        raise ValueError(f"the graph takes {[one.name for one in taken]}, the signature names other inputs")

    def feed(columns: Sequence[Sequence[Any]]) -> dict[str, Any]:
        if not columns_of_their_own:
            rows = columns[0] if specs[0]["type"] == "tensor" else list(zip(*columns))
            return {taken[0].name: numpy.array(rows, dtype=TYPES[taken[0].type])}
        given = dict(zip(map(name_of, specs), columns))
        arrays = {one.name: numpy.array(given[one.name], dtype=TYPES[one.type]) for one in taken}
        return {one.name: _shaped(arrays[one.name], len(one.shape)) for one in taken}

    def predict(columns: Sequence[Sequence[Any]]) -> Sequence[tuple[str | None, Any]]:
        found = zip(made, session.run(made, feed(columns)))
        return [(name, value.tolist() if hasattr(value, "tolist") else value) for name, value in found]

    return predict


def _shaped(array: Any, dimensions: int) -> Any:
    return array.reshape(-1, 1) if dimensions == 2 and array.ndim == 1 else array


handle = Worker(open_model)
