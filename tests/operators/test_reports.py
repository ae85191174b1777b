from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from airflow.sdk import BaseOperator
from airflow.sdk.execution_time.xcom import XCom

from model_lifecycle.core.errors import Denied, Unavailable
from model_lifecycle.core.models import ModelUri, ModelVersion
from model_lifecycle.core.monitoring import Drift, Health
from model_lifecycle.core.profile import profile
from model_lifecycle.get_provider_info import get_provider_info
from model_lifecycle.hooks.mlflow import API, MlflowHook
from model_lifecycle.operators.drift import ModelDriftOperator
from model_lifecycle.operators.monitor import MonitorModelOperator
from model_lifecycle.operators.reports import (
    DRIFT_REPORT_URL,
    DriftReportLink,
    folder_of,
    log_report,
    publish_report_link,
)
from model_lifecycle.testing.registry_contract import register
from tests import models
from tests.core.reports import HOSTILE, report_of, table, valid
from tests.operators.life import Life, context
from tests.operators.test_evaluate import data  # noqa: F401
from tests.operators.windows import Bench, columns
from tests.servers.mlflow import MlflowServer

REPORT = report_of(table(1000), table(900, shift=1.0, seed=8))


@pytest.fixture
def hook(mlflow_connection: str) -> Iterator[MlflowHook]:
    one = MlflowHook(mlflow_connection)
    yield one
    one.session.close()


@pytest.fixture
def version(hook: MlflowHook) -> ModelVersion:
    return register(hook, f"reported-{uuid4().hex[:12]}")


def files_of(server: MlflowServer, page: str) -> dict[str, requests.Response]:
    """What MLflow's REST API lists and gives at the place that a page's address names."""
    run_id, _, path = page.partition("/runs/")[2].partition("/artifacts/")
    folder = path.rpartition("/")[0]
    listed = requests.get(
        f"{server.url}{API}/artifacts/list", params={"run_id": run_id, "path": folder}, timeout=20
    ).json()
    where = f"{server.url}/get-artifact"
    return {
        file["path"].rpartition("/")[2]: requests.get(
            where, params={"run_uuid": run_id, "path": file["path"]}, timeout=20
        )
        for file in listed["files"]
    }


def test_both_files_are_found_through_mlflow_and_the_version_names_them(
    hook: MlflowHook, mlflow_server: MlflowServer, version: ModelVersion
) -> None:
    filed = log_report(hook, version, REPORT)
    found = files_of(mlflow_server, filed["page"])
    assert found.keys() == {"drift_report.html", "drift_report.json"}
    html, values = found["drift_report.html"], found["drift_report.json"]
    assert html.headers["Content-Type"].startswith("text/html")
    assert len(html.content) == filed["bytes"]
    assert "1 of 8 columns drifted" in html.text
    assert valid(values.json()) == REPORT
    tags = hook.get(ModelUri(version.name, version=1)).tags
    assert tags["drift_report"] == filed["page"]
    assert tags["drift"] == f"{REPORT['verdict']}: 1 of 8 columns drifted in 2013-12"


def test_a_report_of_the_same_window_replaces_the_one_before(
    hook: MlflowHook, mlflow_server: MlflowServer, version: ModelVersion
) -> None:
    first = log_report(hook, version, REPORT)
    calm = report_of(table(1000), table(900, seed=9))
    assert log_report(hook, version, calm)["page"] == first["page"]
    assert files_of(mlflow_server, first["page"])["drift_report.json"].json()["drifted"] == 0
    later = log_report(hook, version, report_of(table(1000), table(900, seed=9), window="2014-01"))
    assert later["page"] != first["page"]


class RegistryDouble:
    """Stands for a registry that fails: a real one does it when nobody expects it."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def attach_file(self, *args: Any) -> str:
        raise self.error


@pytest.mark.parametrize("error", [Unavailable("no answer in time"), Denied("not yours")])
def test_a_report_that_cannot_be_filed_is_a_warning_with_its_reason(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    filed = log_report(RegistryDouble(error), ModelVersion("churn", 3, "s3://b/c"), REPORT)  # type: ignore[arg-type]
    assert (filed["page"], filed["problem"]) == (None, str(error))
    assert f"The drift report of models:/churn/3 was not filed: {error}" in caplog.text


def test_an_error_that_is_not_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        log_report(RegistryDouble(ZeroDivisionError()), ModelVersion("churn", 3, "s3://b/c"), REPORT)  # type: ignore[arg-type]


def test_a_version_that_is_gone_is_said_in_the_answer(hook: MlflowHook) -> None:
    filed = log_report(hook, ModelVersion("never-registered", 3, "s3://b/c"), REPORT)
    assert filed["page"] is None
    assert "never-registered" in filed["problem"]


def test_the_answer_is_json(hook: MlflowHook, version: ModelVersion) -> None:
    assert json.loads(json.dumps(log_report(hook, version, REPORT))).keys() == {"page", "json", "bytes", "problem"}


def test_hostile_names_become_folders_by_allow_list_and_stay_apart(hook: MlflowHook, version: ModelVersion) -> None:
    folders = {folder_of({"window": evil, "endpoint": evil, "compared_with": evil}) for evil in HOSTILE}
    assert len(folders) == len(HOSTILE)
    about = {"window": HOSTILE[0], "endpoint": HOSTILE[4], "compared_with": HOSTILE[3]}
    assert log_report(hook, version, report_of(table(600), table(600), **about))["problem"] is None


def test_the_same_window_at_another_endpoint_or_against_another_reference_is_another_report() -> None:
    about = {"window": "2013-12", "endpoint": "prod/churn", "compared_with": "training"}
    others = [about | {"endpoint": "stage/churn"}, about | {"compared_with": "previous"}, {}]
    assert len({folder_of(one) for one in [about, *others]}) == 4
    assert folder_of(about) == "drift_reports/prod/churn/2013-12-vs-training"


def released(life: Life, past: dict[str, Any]) -> str:
    source = models.linear(life.folder / "model", 2.0)
    (source / "profile.json").write_bytes(profile(past).to_json())
    return life.register(life.upload(source))


def test_the_drift_task_files_its_report_with_the_version_and_leaves_the_link(
    life: Life, tmp_path: Path, mlflow_server: MlflowServer
) -> None:
    bench, model_uri = Bench(tmp_path), released(life, columns(0, 20_000))
    uri = bench.profile(bench.table("day", columns(1, shift=0.5)), name=None, model_uri=model_uri)
    task = ModelDriftOperator(
        task_id="drift", profiles=uri, store=bench.store_uri, model_uri=model_uri, endpoint=life.endpoint
    )
    where = context("drift")
    result = task.execute(where)
    assert result["drift_report"]["problem"] is None
    assert where["ti"].pushed[DRIFT_REPORT_URL] == result["drift_report"]["page"]
    report = valid(files_of(mlflow_server, result["drift_report"]["page"])["drift_report.json"].json())
    assert (report["verdict"], report["reason"]) == (result["verdict"], result["reason"])
    assert [one["name"] for one in report["columns"] if one["drifted"]] == result["drifted"]
    assert report["about"]["window"] == result["window"]
    assert report["about"]["made_by"] == "life.drift, run-1"


def test_the_monitor_files_its_report_with_the_live_version_and_leaves_the_link(
    life: Life,
    data: str,  # noqa: F811
    mlflow_server: MlflowServer,
) -> None:
    past = {"x": [float(i % 17) + 40 for i in range(800)], "y": [float(i % 5) for i in range(800)]}
    life.deploy(released(life, past))
    task = MonitorModelOperator(
        task_id="monitor", endpoint=life.endpoint, data=data, target="label", store=life.store_uri,
        checks=[Health(), Drift()],
    )  # fmt: skip
    where = context("monitor")
    result = task.execute(where)
    assert where["ti"].pushed[DRIFT_REPORT_URL] == result["drift_report"]["page"]
    report = valid(files_of(mlflow_server, result["drift_report"]["page"])["drift_report.json"].json())
    assert (report["verdict"], report["drifted"]) == ("PASS", 1)
    assert {one["check"] for one in report["measurements"]} == {"health", "feature_drift", "prediction_drift"}
    assert result["version"] == report["about"]["version"] == 1


def test_a_monitor_that_does_not_ask_for_drift_reports_its_checks_and_no_columns(
    life: Life,
    data: str,  # noqa: F811
    mlflow_server: MlflowServer,
) -> None:
    life.deploy(released(life, {"x": [1.0] * 800, "y": [2.0] * 800}))
    task = MonitorModelOperator(
        task_id="monitor", endpoint=life.endpoint, data=data, target="label", store=life.store_uri,
        checks=[Health()],
    )  # fmt: skip
    result = task.execute(context("monitor"))
    report = valid(files_of(mlflow_server, result["drift_report"]["page"])["drift_report.json"].json())
    assert ([one["check"] for one in report["measurements"]], report["columns"]) == (["health"], [])


@pytest.mark.parametrize("kind", [MonitorModelOperator, ModelDriftOperator])
def test_both_tasks_have_the_button(kind: type[Any]) -> None:
    assert "Drift report" in [link.name for link in kind.operator_extra_links]


class XComDouble:
    """Stands for the task's XComs, which only a running task can reach."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.values[key] = value

    def get_value(self, *, ti_key: object, key: str) -> Any:
        return self.values.get(key)


@pytest.fixture
def xcoms(monkeypatch: pytest.MonkeyPatch) -> XComDouble:
    double = XComDouble()
    monkeypatch.setattr(XCom, "get_value", double.get_value)
    return double


@pytest.mark.parametrize(("page", "shown"), [("https://m/#/x", "https://m/#/x"), (None, "")])
def test_the_button_leads_to_the_report_and_without_one_there_is_none(
    xcoms: XComDouble,
    page: str | None,
    shown: str,
) -> None:
    publish_report_link({"ti": xcoms}, {"page": page})  # type: ignore[typeddict-item]
    assert DriftReportLink().get_link(BaseOperator(task_id="monitor"), ti_key=None) == shown  # type: ignore[arg-type]


def test_airflow_knows_the_button(monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"{DriftReportLink.__module__}.{DriftReportLink.__qualname__}" in get_provider_info()["extra-links"]
    assert DriftReportLink().name == "Drift report"
    assert DriftReportLink().xcom_key != DRIFT_REPORT_URL
    monkeypatch.setattr(XCom, "get_value", lambda **_: 5)
    assert DriftReportLink().get_link(BaseOperator(task_id="monitor"), ti_key=None) == ""  # type: ignore[arg-type]
