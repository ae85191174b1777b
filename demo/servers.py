"""Everything the demo runs: HDFS (or a folder), MLflow, the scorer and Airflow, side by side under one folder."""

from __future__ import annotations

import getpass
import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from time import monotonic

from model_lifecycle.core.models import Endpoint
from model_lifecycle.stores.base import ModelStore
from model_lifecycle.stores.hdfs import hdfs_store
from model_lifecycle.stores.ledger import Ledger
from model_lifecycle.stores.local import local_store
from tests.servers.airflow import AirflowServer
from tests.servers.hadoop import missing_packages
from tests.servers.hdfs import HdfsCluster
from tests.servers.mlflow import MlflowServer
from tests.servers.scorer import ScorerServer

MODEL = "flights"
ENDPOINT = Endpoint("scorer_default", MODEL)
ROOT = Path(__file__).parents[1]
PRELOADED = (
    "mlflow.pyfunc",
    "mlflow.sklearn",
    "model_lifecycle.operators.deploy",
    "pandas",
    "pyarrow.parquet",
    "skops.io",
    "sklearn.compose",
    "sklearn.linear_model",
    "sklearn.model_selection",
)
"""What the flights' tasks import: seconds for each of them on a small machine."""


class Servers:
    """The servers of one demo.

    :param folder: where all their files lie.
    :param last_month: the last month of 2013 that the schedule runs.
    :param port: of Airflow's UI; 0 for a free one.
    """

    def __init__(self, folder: Path, *, last_month: int, port: int = 0) -> None:
        self.folder = folder
        self.missing = missing_packages()
        self.hdfs = None if self.missing else HdfsCluster(folder / "hdfs")
        self.mlflow = MlflowServer(folder / "mlflow")
        log = ("--log-predictions", self._log_root, "--log-share", "1", "--log-seconds", "5")
        self.scorer = ScorerServer(folder / "scorer" / "repository", folder / "scorer" / "scorer.log", *log)
        self.airflow = AirflowServer(
            folder / "airflow",
            dags=ROOT / "dags",
            env=self._environment(last_month),
            preload=PRELOADED,
            port=port,
        )

    @property
    def store_uri(self) -> str:
        """The model store as Airflow's configuration names it."""
        return "hdfs://webhdfs_default@/models" if self.hdfs else (self.folder / "models").as_uri()

    @property
    def _log_root(self) -> str:
        """The same place as the scorer names it, which logs predictions there."""
        return f"webhdfs://127.0.0.1:{self.hdfs.ports['nn.http']}/models" if self.hdfs else self.store_uri

    @property
    def store(self) -> ModelStore:
        """The same store, opened without Airflow."""
        if self.hdfs:
            return hdfs_store([self.hdfs.url], "/models", uri=self.store_uri, user=getpass.getuser())
        return local_store(self.folder / "models", uri=self.store_uri)

    @property
    def ledger(self) -> Ledger:
        """The ledger of the demo's endpoint."""
        return Ledger(self.store, ENDPOINT)

    @property
    def urls(self) -> dict[str, str]:
        """The pages where people look."""
        urls = {
            "Airflow": self.airflow.url,
            "MLflow": f"{self.mlflow.url}/#/models/{MODEL}",
            "Scorer": f"{self.scorer.url}/v2/models/{MODEL}",
        }
        listing = f"webhdfs/v1/models?op=LISTSTATUS&user.name={getpass.getuser()}"
        return urls | ({"HDFS": f"{self.hdfs.url}/{listing}"} if self.hdfs else {})

    def start(self) -> Iterator[tuple[str, float]]:
        """Start all at once; yields each one's name and seconds when it is ready.

        :raises RuntimeError: if one does not start, with the end of its log.
        """
        starts: dict[str, Callable[[], object]] = {
            "Airflow": self.airflow.start,
            "MLflow": self.mlflow.start,
            "Scorer": self.scorer.start,
        } | ({"HDFS": self.hdfs.start} if self.hdfs else {})
        began = monotonic()
        with ThreadPoolExecutor(len(starts)) as threads:
            waiting: dict[Future[object], str] = {threads.submit(start): name for name, start in starts.items()}
            try:
                for future in as_completed(waiting):
                    future.result()
                    yield waiting[future], monotonic() - began
            except BaseException:
                # What is starting must end before the threads can: a server that is stopped is no longer waited for.
                self.stop()
                raise

    def stop(self) -> None:
        """Stop all; the data stay."""
        for server in (self.airflow, self.scorer, self.mlflow, self.hdfs):
            if server is not None:
                server.stop()

    def _environment(self, last_month: int) -> dict[str, str]:
        connections = {
            "mlflow_default": {"conn_type": "mlflow", "host": "http://127.0.0.1", "port": self.mlflow.port},
            "scorer_default": {
                "conn_type": "open_inference",
                "host": "http://127.0.0.1",
                "port": self.scorer.port,
                "extra": {"repository": str(self.scorer.repository)},
            },
        }
        if self.hdfs:
            connections["webhdfs_default"] = {
                "conn_type": "webhdfs",
                "host": "127.0.0.1",
                "port": self.hdfs.ports["nn.http"],
                "login": getpass.getuser(),
            }
        return {
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()},
            "AIRFLOW__MODEL_LIFECYCLE__STORE": self.store_uri,
            "AIRFLOW__MODEL_LIFECYCLE__REGISTRY_CONN_ID": "mlflow_default",
            "FLIGHTS_FOLDER": str(self.folder / "flights"),
            "FLIGHTS_LAST_MONTH": str(last_month),
            "AIRFLOW_VAR_GIT_COMMIT": _commit(),
            "GIT_PYTHON_REFRESH": "quiet",
        }


def _commit() -> str:
    """The commit that this checkout is at; empty if it is none."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
