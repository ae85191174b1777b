from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.operators.evaluate import EvaluateModelOperator
from model_lifecycle.operators.upload import UploadModelOperator
from tests import models
from tests.operators.life import Life, context

ROWS = 800


@pytest.fixture
def data(tmp_path) -> str:
    """Labels that are x + y + 2 and a little: the model with offset 2 is right."""
    table = pd.DataFrame({"x": [float(i % 17) for i in range(ROWS)], "y": [float(i % 5) for i in range(ROWS)]})
    table["label"] = table["x"] + table["y"] + 2 + [((i * 7919) % 11 - 5) / 50 for i in range(ROWS)]
    table.to_parquet(tmp_path / "newest.parquet")
    return str(tmp_path / "newest.parquet")


def evaluate(life: Life, uri: str, data: str, **more: Any) -> dict[str, Any]:
    task = EvaluateModelOperator(
        task_id="evaluate", model_uri=uri, data=data, target="label", metric="mae", store=life.store_uri, **more
    )
    return task.execute(context("evaluate"))


def test_a_candidate_that_is_better_than_the_champion_passes_and_a_worse_one_fails(life: Life, data):
    life.release(3.0, "run-1")
    better, worse = life.version(2.0), life.version(9.0)
    report = evaluate(life, better, data)
    assert (report["verdict"], report["champion"]) == ("PASS", f"models:/{life.model}/1")
    assert report["measurements"][0]["details"]["improvement"] > 0.5
    assert evaluate(life, worse, data)["verdict"] == "FAIL"


def test_without_a_champion_the_candidate_must_beat_the_constant_prediction(life: Life, data):
    assert evaluate(life, life.version(2.0), data)["verdict"] == "PASS"
    assert evaluate(life, life.version(500.0), data)["verdict"] == "FAIL"


def test_an_equal_candidate_is_not_an_improvement_of_the_margin_asked_for(life: Life, data):
    life.release(2.0, "run-1")
    assert evaluate(life, life.version(2.001), data, margin=0.05)["verdict"] == "FAIL"


def test_the_champion_itself_passes_when_the_task_is_cleared(life: Life, data):
    uri = life.release(2.0, "run-1")
    assert "is the champion already" in evaluate(life, uri, data)["reason"]


def test_a_cleared_task_comes_to_its_old_verdict_after_the_champion_has_changed(life: Life, data):
    life.release(3.0, "run-1")
    winner, loser = life.version(2.5), life.version(9.0)
    before = [evaluate(life, uri, data) for uri in (winner, loser)]
    life.release(2.0, "run-2")
    assert [evaluate(life, uri, data) for uri in (winner, loser)] == before
    assert [report["verdict"] for report in before] == ["PASS", "FAIL"]


def test_a_cleared_first_task_still_has_no_champion_to_beat(life: Life, data):
    first = life.version(3.0)
    before = evaluate(life, first, data)
    life.release(2.0, "run-2")
    assert evaluate(life, first, data) == before
    assert before["champion"] is None


def test_data_that_a_version_was_trained_on_is_refused(life: Life, data):
    source = models.linear(life.folder / "cheat", 2.0)
    task = UploadModelOperator(
        task_id="upload", model_name=life.model, source=str(source), store=life.store_uri, training_data=[data]
    )
    uri = life.register(task.execute(context("upload")))
    with pytest.raises(AirflowFailException, match="was trained on"):
        evaluate(life, uri, data)


@pytest.mark.parametrize(("change", "text"), [
    ({"target": "nothing"}, "no column nothing"), ({"data": "gone.parquet"}, "cannot be read"),
    ({"metric": "beauty"}, "beauty"), ({"champion": "models:/other@champion"}, "other"),
])  # fmt: skip
def test_a_bad_question_is_one_clear_error(life: Life, data, change, text):
    arguments = {"model_uri": life.version(2.0), "data": data, "target": "label", "metric": "mae", **change}
    task = EvaluateModelOperator(task_id="evaluate", store=life.store_uri, **arguments)
    with pytest.raises(AirflowFailException, match=text):
        task.execute(context("evaluate"))
