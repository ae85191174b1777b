"""Artifacts that people have, made by the real libraries: none may be refused under the default policy."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import models
from tests.trust import raw

CORPUS: dict[str, Callable[[Path], object]] = {}


def good(build: Callable[[Path], object]) -> Callable[[Path], object]:
    CORPUS[build.__name__] = build
    return build


def files(**named: bytes) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        for name, data in named.items():
            path = folder / name.replace("__", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    return build


@good
def mlflow_with_an_example(folder: Path) -> None:
    models.linear(folder, 1.0)


@good
def mlflow_without_an_example(folder: Path) -> None:
    models.linear(folder, 1.0, example=False)


@good
def mlflow_with_code_of_no_use(folder: Path) -> None:
    """A model that fails when it predicts is not for the trust gate to find."""
    models.failing(folder)


@good
@models.quiet()
def the_flights_demo(folder: Path) -> None:
    """The pipeline of the demo: encoders, bins and a scaler before a logistic regression."""
    import mlflow.sklearn
    import pandas as pd
    from flights.data import FEATURES
    from flights.training import build_model

    from model_lifecycle.core.profile import profile

    rows = pd.DataFrame({name: _column(kind) for name, kind in FEATURES.items()})
    model = build_model()
    model.named_steps["columntransformer"].transformers[0][1].min_frequency = 1
    model.fit(rows, [0, 1] * 50)
    mlflow.sklearn.save_model(
        model,
        str(folder),
        serialization_format="skops",
        input_example=rows.head(),
        pyfunc_predict_fn="predict_proba",
        pip_requirements=["scikit-learn"],
    )
    (folder / "profile.json").write_bytes(profile(rows).to_json())


def _column(kind: str) -> list[Any]:
    return ["AA", "UA", "DL", "WN"] * 25 if kind == "string" else [float(n * 7 % 31) for n in range(100)]


@good
@models.quiet()
def plain_skops(folder: Path) -> None:
    """Estimators that skops itself holds safe, for text too."""
    import numpy as np
    import skops.io
    from sklearn.cluster import KMeans
    from sklearn.dummy import DummyClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.naive_bayes import GaussianNB
    from sklearn.preprocessing import FunctionTransformer
    from sklearn.svm import SVC

    rows, labels = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    fitted = [KMeans(2, n_init=1, random_state=0), LogisticRegression(), SGDClassifier(), GaussianNB(), SVC()]
    fitted += [DummyClassifier(random_state=np.random.RandomState(1))]
    folder.mkdir()
    for one in fitted:
        skops.io.dump(one.fit(rows, labels), folder / f"{type(one).__name__}.skops")
    skops.io.dump(FunctionTransformer(np.log1p).fit(rows), folder / "function.skops")
    skops.io.dump(TfidfVectorizer().fit(["a few words", "some more words"]), folder / "text.skops", compression=8)


@good
def numpy_files(folder: Path) -> None:
    import numpy as np

    folder.mkdir()
    record = np.zeros(3, dtype=[("a", "<f8"), ("b", "<i4", (2,)), ("c", "S5"), ("t", "<M8[ns]")])
    np.savez(folder / "a.npz", x=np.arange(3), text=np.array(["x", "yy"]), scalar=np.float32(1), record=record)
    np.savez_compressed(folder / "b.npz", zeros=np.zeros((100, 100)), empty=np.zeros((0, 3)))
    np.save(folder / "c.npy", np.asfortranarray(np.ones((2, 3), dtype=complex)))
    with (folder / "two.npy").open("wb") as out:
        np.save(out, np.arange(3))
        np.save(out, np.array(True))


@good
def safetensors_by_hand(folder: Path) -> None:
    tensors = {
        "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "b": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]},
        "none": {"dtype": "I64", "shape": [0, 4], "data_offsets": [22, 22]},
        "__metadata__": {"format": "pt"},
    }
    files(model__safetensors=raw.safetensors(tensors, b"\x80\x02cos" + b"\0" * 17))(folder)


@good
def safetensors_whose_length_begins_like_a_pickle(folder: Path) -> None:
    header = json.dumps({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).ljust(0x280).encode()
    files(model__safetensors=raw.safetensors(header, b"x"))(folder)


@good
def onnx_with_its_data_beside_it(folder: Path) -> None:
    own = raw.field(1, "Mine") + raw.field(10, "mine") + raw.field(7, raw.node("Relu"))
    tensors = (raw.external("weights.data"),)
    model = raw.onnx(raw.node("MatMul"), raw.node("Mine", "mine"), tensors=tensors, functions=(own,))
    (folder / "onnx").mkdir(parents=True)
    (folder / "onnx" / "model.onnx").write_bytes(model)
    (folder / "onnx" / "weights.data").write_bytes(struct.pack("<100f", *range(100)))
    mlmodel = {"flavors": {"onnx": {"data": "onnx/model.onnx", "providers": ["CPUExecutionProvider"]}}}
    mlmodel["flavors"]["python_function"] = {"loader_module": "mlflow.onnx", "data": "onnx/model.onnx"}
    (folder / "MLmodel").write_text(json.dumps(mlmodel))


@good
def boosters(folder: Path) -> None:
    """XGBoost as JSON and UBJSON, LightGBM as text, CatBoost by its first bytes, with the MLmodel of the first."""
    booster = {
        "learner": {"gradient_booster": {"trees": [[0.5, 1.5], []], "name": "gbtree"}, "n": 3},
        "version": [3, 0, 0],
    }
    flavors = {
        "xgboost": {"data": "model.json", "model_class": "xgboost.sklearn.XGBClassifier", "model_format": "json"},
        "python_function": {"loader_module": "mlflow.xgboost", "data": "model.json", "python_version": "3.11"},
    }
    files(
        model__json=json.dumps(booster).encode(),
        model__ubj=raw.ubjson(booster),
        lightgbm__txt=b"tree\nversion=v4\nnum_class=1\nfeature_names=a b\n\nTree=0\nleaf_value=0.1\n\nend of trees\n",
        model__cbm=b"CBM1" + struct.pack("<I", 40) + b"\x0c\0\0\0" * 12,
        MLmodel=json.dumps({"flavors": flavors}).encode(),
    )(folder)


@good
def tables(folder: Path) -> None:
    import pandas as pd

    rows = pd.DataFrame({"x": [1.5, 2.0], "name": ["a", "b"], "when": pd.to_datetime(["2013-01-01", "2013-02-01"])})
    folder.mkdir()
    rows.to_parquet(folder / "rows.parquet")
    rows.to_feather(folder / "rows.feather")
    rows.to_csv(folder / "rows.csv")
    rows.to_json(folder / "rows.json", orient="split", date_format="iso")
    rows.to_csv(folder / "rows.csv.gz")


@good
def text_that_begins_like_an_opcode(folder: Path) -> None:
    """Class labels, headers of tables and letters at the start of a line are opcodes to a pickle."""
    files(
        labels__txt=b"cat\ndog\nbird\n",
        table__csv=b"carrier,origin\nUA,EWR\n",
        counts__csv=b"count\n1\n2\n",
        Notes__md=b"In 2013 we trained.\n\nPlease read this.\nRun it.\n",
        names__txt="iläne\nüber\n(MARK)\ntext.\n".encode(),
        numbers__txt=b"I\n1\n2.\n",
        empty__txt=b"",
        dot__txt=b".",
        bom__json=b"\xef\xbb\xbf{}",
        MZ__txt=b"MZ is how a program begins\n" * 5,
        vocab__json=json.dumps({"class_name": 17, "config": 3, "auto": 4}).encode(),
        config__json=json.dumps({"architectures": ["BertModel"], "hidden_size": 8}).encode(),
    )(folder)


@good
def yaml_and_requirements(folder: Path) -> None:
    files(
        conda__yaml=b"channels: [conda-forge]\ndependencies:\n- pip:\n  - a>=1,<2; python_version > '3'\n",
        python_env__yaml=b"python: 3.11.7\nbuild_dependencies: [pip==26.3]\ndependencies:\n- -r requirements.txt\n",
        requirements__txt=b"mlflow==3.17.2\nscikit-learn[alldeps]~=1.9\n-c constraints.txt\n# see the docs\n",
        constraints__txt=b"numpy<3\n",
        settings__yaml=b"base: &b {lr: 0.1}\nrun:\n  <<: *b\n  when: 2013-01-01\n  n: !!int '3'\n",
    )(folder)


@good
def archives(folder: Path) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0" * 20 + zlib.compress(b"x")
    files(
        data__zip=raw.zipped({"a/b.txt": b"text", "c.json": b"{}", "a/": b"", "p.png": picture}, compression=8),
        data__tar=raw.tarred(("a.csv", b"x,y\n1,2\n"), ("b" * 150, b"long name")),
        data__tgz=_gz(raw.tarred(("./x/y.txt", b"z" * 5000))),
        curve__png=picture,
    )(folder)


def _gz(data: bytes) -> bytes:
    import gzip

    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as out:
        out.write(data)
    return buffer.getvalue()
