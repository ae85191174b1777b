from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.sensors.artifact import ModelArtifactSensor
from tests import models
from tests.operators.life import Life, context


def test_an_artifact_is_found_once_it_is_published(life: Life):
    source = models.linear(life.folder / "model", 1.0)
    uri = life.store.artifact_uri(life.model, models.manifest_of(source, life.model).digest)
    sensor = ModelArtifactSensor(task_id="wait", artifact_uri=uri, store=life.store_uri, deferrable=False)
    assert not sensor.poke(context()).is_done
    life.store.publish(source, models.manifest_of(source, life.model))
    assert sensor.poke(context()).xcom_value == uri


def test_an_artifact_outside_the_store_fails_at_once(life: Life):
    sensor = ModelArtifactSensor(task_id="wait", artifact_uri="file:///etc/passwd", store=life.store_uri)
    with pytest.raises(AirflowFailException, match="passwd"):
        sensor.execute(context())
