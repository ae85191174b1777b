"""The example's model: the same months give the same bytes, it loads without trust, and its defect is real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pandas as pd
import pytest
import yaml
from flights import training
from flights.data import FEATURES, TARGET, month_table, months_before
from flights.training import train

from model_lifecycle.core.checks import Verdict
from model_lifecycle.core.drift import Finding, compare, judge_drift
from model_lifecycle.core.profile import Profile, profile
from model_lifecycle.core.quality import compare as compare_quality
from model_lifecycle.core.quality import measure

SAMPLE = 12_000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def models(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {
        "right": Path(train(months_before(6), root / "right", data, rows=SAMPLE)),
        "wrong": Path(train(months_before(6), root / "wrong", data, rows=SAMPLE, wrong_unit=True)),
        "older": Path(train(months_before(3), root / "older", data, rows=SAMPLE)),
    }


def answers(folder: Path, table: pd.DataFrame) -> Any:
    from mlflow import pyfunc

    return pyfunc.load_model(str(folder)).predict(table[list(FEATURES)])[:, 1]


def digests(folder: Path) -> dict[str, str]:
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_two_processes_train_the_same_bytes(tmp_path: Path, data: Path) -> None:
    script = "import sys; from flights.training import train; train([1], sys.argv[1], sys.argv[2], rows=3000)"
    subprocess.run(
        [sys.executable, "-c", script, tmp_path / "there", data],
        cwd=Path(training.__file__).parents[1],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        check=True,
        capture_output=True,
    )
    train([1], tmp_path / "here", data, rows=3000)
    assert digests(tmp_path / "here") == digests(tmp_path / "there")


def test_another_month_is_another_model(models: dict[str, Path]) -> None:
    assert digests(models["right"])["model.skops"] != digests(models["older"])["model.skops"]


def test_training_again_replaces_the_folder_and_leaves_nothing_beside_it(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "left-over").touch()
    for _ in range(2):
        assert train([1], folder, data, rows=2000) == str(folder)
    assert {"MLmodel", "model.skops", "profile.json", "serving_input_example.json"} <= set(digests(folder))
    assert "left-over" not in digests(folder)
    assert list(tmp_path.iterdir()) == [folder]


def test_nothing_to_learn_from_is_refused(tmp_path: Path, data: Path) -> None:
    with pytest.raises(ValueError, match="no month"):
        train([], tmp_path / "model", data)
    assert not (tmp_path / "model").exists()


def test_the_model_loads_without_trusting_any_type(models: dict[str, Path]) -> None:
    import skops.io

    assert skops.io.get_untrusted_types(file=models["right"] / "model.skops") == []
    flavor = yaml.safe_load((models["right"] / "MLmodel").read_text())["flavors"]["sklearn"]
    assert flavor["serialization_format"] == "skops"
    assert not flavor["skops_trusted_types"]


def test_the_card_names_what_a_caller_sends(models: dict[str, Path]) -> None:
    card = yaml.safe_load((models["right"] / "MLmodel").read_text())
    inputs = json.loads(card["signature"]["inputs"])
    assert {column["name"]: column["type"] for column in inputs} == FEATURES
    assert card["flavors"]["python_function"]["predict_fn"] == "predict_proba"
    assert card["metadata"]["trained_on"] == ["2013-01", "2013-02", "2013-03", "2013-04", "2013-05"]
    assert card["model_size_bytes"] == (models["right"] / "model.skops").stat().st_size


def test_the_archive_tells_neither_addresses_nor_the_time(models: dict[str, Path]) -> None:
    with ZipFile(models["right"] / "model.skops") as archive:
        names = archive.namelist()
        assert names == [f"{number}.npy" for number in range(len(names) - 1)] + ["schema.json"]
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_rewritten_model_answers_as_the_trained_one(tmp_path: Path) -> None:
    training._mlflow()
    import skops.io
    from flights.reproducible import rewrite_skops

    table = month_table(1).iloc[::20]
    model = training.build_model().fit(table[list(FEATURES)], table[TARGET])
    skops.io.dump(model, tmp_path / "model.skops")
    rewrite_skops(tmp_path / "model.skops")
    once = (tmp_path / "model.skops").read_bytes()
    loaded = skops.io.load(tmp_path / "model.skops", trusted=[])
    assert (loaded.predict_proba(table) == model.predict_proba(table)).all()
    rewrite_skops(tmp_path / "model.skops")
    assert (tmp_path / "model.skops").read_bytes() == once


def test_it_has_learnt_something_that_holds_next_month(models: dict[str, Path]) -> None:
    table = month_table(6)
    found = answers(models["right"], table)
    assert measure("roc_auc", table[TARGET], found).low > 0.7
    assert compare_quality("log_loss", table[TARGET], found).verdict is Verdict.PASS
    judged = compare_quality("log_loss", table[TARGET], found, answers(models["older"], table))
    assert judged.verdict is Verdict.PASS


def test_the_defect_is_invisible_offline_and_plain_to_callers(models: dict[str, Path]) -> None:
    offline, live = month_table(6, wrong_unit=True), month_table(6)
    right = answers(models["right"], live)
    assert answers(models["wrong"], offline) == pytest.approx(right, abs=1e-9)
    judged = compare_quality("log_loss", live[TARGET], answers(models["wrong"], live), right, margin=-0.05)
    assert judged.verdict is Verdict.FAIL


def test_the_profile_knows_the_features_and_the_predictions_on_unseen_rows(models: dict[str, Path]) -> None:
    reference = Profile.from_json((models["right"] / "profile.json").read_bytes())
    assert set(reference.columns) == {*FEATURES, "prediction"}
    assert reference.rows >= SAMPLE
    table = month_table(5)
    seen = profile(table[list(FEATURES)].assign(prediction=answers(models["right"], table)), edges_from=reference)
    assert seen.rows == len(table)
    assert seen.columns["carrier"].type == "string"
    assert seen.columns["weekday"].type == "integer"


def test_drift_finds_the_seasons_and_the_wrong_unit(models: dict[str, Path]) -> None:
    table = month_table(6)
    found = {}
    for name in ("right", "wrong"):
        reference = Profile.from_json((models[name] / "profile.json").read_bytes())
        columns = table[list(FEATURES)].assign(prediction=answers(models[name], table))
        drifts = compare(reference, profile(columns, edges_from=reference))
        found[name] = {drift.name for drift in drifts if drift.finding is Finding.DRIFTED}
        verdicts = {answer.check: answer.verdict for answer in judge_drift(drifts)}
        assert verdicts["feature_drift"] is Verdict.FAIL
        assert (verdicts["prediction_drift"] is Verdict.FAIL) == (name == "wrong")
    assert "temp" in found["right"]
    assert {"sched_hour", "carrier", "origin", "weekday"} & found["right"] == set()
    assert found["wrong"] - found["right"] == {"sched_hour", "prediction"}
