"""What commands ask of MLflow besides the contract of a registry: logged numbers, and who else has an artifact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_lifecycle.core.errors import Invalid, ModelLifecycleError, NotFound
from model_lifecycle.core.models import ModelVersion
from model_lifecycle.hooks.mlflow import API, PAGE, MlflowHook
from model_lifecycle.hooks.mlflow_answers import artifact_uri_of, translated
from model_lifecycle.hooks.registry import ModelRegistryHook


def version_metrics(registry: ModelRegistryHook, version: ModelVersion) -> dict[str, float]:
    """The newest value of each metric of the run that made the version; empty if no run is known."""
    if not isinstance(registry, MlflowHook):
        return {}
    row = _get(registry, "model-versions/get", name=version.name, version=str(version.version))["model_version"]
    try:
        run = _get(registry, "runs/get", run_id=row["run_id"])["run"] if row.get("run_id") else {}
    except NotFound:  # runs may be deleted
        run = {}
    return {one["key"]: float(one["value"]) for one in run.get("data", {}).get("metrics", [])}


def artifacts_of_others(registry: ModelRegistryHook, name: str) -> list[str]:
    """The artifact URIs of all versions of every other model; a copy within MLflow has a model URI instead.

    :raises Invalid: if this registry cannot be asked.
    """
    if not isinstance(registry, MlflowHook):
        raise Invalid("this registry cannot say which models share an artifact", hint="nothing can be deleted safely")
    return [artifact_uri_of(row.get("source", "")) for row in _versions(registry) if row["name"] != name]


def _versions(registry: MlflowHook) -> Iterator[Mapping[str, Any]]:
    token = ""
    while True:
        more = {"page_token": token} if token else {}
        answer = _get(registry, "model-versions/search", max_results=PAGE, order_by="name ASC", **more)
        yield from answer.get("model_versions", [])
        before, token = token, answer.get("next_page_token", "")
        if not token or token == before:
            return


def _get(registry: MlflowHook, path: str, **params: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = registry.session.call("GET", f"{API}/{path}", params=params).json()
    except ModelLifecycleError as error:
        raise translated(error) from error.__cause__
    return answer
