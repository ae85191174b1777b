"""The code in docs/ that stands in no example DAG, run against real servers; tests/house/test_docs.py compares."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.core.models import CHALLENGER
from model_lifecycle.core.release import State
from model_lifecycle.sensors.artifact import ModelArtifactSensor
from model_lifecycle.sensors.version import ModelVersionSensor
from model_lifecycle.stores.folder import describe, signature_of
from tests import models
from tests.operators.life import Life, context, number


def test_a_sensor_waits_for_a_newer_challenger(life: Life) -> None:
    model, known = life.model, number(life.version(1.0, example=False))
    # [START version]
    new_challenger = ModelVersionSensor(
        task_id="new_challenger",
        model_name=model,
        alias="challenger",
        newer_than=known,
        deferrable=True,
        poke_interval=60,
        timeout=7 * 24 * 3600,
    )
    # [END version]
    assert not new_challenger.poke(context()).is_done
    uri = life.version(2.0)
    life.registry.set_alias(model, CHALLENGER, number(uri))
    assert new_challenger.execute(context()) == uri


def test_a_sensor_waits_for_an_artifact(life: Life) -> None:
    folder = models.linear(life.folder / "model", 1.0)
    store_uri = life.store_uri
    artifact_uri = life.store.artifact_uri(life.model, models.manifest_of(folder, life.model).digest)
    # [START artifact]
    published = ModelArtifactSensor(
        task_id="published",
        artifact_uri=artifact_uri,
        store=store_uri,
        deferrable=True,
        poke_interval=60,
        timeout=24 * 3600,
    )
    # [END artifact]
    assert not published.poke(context()).is_done
    life.store.publish(folder, models.manifest_of(folder, life.model))
    assert published.execute(context()) == artifact_uri


def test_a_store_is_used_in_a_task_of_ones_own(life: Life) -> None:
    store_uri, model, folder = life.store_uri, life.model, models.linear(life.folder / "model", 1.0)
    copy = life.folder / "copy"
    # [START store]
    from model_lifecycle.hooks.store import open_store

    store = open_store(store_uri)
    artifact_uri = store.publish(folder, describe(folder, model, signature=signature_of(folder)))
    manifest = store.fetch(artifact_uri, copy)
    # [END store]
    assert artifact_uri.endswith(f"/{model}/{manifest.digest}")
    assert {entry.path for entry in manifest.files} == _files(folder)


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_errors_are_told_apart_in_a_task_of_ones_own(life: Life) -> None:
    uri = life.upload(models.linear(life.folder / "model", 1.0))
    store = life.store

    def size_of(artifact_uri: str) -> int:
        # [START errors]
        from model_lifecycle.core.errors import NotFound, Rejected

        try:
            return store.read_manifest(artifact_uri).size
        except NotFound:
            return 0
        except Rejected as error:
            raise AirflowFailException(str(error)) from error
        # [END errors]

    found = [size_of(uri), size_of(f"{uri.rpartition('/')[0]}/{'0' * 64}")]
    assert found[0] > 0
    assert found[1] == 0
    with pytest.raises(AirflowFailException, match="is not an artifact of the store"):
        size_of("s3://elsewhere/model")


def test_the_registry_is_read_in_a_task_of_ones_own(life: Life) -> None:
    model, uri = life.model, life.release(1.0, "run-1")
    # [START registry]
    from model_lifecycle.core.models import ModelUri
    from model_lifecycle.hooks.mlflow import MlflowHook

    champion = MlflowHook("mlflow_default").get(ModelUri.parse(f"models:/{model}@champion"))
    print(champion.version, champion.artifact_uri, champion.digest)
    # [END registry]
    assert champion.uri == uri


def test_an_endpoint_is_asked_in_a_task_of_ones_own(life: Life) -> None:
    model, version = life.model, number(life.release(1.0, "run-1"))
    # [START ask]
    from model_lifecycle.hooks.serving import serving_hook

    answer = serving_hook("scorer_default").predict(model, {"x": [1.0, 2.0], "y": [10.0, 20.0]})
    print(answer.version, answer.outputs)
    # [END ask]
    assert answer.version == version
    assert [list(values) for values in answer.outputs.values()] == [[12.0, 23.0]]


def test_the_ledger_tells_what_served_when(life: Life, capsys: pytest.CaptureFixture[str]) -> None:
    store_uri, endpoint = life.store_uri, life.endpoint
    life.release(1.0, "run-1")
    life.release(2.0, "run-2")
    # [START ledger]
    from model_lifecycle.core.models import Endpoint
    from model_lifecycle.hooks.store import open_store
    from model_lifecycle.stores.ledger import Ledger

    for release in Ledger(open_store(store_uri), Endpoint.parse(endpoint)).releases():
        print(release.id, release.plan.change, release.state, release.reason)
        for entry in release.entries:
            print(f"  {entry.at:%d.%m. %H:%M:%S} {entry.state} {entry.actor.get('dag')} {entry.reason}")
    # [END ledger]
    told = capsys.readouterr().out
    assert told.count(" promote SUCCEEDED ") == told.count(" deploy SUCCEEDED ") == 2
    entries = sorted((life.folder / "store" / "_releases" / endpoint).glob("*.json"))
    assert [entry.name for entry in entries[:2]] == ["00000001.json", "00000002.json"]


def test_a_rollback_that_failed_is_run_again_once_the_version_can_be_loaded(life: Life) -> None:
    """What docs/ledger.md tells to do at ROLLBACK_FAILED."""
    fault = life.folder / "fault"
    fragile = models.scripted(
        life.folder / "fragile",
        "return rows['x'] + rows['y']",
        before=f"import pathlib; assert not pathlib.Path({str(fault)!r}).exists(), 'no licence'",
    )
    before = life.register(life.upload(fragile))
    life.deploy(before, inputs=models.INPUTS)
    life.deploy(life.version(2.0), "run-2")
    life.serving.unload(life.model, number(before))
    fault.touch()
    with pytest.raises(AirflowFailException, match="ROLLBACK_FAILED.*no licence"):
        life.roll_back("run-3", inputs=models.INPUTS)
    assert life.newest().state is State.ROLLBACK_FAILED
    assert life.answer() == 13.0  # what served goes on serving
    fault.unlink()
    assert life.roll_back("run-3", inputs=models.INPUTS)["state"] == "ROLLED_BACK"
    assert life.answer() == 11.0
