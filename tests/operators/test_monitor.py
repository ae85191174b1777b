from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.core.monitoring import Drift, Health, Quality
from model_lifecycle.core.profile import profile
from model_lifecycle.operators.monitor import MonitorModelOperator
from tests import models
from tests.operators.life import Life, context
from tests.operators.test_evaluate import data  # noqa: F401

CHECKS = [Health(), Quality("mae", tolerance=0.05), Drift()]


def monitor(life: Life, rows: str, **more: Any) -> dict[str, Any]:
    task = MonitorModelOperator(
        task_id="monitor", endpoint=life.endpoint, data=rows, target="label", store=life.store_uri,
        **{"checks": CHECKS, **more},
    )  # fmt: skip
    return task.execute(context("monitor"))


def verdicts(report: dict[str, Any]) -> dict[str, str]:
    return {one["check"]: one["verdict"] for one in report["measurements"]}


def test_the_live_version_is_compared_with_the_one_a_rollback_would_restore(life: Life, data):  # noqa: F811
    life.release(3.0, "run-1")
    life.release(2.0, "run-2")
    report = monitor(life, data)
    assert (report["verdict"], report["version"], report["compared_with"]) == ("PASS", 2, 1)
    life.roll_back()
    life.deploy(life.version(9.0), "run-3")
    report = monitor(life, data)
    assert (report["verdict"], report["version"], report["compared_with"]) == ("FAIL", 3, 1)


def test_a_version_that_fails_for_its_callers_is_sick_not_an_error(life: Life, data):  # noqa: F811
    def brittle(folder):
        return models.scripted(folder, "assert len(rows) < 100, 'too many'; return rows['x'] + rows['y']")

    source = brittle(life.folder / "brittle")
    life.deploy(life.register(life.upload(source)), inputs=models.INPUTS)
    report = monitor(life, data)
    assert report["verdict"] == "FAIL"
    assert verdicts(report)["health"] == "FAIL"
    assert "too many" in str(report["measurements"][0]["details"]["errors"])


def test_drift_against_the_versions_own_profile_is_reported_and_does_not_decide(life: Life, data):  # noqa: F811
    source = models.linear(life.folder / "model", 2.0)
    past = {"x": [float(i % 17) + 40 for i in range(800)], "y": [float(i % 5) for i in range(800)]}
    past["prediction"] = [x + y + 2 for x, y in zip(past["x"], past["y"], strict=True)]
    (source / "profile.json").write_bytes(profile(past).to_json())
    life.deploy(life.register(life.upload(source)))
    report = monitor(life, data)
    assert report["verdict"] == "PASS"
    assert report["drifted"] == ["feature_drift", "prediction_drift"]


def test_a_version_without_a_profile_is_monitored_without_drift(life: Life, data):  # noqa: F811
    life.release(2.0, "run-1")
    assert verdicts(monitor(life, data))["feature_drift"] == "NO_DATA"


def test_an_endpoint_where_nothing_serves_cannot_be_monitored(life: Life, data):  # noqa: F811
    life.version(1.0)
    with pytest.raises(AirflowFailException, match="nothing serves"):
        monitor(life, data)


def test_data_without_the_models_inputs_is_one_clear_error(life: Life, tmp_path):
    life.release(2.0, "run-1")
    pd.DataFrame({"x": [1.0], "label": [1.0]}).to_parquet(tmp_path / "short.parquet")
    with pytest.raises(AirflowFailException, match="lacks the model's inputs y"):
        monitor(life, str(tmp_path / "short.parquet"))
