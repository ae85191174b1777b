from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.execution_time.xcom import XCom

from model_lifecycle.core.models import ModelVersion
from model_lifecycle.get_provider_info import get_provider_info
from model_lifecycle.operators.links import MODEL_VERSION_URL, ModelVersionLink, publish_version_link

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


def test_airflow_knows_the_button() -> None:
    assert f"{ModelVersionLink.__module__}.{ModelVersionLink.__qualname__}" in get_provider_info()["extra-links"]
    assert ModelVersionLink().name == "MLflow version"
    # Airflow keeps the answer under this key, so ours must be another one.
    assert ModelVersionLink().xcom_key != MODEL_VERSION_URL
