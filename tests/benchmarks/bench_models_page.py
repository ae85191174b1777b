"""Server time of the Models page's answers with 200 endpoints, 200 models and 10,000 versions on a real MLflow.

The rows are written into MLflow's database beside its server: 10,000 calls would take longer than all the rest. Every
endpoint has a release of its own, on one scorer that has loaded none of them, and is asked all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import requests

from model_lifecycle.core.models import Endpoint
from model_lifecycle.core.release import State
from model_lifecycle.plugins.models_reading import ModelsReading
from model_lifecycle.stores.ledger import Ledger
from model_lifecycle.stores.local import local_store
from tests.benchmarks.measure import line
from tests.servers.mlflow import MlflowServer
from tests.servers.scorer import ScorerServer
from tests.stores.test_ledger import write

LIMIT = 1.0
"""Seconds that an answer may take."""


def main(models: int, versions: int, runs: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="models-page-")))
        mlflow = MlflowServer(folder / "mlflow")
        scorer = ScorerServer(folder / "repository", folder / "scorer.log")
        for server in (mlflow, scorer):
            stack.callback(server.stop)
            server.start()
        fill_registry(mlflow, models, versions)
        fill_store(folder / "store", models)
        os.environ |= environment(folder / "store", mlflow, scorer)
        for name, answer in answers(models):
            asked = f"{name}, {models} models, {models * versions} versions"
            line(asked, list(seconds(answer, runs)), "the limit", [LIMIT], goal=1)


def answers(models: int) -> Iterator[tuple[str, Callable[[], dict[str, object]]]]:
    """What the page asks for, each time with nothing known that the page's own memory holds for seconds."""
    place = count()
    yield "25 endpoints", lambda: ModelsReading().endpoints("", 0, 25)
    yield "25 endpoints of a search", lambda: ModelsReading().endpoints("m1", 0, 25)
    yield "25 models", lambda: ModelsReading().models("", "", 25)
    yield "25 models of a search", lambda: ModelsReading().models("M1", "", 25)
    yield "25 versions", lambda: ModelsReading().versions(f"m{next(place) % models}", "", 25)


def seconds(answer: Callable[[], dict[str, object]], runs: int) -> Iterator[float]:
    for _ in range(runs):
        start = time.perf_counter()
        told = answer()
        yield time.perf_counter() - start
        assert told["problems"] == [], told["problems"]


def fill_registry(mlflow: MlflowServer, models: int, versions: int) -> None:
    """One version as MLflow writes it, and the others as its copies, by SQL."""
    for path, body in (("registered-models", {}), ("model-versions", {"source": "s3://bucket/x"})):
        answer = requests.post(f"{mlflow.url}/api/2.0/mlflow/{path}/create", json={"name": "m0", **body}, timeout=60)
        answer.raise_for_status()
    with closing(sqlite3.connect(mlflow.database, timeout=60)) as database, database:
        database.row_factory = sqlite3.Row
        names = [f"m{number}" for number in range(models)]
        copy(database, "registered_models", [{"name": name} for name in names[1:]])
        rows = [{"name": name, "version": version} for name in names for version in range(1, versions + 1)]
        copy(database, "model_versions", rows[1:])


def copy(database: sqlite3.Connection, table: str, changes: list[dict[str, object]]) -> None:
    (row,) = database.execute(f"SELECT * FROM {table}").fetchall()
    places = ", ".join(f":{column}" for column in row.keys())  # noqa: SIM118 - a row iterates over its values
    database.executemany(f"INSERT INTO {table} VALUES ({places})", [{**dict(row), **one} for one in changes])


def fill_store(folder: Path, models: int) -> None:
    store = local_store(folder)
    for number in range(models):
        write(Ledger(store, Endpoint("scorer_default", f"m{number}")), State.VALIDATING, State.SUCCEEDED)


def environment(store: Path, mlflow: MlflowServer, scorer: ScorerServer) -> dict[str, str]:
    connections = {
        "MLFLOW_DEFAULT": {"conn_type": "mlflow", "host": mlflow.url},
        "SCORER_DEFAULT": {"conn_type": "open_inference", "host": scorer.url},
    }
    env = {f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in connections.items()}
    return {**env, "AIRFLOW__MODEL_LIFECYCLE__STORE": store.as_uri()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="few models and runs, to see that it works")
    small = parser.parse_args().small
    main(*(10, 5, 2) if small else (200, 50, 5))
