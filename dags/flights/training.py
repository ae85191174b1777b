"""Train the model of late arrivals: the same months give the same folder, byte for byte.

The model is a logistic regression on binned and one-hot columns, saved by MLflow in the skops format with no type
trusted beyond what skops itself holds safe, so that whoever loads it runs nothing of ours and unpickles nothing. Trees
would gain half a point of AUC and lose that: skops cannot check their node indices.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from flights.data import FEATURES, TARGET, YEAR, month_files
from flights.reproducible import rewrite_skops
from model_lifecycle.core.examples import OUTPUT_FILE, output_example

if TYPE_CHECKING:
    import pandas as pd

FOLDS = 3


def train(
    months: Iterable[int | str],
    folder: str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    wrong_unit: bool = False,
    rows: int | None = None,
) -> str:
    """Train on these months of 2013 and save an MLflow model with its profile and example answers; replaces it at once.

    :param folder: where the model's files will lie.
    :param data: the folder of the months' tables, made where they are missing.
    :param wrong_unit: build the defect of the drill: this release learns, and is judged offline, on ``sched_hour`` in
        minutes, while callers go on sending hours. Offline it looks as good as any other.
    :param rows: train on this many rows, evenly spaced; all by default.
    :returns: the folder.
    :raises ValueError: if there is no month.
    """
    import pandas as pd

    chosen = sorted(int(month) for month in months)
    if not chosen:
        raise ValueError("there is no month to train on")
    files = month_files(chosen, data, wrong_unit=wrong_unit)
    table = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
    if rows is not None:
        table = table.iloc[:: max(1, len(table) // rows)].reset_index(drop=True)
    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=".training-") as aside:
        _save(table, Path(aside) / "model", chosen, wrong_unit=wrong_unit)
        shutil.rmtree(target, ignore_errors=True)
        (Path(aside) / "model").replace(target)
    return str(target)


def build_model() -> Any:
    """The untrained pipeline. One thread and no random number: it learns the same from the same rows."""
    import numpy as np
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, StandardScaler

    bins = {"subsample": None, "dtype": np.float64}
    tenths = KBinsDiscretizer(10, strategy="quantile", quantile_method="averaged_inverted_cdf", **bins)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", min_frequency=200), ["carrier", "origin", "dest", "weekday"]),
        (tenths, ["temp", "humid", "wind_speed", "pressure"]),
        (KBinsDiscretizer(18, strategy="uniform", **bins), ["sched_hour"]),
        (StandardScaler(), ["distance", "precip", "visib"]),
    )
    return make_pipeline(columns, LogisticRegression(C=0.05, max_iter=1000))


def _save(table: pd.DataFrame, folder: Path, months: list[int], *, wrong_unit: bool) -> None:
    from threadpoolctl import threadpool_limits

    features, labels = table[list(FEATURES)], table[TARGET]
    with threadpool_limits(1):  # sums in another order are other sums
        model = build_model().fit(features, labels)
        predictions = _unseen_predictions(features, labels)
        answers = model.predict_proba(features.head())
    _save_mlflow(model, folder, features.head(), months, wrong_unit=wrong_unit)
    (folder / OUTPUT_FILE).write_bytes(output_example({"probabilities": answers.tolist()}))
    _save_profile(features.assign(prediction=predictions), folder)


def _unseen_predictions(features: pd.DataFrame, labels: pd.Series) -> Any:
    """For each row the prediction of a model that has not seen it, nor any other row of its days."""
    from sklearn.model_selection import KFold, cross_val_predict

    return cross_val_predict(build_model(), features, labels, cv=KFold(FOLDS), method="predict_proba")[:, 1]


def _save_profile(columns: pd.DataFrame, folder: Path) -> None:
    from model_lifecycle.core.profile import profile

    (folder / "profile.json").write_bytes(profile(columns).to_json())


def _save_mlflow(model: Any, folder: Path, example: pd.DataFrame, months: list[int], *, wrong_unit: bool) -> None:
    import numpy as np

    mlflow = _mlflow()
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    inputs = Schema([ColSpec(kind, name) for name, kind in FEATURES.items()])
    outputs = Schema([TensorSpec(np.dtype(np.float64), (-1, 2))])
    # MLflow would write a random id and the time of day, and so make every training another artifact.
    identity = uuid5(NAMESPACE_URL, f"flights {YEAR} {months} {wrong_unit}")
    card = Model(model_uuid=identity.hex, utc_time_created=f"{YEAR}-{months[-1]:02}-28 00:00:00")
    mlflow.sklearn.save_model(
        model,
        folder,
        mlflow_model=card,
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
        signature=ModelSignature(inputs, outputs),
        input_example=example.set_axis(example.columns.astype(object), axis=1),  # as MLflow 3.17 compares them
        pip_requirements=_requirements(),
        pyfunc_predict_fn="predict_proba",
        metadata={"trained_on": [f"{YEAR}-{month:02}" for month in months]},
    )
    rewrite_skops(folder / "model.skops")
    card.model_size_bytes = (folder / "model.skops").stat().st_size
    card.save(folder / "MLmodel")


def _mlflow() -> Any:
    """MLflow with all it needs here, imported without the warnings that are no news in a task's log.

    skops looks every name up in every loaded module, which Airflow's deprecated names answer with warnings, and MLflow
    warns of its own type hints.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc
        import mlflow.sklearn
        import skops.io  # noqa: F401
    return mlflow


def _requirements() -> list[str]:
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "pandas", "scikit-learn", "skops")]
