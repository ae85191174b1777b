from __future__ import annotations

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.models import ModelUri
from model_lifecycle.hooks.registry import ModelRegistryHook
from model_lifecycle.hooks.version_facts import artifacts_of_others, version_metrics
from tests.operators.life import Life


def run_with(life: Life, **metrics: float) -> str:
    """A run that logged metrics, made over REST; returns its id."""
    call = life.registry.session.call  # type: ignore[attr-defined]
    run = call("POST", "/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    for key, value in metrics.items():
        body = {"run_id": run, "key": key, "value": value, "timestamp": 0}
        call("POST", "/api/2.0/mlflow/runs/log-metric", json=body)
    return str(run)


def test_the_metrics_are_those_of_the_run_that_made_the_version(life: Life):
    run = run_with(life, auc=0.75, log_loss=0.3)
    with_run = life.register(life.upload(life_model(life, 1.0)), mlflow_run_id=run)
    without = life.register(life.upload(life_model(life, 2.0)), "run-2")
    get = life.registry.get
    assert version_metrics(life.registry, get(ModelUri.parse(with_run))) == {"auc": 0.75, "log_loss": 0.3}
    assert version_metrics(life.registry, get(ModelUri.parse(without))) == {}


def life_model(life: Life, offset: float):
    from tests import models

    return models.linear(life.folder / f"linear-{offset}", offset)


def test_what_other_models_have_is_known(life: Life):
    version = life.registry.get(ModelUri.parse(life.version(1.0)))
    assert version.artifact_uri not in artifacts_of_others(life.registry, life.model)
    assert version.artifact_uri in artifacts_of_others(life.registry, f"{life.model}-other")


def test_a_registry_that_cannot_be_asked_is_an_error_and_no_empty_list():
    class Other(ModelRegistryHook):
        """Another registry."""

    Other.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    with pytest.raises(Invalid, match="cannot say"):
        artifacts_of_others(Other(), "churn")  # type: ignore[abstract]
