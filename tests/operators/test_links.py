from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom

from model_lifecycle.core.models import ModelVersion
from model_lifecycle.get_provider_info import get_provider_info
from model_lifecycle.operators.base import ModelLifecycleOperator
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.evaluate import EvaluateModelOperator
from model_lifecycle.operators.links import (
    MODEL_VERSION_URL,
    DashboardLink,
    EndpointLink,
    ModelVersionLink,
    publish_version_link,
)
from model_lifecycle.operators.monitor import MonitorModelOperator
from model_lifecycle.operators.release import ReleaseOperator
from model_lifecycle.operators.reports import DRIFT_REPORT_URL, DriftReportLink
from model_lifecycle.operators.rollback import RollbackModelOperator
from model_lifecycle.operators.upload import UploadModelOperator

PAGE = "https://mlflow.example.com/#/models/churn/versions/3"


class XComDouble:
    """Stands for the task's XComs, which only a running task can reach."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.values[key] = value

    def get_value(self, *, ti_key: object, key: str) -> Any:
        return self.values.get(key)


class RegistryDouble:
    """Stands for a registry with pages, or without."""

    def __init__(self, page: str | None) -> None:
        self.page = page

    def version_url(self, name: str, version: int) -> str | None:
        return self.page


@pytest.fixture
def xcoms(monkeypatch: pytest.MonkeyPatch) -> XComDouble:
    double = XComDouble()
    monkeypatch.setattr(XCom, "get_value", double.get_value)
    return double


@pytest.mark.parametrize(("page", "shown"), [(PAGE, PAGE), (None, "")])
def test_the_button_leads_to_what_the_task_has_published(xcoms: XComDouble, page: str | None, shown: str) -> None:
    version = ModelVersion("churn", 3, "s3://bucket/churn")
    publish_version_link({"ti": xcoms}, RegistryDouble(page), version)  # type: ignore[typeddict-item, arg-type]
    assert ModelVersionLink().get_link(BaseOperator(task_id="register"), ti_key=None) == shown  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, 5, {"url": PAGE}])
def test_anything_but_text_makes_no_button(xcoms: XComDouble, value: object) -> None:
    xcoms.values[MODEL_VERSION_URL] = value
    assert ModelVersionLink().get_link(BaseOperator(task_id="register"), ti_key=None) == ""  # type: ignore[arg-type]


def link(kind: type[BaseOperatorLink], operator: Any) -> str:
    return kind().get_link(operator, ti_key=None)  # type: ignore[arg-type]


@pytest.fixture
def connections(xcoms: XComDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """An MLflow and a Prometheus, neither of which is ever called."""
    found = {
        "MLFLOW_DEFAULT": {"conn_type": "mlflow", "host": "https://mlflow.example.com"},
        "PROMETHEUS_DEFAULT": {"conn_type": "prometheus", "extra": {"grafana": "https://grafana.example.com/"}},
        "SILENT": {"conn_type": "prometheus", "host": "https://prometheus.example.com"},
    }
    for name, connection in found.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/team/")


def deploy(result: Any = None, **more: Any) -> DeployModelOperator:
    given = {"model_uri": "models:/churn/3", "serving_conn_id": "scorer_default", **more}
    operator = DeployModelOperator(task_id="deploy", **given)
    operator._result = result
    return operator


@pytest.mark.parametrize(
    ("operator", "shown"),
    [
        (deploy(), PAGE),
        (deploy(model_uri="models:/churn@challenger"), ""),
        (deploy({"version": 3}, model_uri="models:/churn@challenger"), PAGE),
        (RollbackModelOperator(task_id="back", endpoint="scorer_default/churn"), ""),
        (EvaluateModelOperator(task_id="judge", model_uri="models:/churn/3", data="d", target="y"), PAGE),
        (MonitorModelOperator(task_id="look", endpoint="no endpoint", data="d", target="y"), ""),
    ],
)
@pytest.mark.usefixtures("connections")
def test_a_task_leads_to_the_version_that_it_names_or_returned(operator: Any, shown: str) -> None:
    assert link(ModelVersionLink, operator) == shown


@pytest.mark.usefixtures("connections")
def test_a_task_of_an_endpoint_leads_to_it_on_the_models_page() -> None:
    shown = "https://airflow.example.com/team/plugin/models?endpoint=scorer_default%2Fchurn"
    assert link(EndpointLink, deploy()) == shown
    assert link(EndpointLink, RollbackModelOperator(task_id="back", endpoint="scorer_default/churn")) == shown
    assert link(EndpointLink, UploadModelOperator(task_id="up", model_name="churn", source="/m")) == ""
    assert link(EndpointLink, deploy(serving_conn_id="a/b")) == ""


@pytest.mark.usefixtures("connections")
def test_a_task_leads_to_the_dashboard_of_its_endpoint_where_a_grafana_is_named() -> None:
    shown = "https://grafana.example.com/d/{}?var-endpoint=scorer_default%2Fchurn&var-model=churn"
    monitor = MonitorModelOperator(
        task_id="look", endpoint="scorer_default/churn", data="d", target="y", metrics_conn_id="prometheus_default"
    )
    release = deploy(metrics_conn_id="prometheus_default")
    assert link(DashboardLink, release) == shown.format("model-lifecycle-release")
    assert link(DashboardLink, monitor) == shown.format("model-lifecycle-drift")
    assert link(DashboardLink, deploy()) == "", "no metric system"
    assert link(DashboardLink, deploy(metrics_conn_id="silent")) == "", "no Grafana"


def test_every_dashboard_that_tasks_lead_to_is_one_of_the_package() -> None:
    folder = files("model_lifecycle") / "grafana" / "dashboards"
    boards = {json.loads(file.read_text())["uid"] for file in folder.iterdir()}
    assert {ModelLifecycleOperator.dashboard, ReleaseOperator.dashboard, MonitorModelOperator.dashboard} == boards


@pytest.mark.parametrize("kind", [ModelVersionLink, EndpointLink, DashboardLink, DriftReportLink])
def test_airflow_knows_the_button(kind: type[BaseOperatorLink]) -> None:
    assert f"{kind.__module__}.{kind.__qualname__}" in get_provider_info()["extra-links"]
    assert kind in {type(one) for one in MonitorModelOperator.operator_extra_links}
    # Airflow keeps the answer under this key, so ours must be another one.
    assert kind().xcom_key not in {MODEL_VERSION_URL, DRIFT_REPORT_URL}
