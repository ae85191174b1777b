from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.core.models import ModelUri
from model_lifecycle.operators.links import ModelVersionLink
from model_lifecycle.operators.register import RegisterModelOperator
from tests import models
from tests.operators.life import Life, context


def test_a_version_is_registered_once_whatever_is_run_again(life: Life):
    artifact = life.upload(models.linear(life.folder / "model", 1.0))
    first = life.register(artifact)
    assert life.register(artifact, run_id="another run") == first == f"models:/{life.model}/1"
    assert len(life.registry.search(life.model)) == 1


def test_a_version_tells_where_it_comes_from_and_what_it_holds(life: Life):
    source = models.linear(life.folder / "model", 1.0)
    (source / "profile.json").write_text("{}")
    version = life.registry.get(
        ModelUri.parse(life.register(life.upload(source), alias="challenger", tags={"team": "ml"}))
    )
    assert version.digest == version.artifact_uri.rpartition("/")[2]
    assert version.tags["model_lifecycle.dag_id"] == "life"
    assert version.tags["model_lifecycle.run_id"] == "run-1"
    assert version.tags["model_lifecycle.profile_digest"] == (
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )
    assert version.tags["team"] == "ml"
    assert version.aliases == ("challenger",)


def test_the_task_leaves_a_link_to_the_version(life: Life):
    artifact = life.upload(models.linear(life.folder / "model", 1.0))
    task = RegisterModelOperator(task_id="r", model_name=life.model, artifact_uri=artifact, store=life.store_uri)
    task.execute(context("register"))
    assert ModelVersionLink().get_link(task, ti_key=None).endswith(f"/models/{life.model}/versions/1")


def test_an_artifact_of_another_model_is_refused(life: Life):
    artifact = life.upload(models.linear(life.folder / "model", 1.0))
    task = RegisterModelOperator(task_id="r", model_name="other", artifact_uri=artifact, store=life.store_uri)
    with pytest.raises(AirflowFailException, match=f"uploaded for model {life.model}"):
        task.execute(context())


def test_what_was_never_uploaded_cannot_be_registered(life: Life):
    missing = life.store.artifact_uri(life.model, "0" * 64)
    with pytest.raises(AirflowFailException, match="0000"):
        life.register(missing)
    assert list(life.registry.search(life.model)) == []


def test_a_bad_alias_is_refused_before_anything_is_registered(life: Life):
    artifact = life.upload(models.linear(life.folder / "model", 1.0))
    with pytest.raises(AirflowFailException, match="alias"):
        life.register(artifact, alias="not an alias")
    assert list(life.registry.search(life.model)) == []


def test_an_old_run_that_is_repeated_takes_no_alias_from_a_newer_version(life: Life):
    old, new = (life.upload(models.linear(life.folder / name, offset)) for name, offset in (("old", 1.0), ("new", 2.0)))
    life.register(old, alias="challenger")
    newer = life.register(new, alias="challenger")
    assert life.register(old, alias="challenger") == f"models:/{life.model}/1"
    assert life.registry.get(ModelUri(life.model, alias="challenger")).uri == newer
