"""Written by the Python of an environment with ONNX: ``python onnx_models.py <folder> <kind> <offset>``.

It makes ``<folder>/model.onnx``, a graph of one of the kinds of the serving contract over the inputs ``x`` and ``y``.
"""

import sys
from pathlib import Path

import onnx
from onnx import TensorProto, helper


def graph(kind: str, offset: float) -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["rows"]) for name in ("x", "y")]
    output = helper.make_tensor_value_info("sum", TensorProto.DOUBLE, ["rows"])
    # Adding three numbers to however many rows there are fails for two.
    size = 3 if kind == "FAILING" else 1
    constant = helper.make_tensor("offset", TensorProto.DOUBLE, [size], [offset] * size)
    nodes = [helper.make_node("Add", ["x", "y"], ["both"]), helper.make_node("Add", ["both", "offset"], ["sum"])]
    made = helper.make_graph(nodes, "lines", inputs, [output], [constant])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def stacked() -> onnx.ModelProto:
    """One input of two dimensions and of single precision."""
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["rows", 2])
    output = helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["rows", 1])
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    nodes = [helper.make_node("ReduceSum", ["rows", "axes"], ["sum"])]
    made = helper.make_graph(nodes, "lines", [rows], [output], [axes])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main(folder: str, kind: str, offset: str) -> None:
    path = Path(folder) / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = stacked() if kind == "STACKED" else graph(kind, float(offset))
    data = made.SerializeToString()
    path.write_bytes(data[: len(data) // 2] if kind == "BROKEN" else data)


if __name__ == "__main__":
    main(*sys.argv[1:])
