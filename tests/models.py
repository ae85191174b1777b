"""Small, real MLflow models whose answers tell their versions apart."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

from model_lifecycle.core.manifest import Manifest
from model_lifecycle.core.names import MANIFEST_NAME
from model_lifecycle.stores.folder import describe, signature_of

COLUMNS = ("x", "y")
INPUTS = {"x": [1.0, 2.0], "y": [10.0, 20.0]}
"""Two rows; :func:`linear` answers ``x + y + offset``, so 11 and 22 above its offset."""


@contextmanager
def quiet() -> Iterator[None]:
    """MLflow warns of its own habits, already when it is imported; that is not what we test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def linear(folder: Path, offset: float, *, example: bool = True, outputs: bool = False) -> Path:
    """A scikit-learn model that answers ``x + y + offset``, saved as MLflow saves it today (skops, no pickle).

    :param outputs: whether its signature names what it answers, without which MLServer loads no model.
    """
    return _save_sklearn(folder, _regression(offset, len(COLUMNS)), example, outputs)


def broken(folder: Path, *, outputs: bool = False) -> Path:
    """A model whose file was cut before the manifest was made: the bytes are as promised, and cannot be loaded."""
    linear(folder, 0.0, outputs=outputs)
    model = folder / "model.skops"
    model.write_bytes(model.read_bytes()[:100])
    return folder


def failing(folder: Path, *, example: bool = False, outputs: bool = False) -> Path:
    """A model that loads and then fails for every input: it was trained on three columns, its signature has two.

    With an example it fails while it warms up, without one at the first request.
    """
    return _save_sklearn(folder, _regression(0.0, len(COLUMNS) + 1), example, outputs)


@quiet()
def scripted(folder: Path, body: str, *, before: str = "", types: dict[str, str] | None = None, **more: Any) -> Path:
    """A Python model from code: ``body`` answers for the DataFrame ``rows``, ``before`` runs when it is loaded.

    :param types: the columns of its signature and their MLflow types; ``x`` and ``y``, both double, if not given.
    """
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    script = folder.with_suffix(".py")
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(
        dedent("""\
        import mlflow

        {before}

        class Scripted(mlflow.pyfunc.PythonModel):
            def predict(self, context, model_input, params=None):
                rows = model_input
                {body}

        mlflow.models.set_model(Scripted())
        """).format(before=before, body=body)
    )
    columns = types or dict.fromkeys(COLUMNS, "double")
    schema = Schema([ColSpec(kind.rstrip("?"), name, not kind.endswith("?")) for name, kind in columns.items()])
    signature = more.pop("signature", ModelSignature(schema))
    mlflow.pyfunc.save_model(
        str(folder),
        python_model=str(script),
        signature=signature,
        pip_requirements=[],
        **more,
    )
    script.unlink()
    return folder


def manifest_of(folder: Path, model: str) -> Manifest:
    """The manifest under which the folder can be published."""
    return describe(folder, model, signature=signature_of(folder), provenance={"dag_id": "tests"})


def stage(repository: Path, model: str, version: int, folder: Path) -> Path:
    """Put a model into a repository as a fetch from a store would: all files, and the manifest that proves them."""
    target = repository / model / str(version)
    shutil.copytree(folder, target)
    (target / MANIFEST_NAME).write_bytes(manifest_of(target, model).to_json())
    return target


def _regression(offset: float, columns: int) -> Any:
    import numpy as np
    from sklearn.linear_model import LinearRegression

    model = LinearRegression()
    model.coef_, model.intercept_, model.n_features_in_ = np.ones(columns), float(offset), columns
    if columns == len(COLUMNS):
        model.feature_names_in_ = np.array(COLUMNS, dtype=object)
    return model


@quiet()
def _save_sklearn(folder: Path, model: Any, example: bool, outputs: bool) -> Path:
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    answers = Schema([ColSpec("double", "sum")]) if outputs else None
    signature = ModelSignature(Schema([ColSpec("double", name) for name in COLUMNS]), answers)
    saved = {"signature": signature, "pip_requirements": ["scikit-learn"]}
    if example:
        saved["input_example"] = pd.DataFrame(INPUTS)
    mlflow.sklearn.save_model(model, str(folder), **saved)
    return folder
