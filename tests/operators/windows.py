"""Windows of data for tests: tables in files, and tasks that profile and judge them as Airflow runs them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from model_lifecycle.hooks.store import open_store
from model_lifecycle.operators.drift import ModelDriftOperator
from model_lifecycle.operators.profile import ProfileDataOperator
from model_lifecycle.stores.base import ModelStore
from tests.operators.life import context


def columns(seed: int, rows: int = 3000, shift: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(shift, 1, rows),
        "y": rng.normal(shift, 1, rows),
        "city": rng.choice(["Bonn", "Köln"], rows),
    }


def at(day: int, month: int = 2, year: int = 2013) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


@dataclass
class Bench:
    """A folder with tables and a store."""

    folder: Path

    @property
    def store_uri(self) -> str:
        return (self.folder / "store").as_uri()

    @property
    def store(self) -> ModelStore:
        return open_store(self.store_uri)

    def table(self, name: str, data: dict[str, Any]) -> str:
        path = self.folder / "data" / f"{name}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(data), path)
        return str(path)

    def profile(self, data: str | list[str], *, map_index: int = -1, task_id: str = "profile", **more: Any) -> str:
        task = ProfileDataOperator(task_id=task_id, data=data, store=self.store_uri, **{"name": "flights", **more})
        where = context(task_id)
        where["ti"].map_index = map_index
        return task.execute(where)

    def reference(self, seed: int = 0, rows: int = 20_000) -> str:
        return self.profile(self.table("training", columns(seed, rows)), task_id="reference")

    def judge(self, profiles: Any, **more: Any) -> dict[str, Any]:
        task = ModelDriftOperator(
            task_id="drift", profiles=profiles, store=self.store_uri, **{"name": "flights", **more}
        )
        return task.execute(context("drift"))

    def day(self, day: int, reference: str, shift: float = 0.0, **more: Any) -> dict[str, Any]:
        """Profile one day and judge it."""
        start = more.pop("window_start", None) or at(day)
        file = self.table(f"{start:%Y%m%d}", columns(start.toordinal(), shift=shift))
        uri = self.profile(file, reference=reference, window_start=start)
        return self.judge(uri, reference=reference, window_start=start, **more)
