"""The days of a month, profiled one by one as the DAG's mapped task does, are the month."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import drift_at_scale
import pandas as pd
import pytest
from flights.data import FEATURES, TARGET, day_files, month_table

from model_lifecycle.core.profile import Profile, profile
from model_lifecycle.operators.drift import ModelDriftOperator
from model_lifecycle.operators.profile import ProfileDataOperator
from tests import models
from tests.operators.life import Life, context


def test_a_day_has_a_file_and_all_days_are_the_month(tmp_path: Path) -> None:
    files = day_files(2, tmp_path)
    assert [Path(file).name for file in files][::27] == ["day=01.parquet", "day=28.parquet"]
    pd.testing.assert_frame_equal(pd.concat(map(pd.read_parquet, files), ignore_index=True), month_table(2))
    assert day_files(2, tmp_path) == files


def test_drift_that_lasts_asks_for_training_and_nothing_else_does() -> None:
    decide = drift_at_scale.decide.function
    assert decide({"persisted": True}) == "retrain"
    assert decide({"persisted": False}) == "all_is_well"
    assert {"retrain", "all_is_well"} <= set(drift_at_scale.dag.task_ids)


def test_every_day_is_a_task_and_the_verdict_takes_them_all() -> None:
    mapped, judged = (drift_at_scale.dag.get_task(name) for name in ("profile", "drift"))
    assert mapped.is_mapped
    assert mapped.operator_class is ProfileDataOperator
    assert isinstance(judged, ModelDriftOperator)
    assert {"profile", "choose"} <= judged.upstream_task_ids


@pytest.fixture
def champion(life: Life) -> str:
    """A version whose profile is that of the first three months."""
    source = models.linear(life.folder / "model", 2.0)
    past = pd.concat([month_table(month) for month in (1, 2, 3)])
    (source / "profile.json").write_bytes(profile(past[list(FEATURES)]).to_json())
    return life.register(life.upload(source))


def ran(life: Life, champion: str, month: int, folder: Path) -> dict[str, Any]:
    """What the DAG's tasks make of a month; the last days are empty partitions."""
    common = {"model_uri": champion, "window_start": f"2013-{month:02}-01T00:00:00+00:00", "store": life.store_uri}
    uris = []
    for number, file in enumerate([*day_files(month, folder), str(folder / "day=99-*.parquet")]):
        where = context("profile")
        where["ti"].map_index = number
        uris.append(ProfileDataOperator(task_id="profile", data=file, **common).execute(where))
    return ModelDriftOperator(task_id="drift", profiles=uris, **common).execute(context("drift"))


def test_the_profiles_of_the_days_add_up_to_the_month_and_summer_is_not_winter(
    life: Life, champion: str, tmp_path: Path
) -> None:
    winter, july, august = (ran(life, champion, month, tmp_path) for month in (2, 7, 8))
    base = Profile.from_json(life.store.read_file(life.registry.get(_parsed(champion)).artifact_uri, "profile.json"))
    merged = Profile.from_json(life.store.read_document(july["profile"]))
    assert merged.to_json() == profile(month_table(7).drop(columns=TARGET), base).to_json()
    assert datetime.strptime(july["window"], "%Y%m%dT%H%M%SZ").month == 7
    assert (winter["verdict"], winter["drifted"]) == ("PASS", ["pressure", "temp"])
    assert {"temp", "humid", "wind_speed"} <= set(july["drifted"])
    assert [one["verdict"] for one in (july, august)] == ["FAIL", "FAIL"]
    assert [one["persisted"] for one in (winter, july, august)] == [False, False, True]


def _parsed(model_uri: str) -> Any:
    from model_lifecycle.core.models import ModelUri

    return ModelUri.parse(model_uri)
