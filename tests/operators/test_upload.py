from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from model_lifecycle.operators.upload import UploadModelOperator, data_digests
from tests import models
from tests.operators.life import Life, context


@pytest.fixture
def store_uri(tmp_path) -> str:
    return (tmp_path / "store").as_uri()


def upload(store_uri: str, source: object, **more: object) -> UploadModelOperator:
    return UploadModelOperator(task_id="upload", model_name="flights", source=str(source), store=store_uri, **more)


def test_the_manifest_tells_where_the_model_comes_from(tmp_path, store_uri, life: Life):
    (tmp_path / "jan.csv").write_text("x,y\n1,2\n")
    source = models.linear(tmp_path / "model", 1.0)
    task = upload(store_uri, source, training_data=[str(tmp_path / "jan.csv")], git_commit="abc123")
    uri = task.execute(context("upload"))
    manifest = UploadModelOperator.model_store(task).read_manifest(uri)
    assert manifest.provenance["dag_id"] == "life"
    assert manifest.provenance["data_interval"].startswith("2013-02-01")
    assert manifest.provenance["git_commit"] == "abc123"
    assert manifest.provenance["training_data"] == data_digests(str(tmp_path / "jan.csv"))[0]
    assert manifest.signature["inputs"][0]["name"] == "x"


def test_a_second_try_of_the_same_task_gives_the_same_artifact(tmp_path, store_uri):
    source = models.linear(tmp_path / "model", 1.0)
    first = upload(store_uri, source).execute(context("upload", try_number=1))
    assert upload(store_uri, source).execute(context("upload", try_number=2)) == first
    assert list(upload(store_uri, source).model_store().list("flights")) == [first]


@pytest.mark.parametrize(("name", "text"), [("../flights", "model name"), ("a b", "model name"), ("", "model name")])
def test_a_bad_model_name_fails_without_a_retry_and_publishes_nothing(tmp_path, store_uri, name, text):
    source = models.linear(tmp_path / "model", 1.0)
    task = UploadModelOperator(task_id="upload", model_name=name, source=str(source), store=store_uri)
    with pytest.raises(AirflowFailException, match=text):
        task.execute(context("upload"))
    assert not (tmp_path / "store").exists() or not any((tmp_path / "store").iterdir())


def test_a_source_that_is_missing_is_named(tmp_path, store_uri):
    with pytest.raises(AirflowFailException, match="gone"):
        upload(store_uri, tmp_path / "gone").execute(context("upload"))


def test_training_data_that_cannot_be_read_is_named(tmp_path, store_uri):
    source = models.linear(tmp_path / "model", 1.0)
    with pytest.raises(AirflowFailException, match=r"lost\.csv"):
        upload(store_uri, source, training_data="lost.csv").execute(context("upload"))


def test_a_task_without_any_store_says_where_to_name_one(tmp_path):
    task = UploadModelOperator(task_id="upload", model_name="flights", source=str(tmp_path))
    with pytest.raises(AirflowFailException, match=r"\[model_lifecycle\] store"):
        task.execute(context("upload"))
