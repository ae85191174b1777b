from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from airflow.sdk import BaseOperatorLink

from model_lifecycle.get_provider_info import get_provider_info
from model_lifecycle.operators.base import ModelLifecycleOperator
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.evaluate import EvaluateModelOperator
from model_lifecycle.operators.links import DashboardLink, EndpointLink, ModelVersionLink
from model_lifecycle.operators.monitor import MonitorModelOperator
from model_lifecycle.operators.release import ReleaseOperator
from model_lifecycle.operators.reports import DRIFT_REPORT_URL, DriftReportLink
from model_lifecycle.operators.rollback import RollbackModelOperator
from model_lifecycle.operators.upload import UploadModelOperator

PAGE = "https://mlflow.example.com/#/models/churn/versions/3"


def link(kind: type[BaseOperatorLink], operator: Any) -> str:
    return kind().get_link(operator, ti_key=None)  # type: ignore[arg-type]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert kind().xcom_key != DRIFT_REPORT_URL, "under which Airflow keeps the answer"
