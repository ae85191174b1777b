"""Keras models: its own layers pass where the format is allowed, nothing that carries code ever does."""

from __future__ import annotations

import json

import pytest

from model_lifecycle.stores.formats import keras
from model_lifecycle.stores.formats.blob import Blob
from tests.trust import raw
from tests.trust.look import refusal

DENSE = {
    "module": "keras.layers",
    "class_name": "Dense",
    "config": {
        "units": 4,
        "dtype": {
            "module": "keras",
            "class_name": "DTypePolicy",
            "config": {"name": "float32"},
            "registered_name": None,
        },
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "GlorotUniform",
            "config": {},
            "registered_name": None,
        },
    },
    "registered_name": None,
    "build_config": {"input_shape": [None, 3]},
}
HDF5 = keras.HDF5 + b"\0" * 40


def test_its_own_layers_pass_where_the_format_is_allowed():
    data = raw.keras(DENSE)
    assert "formats keras" in str(refusal(data, "m.keras", "pickle"))
    assert refusal(data, "m.keras", "keras") is None


@pytest.mark.parametrize(
    "change",
    [
        {"class_name": "Lambda"},
        {"class_name": "TorchModuleWrapper"},
        {"class_name": "TFSMLayer"},
        {"class_name": "__lambda__"},
        {"class_name": "__typespec__"},
        {"class_name": "function"},
        {"class_name": 3},
        {"class_name": "get_file", "module": "keras.utils"},
        {"module": "os"},
        {"module": "keras.layers.."},
        {"module": "keras.utils"},
        {"module": "keras.config"},
        {"module": "kerasx.layers"},
        {"module": ["keras"]},
        {"registered_name": "Custom>Dense"},
        {"config": {"vocabulary": "/etc/passwd"}},
        {"config": {"deep": [{"x": {"class_name": "Lambda"}}]}},
    ],
)
def test_what_carries_code_or_reads_files_is_refused(change):
    assert refusal(raw.keras({**DENSE, **change}), "m.keras", "keras, code, pickle") is not None


def test_an_hdf5_file_is_found_wherever_it_may_begin():
    for front in (0, 512, 1024, 2048):
        assert "HDF5" in str(refusal(b"\0" * front + HDF5))
        assert refusal(b"\0" * front + HDF5, words="keras") is None
    assert not keras.looks_hdf5(Blob.of_bytes(b"\0" * 100 + HDF5))


@pytest.mark.parametrize("name", ["Lambda", "os.system", "lower", ""])
def test_names_in_an_hdf5_file_are_held_to_the_same(name):
    config = json.dumps({"config": {"layers": [{"class_name": "Dense"}, {"class_name": name}]}}).encode()
    assert "layer of class" in str(refusal(HDF5 + config, words="keras"))
    assert refusal(HDF5 + config.replace(name.encode() + b'"}]', b'Dense"}]'), words="keras") is None or name == ""


def test_a_name_that_is_hidden_by_escapes_or_lies_between_two_blocks_is_found():
    assert "escapes" in str(refusal(HDF5 + b'{"class_name": "\\u004cambda"}', words="keras"))
    front = b"\0" * ((1 << 20) - len(HDF5) - 8)
    assert "Lambda" in str(refusal(HDF5 + front + b'"class_name": "Lambda"', words="keras"))
