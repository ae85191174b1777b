from __future__ import annotations

from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from model_lifecycle.sensors.drift import ModelDriftSensor
from tests.operators.life import context
from tests.operators.windows import Bench, at


def test_a_window_is_waited_for_until_it_was_judged(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    # [START sensor]
    judged = ModelDriftSensor(
        task_id="judged",
        name="flights",
        store=bench.store_uri,
        window_start="2013-02-02T00:00:00+00:00",
        deferrable=True,
        poke_interval=60,
        timeout=24 * 3600,
    )
    # [END sensor]
    reference = bench.reference()
    bench.day(1, reference, 0.5)
    with pytest.raises(TaskDeferred):
        judged.execute(context())
    assert bench.day(2, reference, 0.5)["persisted"]
    found = judged.execute(context())
    assert (found["window"], found["failed"], found["persisted"]) == ("20130202T000000Z", True, True)
    assert (found["drifted"], found["verdicts"]["feature_drift"]) == (["x", "y"], "FAIL")
    judged.window_start = at(1)
    assert not judged.execute(context())["persisted"]


def test_what_can_never_be_answered_fails_at_once(tmp_path: Path) -> None:
    sensor = ModelDriftSensor(task_id="judged", name="flights", store=tmp_path.as_uri(), window_start="noon")
    with pytest.raises(AirflowFailException, match="is no time"):
        sensor.execute(context())
