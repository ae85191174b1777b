from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.core.monitoring import Drift, Health, Quality
from model_lifecycle.core.profile import profile
from model_lifecycle.operators.monitor import MonitorModelOperator
from model_lifecycle.stores.local import LocalFilesystem
from tests import models
from tests.operators.life import Life, context
from tests.operators.test_evaluate import data  # noqa: F401

with models.quiet():  # MLflow warns of itself while the scorer's modules import it
    from model_lifecycle.scorer.log_tables import Record
    from model_lifecycle.scorer.metrics import Metrics
    from model_lifecycle.scorer.prediction_log import LogSettings, PredictionLog
    from model_lifecycle.scorer.protocol import Tensor

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


# Predictions that were logged, joined with labels that came later.


def logged(life: Life, version: int, offset: float, count: int = 700, first: int = 0) -> pd.DataFrame:
    """A version's log in the task's own store, in the window of the test's context, and the labels of all its rows."""
    ids = [f"v{version}-{number}" for number in range(first, first + count)]
    x = [float(number % 17) for number in range(count)]
    records = [
        Record(
            life.model, version, name, datetime(2013, 2, 1, number % 24, tzinfo=UTC), (("x", "FP64"), ("y", "FP64")),
            (Tensor("x", "FP64", (1,), [value]), Tensor("y", "FP64", (1,), [1.0])),
            (Tensor("output", "FP64", (1,), [value + 1 + offset]),),
        )
        for number, (name, value) in enumerate(zip(ids, x, strict=True))
    ]  # fmt: skip
    log = PredictionLog(LogSettings("here", 1.0, rows=100), LocalFilesystem(life.folder / "store"), Metrics(lambda: []))
    log.start()
    for record in records:
        log.offer(record)
    log.close(60)
    truth = [value + 3 + ((number * 7919) % 11 - 5) / 50 for number, value in enumerate(x)]
    return pd.DataFrame({"request_id": ids, "label": truth})


def monitor_log(life: Life, labels: pd.DataFrame | None, **more: Any) -> dict[str, Any]:
    path = life.folder / "labels.parquet"
    if labels is not None:
        labels.to_parquet(path)
    given = {
        "predictions": "log://",
        "labels": str(path) if labels is not None else None,
        "checks": [Quality("mae", tolerance=0.05)],
    }
    task = MonitorModelOperator(
        task_id="monitor", endpoint=life.endpoint, target="label", store=life.store_uri, **{**given, **more}
    )
    return task.execute(context("monitor"))


def test_labels_that_came_later_judge_what_was_logged(life: Life):
    life.release(3.0, "run-1")
    life.release(2.0, "run-2")
    labels = pd.concat([logged(life, 1, 3.0), logged(life, 2, 2.0)])
    report = monitor_log(life, labels)
    assert (report["verdict"], report["version"], report["compared_with"]) == ("PASS", 2, 1), report["reason"]
    assert verdicts(report) == {"coverage": "PASS", "labels": "PASS", "mae": "PASS"}
    worse = labels.assign(label=labels["label"] + 1.0)
    assert monitor_log(life, worse)["verdict"] == "FAIL"
    assert monitor_log(life, labels[: len(labels) // 2 + 300])["verdict"] == "INCONCLUSIVE"
    assert verdicts(monitor_log(life, labels, min_coverage=0.9))["coverage"] == "PASS"
    nobody = monitor_log(life, labels.assign(request_id="?"))
    assert (nobody["verdict"], verdicts(nobody)["coverage"]) == ("NO_DATA", "NO_DATA")
    assert "look at on=" in nobody["reason"]


def test_the_example_of_the_page_runs(life: Life):
    life.release(2.0, "run-1")
    labels = logged(life, 1, 2.0)
    labels.to_parquet(life.folder / "labels.parquet")
    endpoint, labels_uri, store = life.endpoint, str(life.folder / "labels.parquet"), life.store_uri
    # [START logged]
    monitor = MonitorModelOperator(
        task_id="monitor",
        endpoint=endpoint,
        predictions="log://",  # what the scorer logged into this model store
        labels=labels_uri,  # columns request_id and label; a folder of tables will do as well
        target="label",
        delay=timedelta(days=7),  # younger predictions need no label yet
        min_coverage=0.9,
        slices=["x"],
        checks=[Quality("mae", tolerance=0.05), Drift()],
        store=store,
    )
    # [END logged]
    report = monitor.execute(context("monitor"))
    assert report["verdict"] == "PASS", report["reason"]


def test_until_labels_come_there_is_no_data_and_slices_wait(life: Life):
    life.release(2.0, "run-1")
    labels = logged(life, 1, 2.0)
    early = monitor_log(life, None, delay=timedelta(days=36500))
    assert (early["verdict"], verdicts(early)["coverage"]) == ("NO_DATA", "NO_DATA")
    late = monitor_log(life, labels, slices=["x"], checks=[Quality("mae", tolerance=2, min_samples=100)])
    assert {"mae[x=0]", "mae[x=16]"} <= verdicts(late).keys()
    sideways = {"window": ["2013-02-01T00:00:00+00:00", "2013-02-01T12:00:00+00:00"], "checks": [Quality("mae")]}
    assert verdicts(monitor_log(life, labels, **sideways))["mae"] == "INCONCLUSIVE"


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"data": "x.parquet"}, "either data or predictions"),
    ({"predictions": None}, "either data or predictions"),
    ({"checks": [Health()]}, "leave Health"),
    ({"window": ["2013-02-01T00:00:00+00:00"]}, "a start and an end"),
    ({"on": "flight"}, "no column flight"),
]


def test_a_monitor_of_a_log_that_asks_the_impossible_is_refused(life: Life):
    life.release(2.0, "run-1")
    for arguments, words in IMPOSSIBLE:
        with pytest.raises(AirflowFailException, match=words):
            monitor_log(life, pd.DataFrame({"request_id": ["a"], "label": [1.0]}), **arguments)


def test_an_asked_endpoint_is_sliced_by_columns_that_it_does_not_take(life: Life, data: str):  # noqa: F811
    table = pd.read_parquet(data)
    table["shop"] = ["north" if number % 2 else "south" for number in range(len(table))]
    table.to_parquet(data)
    life.release(2.0, "run-1")
    report = monitor(life, data, slices=["shop"], checks=[Quality("mae", tolerance=1)])
    assert {"mae[shop=north]", "mae[shop=south]"} < verdicts(report).keys()
