from __future__ import annotations

from model_lifecycle.sensors.ready import ModelReadySensor
from tests.operators.life import Life, context


def test_a_version_is_ready_when_it_is_loaded_and_has_the_traffic(life: Life):
    sensor = ModelReadySensor(task_id="wait", endpoint=life.endpoint, version="1", deferrable=False)
    uri = life.version(1.0)
    assert not sensor.poke(context()).is_done
    life.deploy(uri)
    assert sensor.poke(context()).xcom_value == {"endpoint": life.endpoint, "version": 1, "traffic": {"1": 100}}
    sensor.version = f"models:/{life.model}/2"
    assert not sensor.poke(context()).is_done
