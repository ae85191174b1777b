"""What operators tell of the changes they made; that DAGs start by it is shown in ``tests/faults/test_watchers.py``."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.execution_time.context import OutletEventAccessors

from model_lifecycle.assets.model import MODEL_EVENTS
from model_lifecycle.operators import telling
from model_lifecycle.operators.evaluate import EvaluateModelOperator
from model_lifecycle.operators.upload import UploadModelOperator
from tests import models
from tests.operators import life as living
from tests.operators.life import Life, number

Told = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What Airflow would store, in order; its answer about earlier events is a double, made of what was told here."""
    found: Told = []
    ordinary = living.context

    class Recording(OutletEventAccessors):
        def __getitem__(self, key: Any) -> Any:
            assert key == MODEL_EVENTS
            return self

        def add(self, asset: Asset, extra: dict[str, Any]) -> None:
            found.append((asset.uri, extra))

    monkeypatch.setattr(living, "context", lambda *given: {**ordinary(*given), "outlet_events": Recording()})
    monkeypatch.setattr(
        telling, "_was_told", lambda asset, key: any(uri == asset.uri and extra["key"] == key for uri, extra in found)
    )
    return found


def test_an_operator_that_changes_something_has_the_alias_as_outlet_besides_its_own():
    own = Asset("own")
    task = UploadModelOperator(task_id="upload", model_name="churn", source="/x", outlets=[own])
    assert task.outlets == [own, MODEL_EVENTS]
    assert EvaluateModelOperator.tells is False


def test_an_upload_and_a_registration_are_told_once_however_often_they_are_repeated(life: Life, told: Told):
    source = models.linear(life.folder / "linear", 1.0)
    for _ in range(3):
        uri = life.register(life.upload(source), alias="challenger")
    assert [(uri, extra["event"]) for uri, extra in told] == [
        (f"model://{life.model}/events/artifacts", "upload"),
        (f"model://{life.model}", "registration"),
        (f"model://{life.model}/challenger", "registration"),
    ]
    upload, registration, alias = (extra for _, extra in told)
    assert upload["digest"] == registration["digest"] == alias["digest"]
    assert (registration["version"], registration["model_uri"], alias["alias"]) == (number(uri), uri, "challenger")


def test_a_release_a_promotion_and_a_rollback_are_told_of_their_endpoint_and_aliases(life: Life, told: Told):
    life.release(100.0, "run-1")
    life.release(200.0, "run-2")
    life.roll_back("run-3", reason="worse")
    about = [(uri, extra) for uri, extra in told if extra["event"] not in ("upload", "registration")]
    endpoint, champion = f"model://{life.model}/endpoints/scorer_default", f"model://{life.model}/champion"
    previous = f"model://{life.model}/previous"
    assert [(extra["event"], uri, extra["version"]) for uri, extra in about] == [
        ("release", endpoint, 1),
        ("promotion", champion, 1),
        ("release", endpoint, 2),
        ("promotion", champion, 2),
        ("promotion", previous, 1),
        ("rollback", endpoint, 1),
        ("rollback", champion, 1),
        ("rollback", previous, None),
    ]
    assert life.aliases() == {"champion": 1}
    release = about[5][1]
    assert (release["endpoint"], release["reason"], release["from"]) == (life.endpoint, "worse", 2)
    assert release["release"] == life.newest().id
    assert release["digest"] == about[0][1]["digest"]


def test_what_changes_nothing_tells_nothing(life: Life, told: Told):
    uri = life.release(100.0, "run-1")
    before = len(told)
    life.deploy(uri, "run-1", try_number=2)
    life.deploy(uri, "run-2")
    life.promote(uri, "run-1")
    life.promote(uri, "run-2")
    assert told[before:] == []


def test_a_task_that_died_after_its_release_ended_is_told_of_by_its_next_try(life: Life, told: Told):
    uri = life.version(100.0)
    life.deploy(uri)
    dead = [one for one in told if one[1]["event"] == "release"]
    told.remove(dead[0])
    life.deploy(uri, try_number=2)
    assert [one for one in told if one[1]["event"] == "release"] == dead
