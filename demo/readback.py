"""What stands at the end, asked of each system itself: MLflow, the store, the scorer and the ledger."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from demo.servers import ENDPOINT, MODEL, Servers
from model_lifecycle.core.errors import ModelLifecycleError, NotFound
from model_lifecycle.core.examples import EXAMPLE_FILES, example_columns
from model_lifecycle.stores.base import ModelStore

_MLFLOW = "api/2.0/mlflow"


def registered(servers: Servers) -> list[dict[str, Any]]:
    """The versions as MLflow's own REST API lists them, the oldest first, with their aliases."""
    params = {"filter": f"name='{MODEL}'", "max_results": "1000"}
    answer = _get(f"{servers.mlflow.url}/{_MLFLOW}/model-versions/search", params)
    aliases = registry_aliases(servers)
    versions = [
        {
            "version": int(found["version"]),
            "artifact_uri": found["source"],
            "aliases": sorted(alias for alias, version in aliases.items() if version == int(found["version"])),
        }
        for found in answer.get("model_versions", [])
    ]
    return sorted(versions, key=lambda version: version["version"])


def registry_aliases(servers: Servers) -> dict[str, int]:
    """The aliases of the model in MLflow."""
    answer = _get(f"{servers.mlflow.url}/{_MLFLOW}/registered-models/get", {"name": MODEL})
    return {one["alias"]: int(one["version"]) for one in answer["registered_model"].get("aliases", [])}


def readable(store: ModelStore, artifact_uri: str) -> str:
    """Copy a published artifact with every file proven by its SHA-256; returns what is wrong, or nothing."""
    with TemporaryDirectory(prefix="flights-") as folder:
        try:
            store.fetch(artifact_uri, Path(folder) / "artifact")
        except ModelLifecycleError as error:
            return str(error)
    return ""


def example(store: ModelStore, artifact_uri: str) -> dict[str, list[Any]]:
    """The input example of an artifact: rows that any version can be asked about."""
    for name in EXAMPLE_FILES:
        try:
            return example_columns(store.read_file(artifact_uri, name))
        except NotFound:
            continue
    raise RuntimeError(f"{artifact_uri} has no input example")


def standing(servers: Servers) -> dict[str, Any]:
    """Everything that a repeated task must not change."""
    artifacts = sorted(servers.store.list(MODEL))
    newest = servers.ledger.newest()
    serving = newest.standing.serving if newest else None
    return {
        "versions": [found["version"] for found in registered(servers)],
        "artifacts": artifacts,
        "aliases": registry_aliases(servers),
        "ledger_generation": servers.ledger.generation(),
        "serving": serving.version if serving else None,
        "traffic": traffic(servers),
    }


def traffic(servers: Servers) -> dict[str, int]:
    """Where the scorer sends unversioned requests, per cent by version."""
    return dict(_get(f"{servers.scorer.url}/v2/models/{ENDPOINT.model}/route")["traffic"])


def _get(url: str, params: dict[str, str] | None = None) -> dict[str, Any]:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, params=params, timeout=60)
        answer.raise_for_status()
        return dict(answer.json())
