"""What operators tell of the changes they made; that DAGs start by it is shown in ``tests/faults/test_watchers.py``."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse
from airflow.sdk.execution_time.context import OutletEventAccessors

from model_lifecycle.assets.model import MODEL_EVENTS
from model_lifecycle.core.errors import Unavailable
from model_lifecycle.core.gate import Check
from model_lifecycle.core.strategy import Canary
from model_lifecycle.operators import telling
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.operators.evaluate import EvaluateModelOperator
from model_lifecycle.operators.reconcile import ReconcileReleasesOperator
from model_lifecycle.operators.upload import UploadModelOperator
from tests import models
from tests.operators import life as living
from tests.operators.life import SCORER, Life, number

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
    stored = lambda asset: [SimpleNamespace(extra=extra) for uri, extra in found if uri == asset.uri]  # noqa: E731
    monkeypatch.setattr(telling, "recent_events", stored)
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


def endings(life: Life, told: Told) -> list[tuple[Any, ...]]:
    """What was told of the endpoint, in short."""
    uri = f"model://{life.model}/endpoints/scorer_default"
    names = ("event", "version", "abandons", "verdict", "state", "reason")
    return [tuple(extra[name] for name in names) for asset, extra in told if asset == uri]


def reconcile(life: Life) -> None:
    ReconcileReleasesOperator(task_id="reconcile", store=life.store_uri).execute(living.context("reconcile", "run-9"))


def test_a_release_that_its_own_checks_rolled_back_is_told_by_whoever_comes_next_once(life: Life, told: Told):
    first = life.release(1.0, "run-1")
    canary = Canary((50,), bake=timedelta(seconds=1), pause=timedelta(seconds=1))
    with pytest.raises(AirflowFailException, match="ended ROLLED_BACK"):
        life.deploy(life.version(2.0), "run-2", strategy=canary, checks=[Check(min_samples=1000)])
    told[:] = [one for one in told if one[1].get("version") == 1]  # Airflow stores nothing of a task that fails
    release = life.newest()
    for _ in range(2):
        reconcile(life)
    life.promote(first, "run-3")
    facts = ("rollback", 1, 2, "NO_DATA", "ROLLED_BACK", release.reason)
    assert endings(life, told) == [("release", 1, None, "PASS", "SUCCEEDED", "proven to serve"), facts]
    assert "no clear verdict" in release.reason
    assert [uri for uri, extra in told if extra["key"] == release.id] == [
        f"model://{life.model}/endpoints/scorer_default"
    ]


def waiting(life: Life) -> DeployModelOperator:
    """A deploy of version 2 that waits in the triggerer, with half of the traffic."""
    life.deploy(life.version(1.0))
    task = DeployModelOperator(
        task_id="deploy", model_uri=life.version(2.0), serving_conn_id=SCORER, store=life.store_uri, deferrable=True,
        strategy=Canary((50,), bake=timedelta(hours=1)),
    )  # fmt: skip
    with pytest.raises(TaskDeferred):
        task.guarded(living.context("deploy", "run-2"))
    return task


def test_a_task_that_was_stopped_is_told_of_by_the_next_one(life: Life, told: Told):
    waiting(life).on_kill()
    assert [row[0] for row in endings(life, told)] == ["release"]
    life.deploy(life.version(3.0), "run-3")
    assert [row[:3] for row in endings(life, told)] == [("release", 1, None), ("rollback", 1, 2), ("release", 3, None)]
    assert endings(life, told)[1][-1] == "its task was stopped"


def test_a_release_that_was_superseded_or_interrupted_is_told_before_what_took_its_place(life: Life, told: Told):
    waiting(life)
    life.deploy(life.version(3.0), "run-3", supersede=True)
    assert [row[:3] for row in endings(life, told)] == [("release", 1, None), ("rollback", 1, 2), ("release", 3, None)]
    assert endings(life, told)[1][-1] == "superseded by version 3"


def test_what_ended_long_ago_is_not_told_again_when_airflow_has_forgotten_it(
    life: Life, told: Told, monkeypatch: pytest.MonkeyPatch
):
    life.release(1.0, "run-1")
    told.clear()
    monkeypatch.setattr(telling, "REMEMBERED", timedelta(0))
    reconcile(life)
    assert told == []


def test_where_airflow_does_not_say_what_was_told_the_next_task_tells_of_releases(
    life: Life, told: Told, monkeypatch: pytest.MonkeyPatch
):
    answer = telling.recent_events

    def refused(_: Asset) -> Any:
        raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))

    monkeypatch.setattr(telling, "recent_events", refused)
    life.deploy(life.version(1.0))
    assert endings(life, told) == []
    assert [extra["event"] for _, extra in told] == ["upload", "registration"], "twice is better than never"
    monkeypatch.setattr(telling, "recent_events", answer)
    reconcile(life)
    assert endings(life, told) == [], "its own task may be about to tell it"
    monkeypatch.setattr(telling, "OTHERS", timedelta(0))
    reconcile(life)
    assert [row[0] for row in endings(life, told)] == ["release"]


def test_a_store_that_is_away_by_then_fails_nobody_s_task(told: Told, caplog: pytest.LogCaptureFixture):
    def away() -> Any:
        raise Unavailable("nothing listens there", target="webhdfs_default")

    telling.tell_releases(living.context("deploy"), away)
    assert told == []
    assert "nothing listens there" in caplog.text
