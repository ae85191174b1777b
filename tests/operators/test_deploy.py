from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout, TaskDeferred
from airflow.triggers.base import BaseTrigger, TriggerEvent

from model_lifecycle.core.models import ModelUri
from model_lifecycle.core.release import State
from model_lifecycle.core.strategy import BlueGreen, Canary
from model_lifecycle.hooks.serving import VersionState
from model_lifecycle.operators.deploy import DeployModelOperator
from model_lifecycle.triggers.release import ReleaseTrigger
from tests import models
from tests.operators.life import SCORER, Life, context, number


def test_a_deployed_version_answers_the_endpoint(life: Life):
    result = life.deploy(life.version(5.0))
    assert (result["state"], result["version"], result["fallback_version"]) == ("SUCCEEDED", 1, None)
    assert life.answer() == 16.0
    assert life.serving.traffic(life.model) == {1: 100}


def test_the_version_before_stays_loaded_and_older_ones_are_retired(life: Life):
    for run, offset in enumerate((1.0, 2.0, 3.0)):
        life.deploy(life.version(offset), f"run-{run}")
    assert life.serving.versions(life.model) == {2: VersionState.READY, 3: VersionState.READY}
    assert life.aliases() == {"previous": 2}


def test_deploying_what_serves_changes_nothing(life: Life):
    uri = life.version(1.0)
    first = life.deploy(uri)
    generation = life.ledger.generation()
    assert life.deploy(uri, "another run") == first
    assert life.ledger.generation() == generation


def test_clearing_an_old_task_does_not_bring_its_version_back(life: Life):
    old = life.version(1.0)
    life.deploy(old, "january")
    life.deploy(life.version(2.0), "february")
    generation = life.ledger.generation()
    assert life.deploy(old, "january")["version"] == 1
    assert (life.answer(), life.ledger.generation()) == (13.0, generation)


def test_a_server_that_lost_everything_gets_its_version_again(life: Life):
    uri = life.version(1.0)
    life.deploy(uri)
    life.serving.route(life.model, {})
    life.serving.unload(life.model, 1)
    assert life.deploy(uri, try_number=2)["state"] == "SUCCEEDED"
    assert life.answer() == 12.0


def test_a_version_that_cannot_be_loaded_fails_the_task_and_the_old_one_serves(life: Life):
    life.deploy(life.version(1.0))
    bad = life.version(0.0, make=models.broken)
    with pytest.raises(AirflowFailException, match="REJECTED.*cannot be loaded"):
        life.deploy(bad, "run-2")
    assert life.answer() == 12.0
    assert life.newest().state is State.REJECTED
    assert life.newest().standing.quarantined == ()


def test_a_version_that_fails_its_smoke_prediction_fails_the_task_and_the_old_one_serves(life: Life):
    life.deploy(life.version(1.0))
    bad = life.version(0.0, make=models.failing)
    with pytest.raises(AirflowFailException, match="smoke prediction"):
        life.deploy(bad, "run-2", inputs=models.INPUTS)
    assert life.answer() == 12.0
    assert life.serving.versions(life.model) == {1: VersionState.READY}


def test_a_version_without_an_example_needs_inputs(life: Life):
    uri = life.version(1.0, example=False)
    with pytest.raises(AirflowFailException, match="input example"):
        life.deploy(uri)
    assert life.deploy(uri, inputs=models.INPUTS, try_number=2)["state"] == "SUCCEEDED"


def test_a_version_of_unknown_origin_is_refused(life: Life):
    life.version(1.0)
    life.registry.session.call(  # type: ignore[attr-defined]
        "POST",
        "/api/2.0/mlflow/model-versions/create",
        json={"name": life.model, "source": "webhdfs://127.0.0.1:9/elsewhere/model"},
    )
    with pytest.raises(AirflowFailException, match="without a manifest digest"):
        life.deploy(f"models:/{life.model}/2")


def test_another_tasks_unfinished_release_is_a_conflict_and_its_deadline_frees_the_endpoint(life: Life):
    life.deploy(life.version(1.0))
    second = life.version(2.0)
    soaking = DeployModelOperator(
        task_id="deploy", model_uri=second, serving_conn_id=SCORER, store=life.store_uri, deferrable=True,
        strategy=BlueGreen(timedelta(hours=1)), timeout=timedelta(seconds=5),
    )  # fmt: skip
    with pytest.raises(TaskDeferred):
        soaking.execute(context("deploy", "stuck"))
    third = life.version(3.0)
    with pytest.raises(AirflowFailException, match="under way"):
        life.deploy(third, "third")
    deadline = life.newest().plan.deadline
    while datetime.now(UTC) < deadline:
        pass
    assert life.deploy(third, "third", try_number=2)["fallback_version"] == 1
    assert life.newest().standing.quarantined == (2,)
    assert life.answer() == 14.0


def woken(trigger: BaseTrigger) -> dict[str, Any]:
    """What a trigger answers that went through Airflow's database and runs in a triggerer."""
    path, arguments = trigger.serialize()
    assert path == "model_lifecycle.triggers.release.ReleaseTrigger"
    again = ReleaseTrigger(**json.loads(json.dumps(arguments)))

    async def first() -> TriggerEvent:
        return await anext(aiter(again.run()))

    return json.loads(json.dumps(asyncio.run(first()).payload))


def test_a_soaking_release_waits_in_the_triggerer_and_goes_on_where_it_stopped(life: Life):
    life.deploy(life.version(1.0))
    task = DeployModelOperator(
        task_id="deploy", model_uri=life.version(2.0), serving_conn_id=SCORER, store=life.store_uri, deferrable=True,
        strategy=BlueGreen(timedelta(seconds=5)),
    )  # fmt: skip
    known = context("deploy", "run-2")
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(known)
    assert deferred.value.method_name == "resume"
    assert timedelta(hours=2) < deferred.value.timeout <= timedelta(hours=3), (
        "the release gives up before the wait does"
    )
    assert (life.newest().state, life.answer()) == (State.SOAKING, 13.0)
    task.deferrable = False
    generation = life.ledger.generation()
    result = task.resume(known, woken(deferred.value.trigger), **deferred.value.kwargs)
    assert result["state"] == "SUCCEEDED"
    assert life.ledger.generation() == generation + 1, "the same execution does not take its own release over"


def test_a_retry_resumes_the_release_of_the_try_before(life: Life):
    life.deploy(life.version(1.0))
    second = life.version(2.0)
    with pytest.raises(TaskDeferred):
        life.deploy(second, "run-2", deferrable=True, strategy=BlueGreen(timedelta(seconds=5)))
    opened = life.newest().id
    assert life.deploy(second, "run-2", try_number=2)["release"] == opened


def test_an_alias_is_resolved_to_the_version_it_names(life: Life):
    life.register(life.upload(models.linear(life.folder / "m", 7.0)), alias="challenger")
    assert life.deploy(f"models:/{life.model}@challenger")["version"] == 1


@pytest.mark.parametrize(
    "uri", ["flights", "models:/flights", "models:/../1", "models:/flights/0", "models:/flights/01"]
)
def test_a_bad_model_uri_is_one_clear_error(life: Life, uri):
    with pytest.raises(AirflowFailException, match="not a model URI|not allowed"):
        life.deploy(uri)


def test_an_unmanaged_endpoint_is_adopted_so_that_there_is_a_way_back(life: Life):
    first, second = life.version(1.0), life.version(2.0)
    version = life.registry.get(ModelUri.parse(first))
    life.serving.stage(life.model, 1, version.artifact_uri, life.store)
    life.serving.load(life.model, 1)
    while life.serving.versions(life.model) != {1: VersionState.READY}:
        pass
    life.serving.route(life.model, {1: 100})
    assert life.deploy(second)["fallback_version"] == number(first)


def waiting(life: Life, **more: Any) -> tuple[DeployModelOperator, Any]:
    """A task that has deployed version 2 so far that it waits, and its context; version 1 served before."""
    life.deploy(life.version(1.0))
    task = DeployModelOperator(
        task_id="deploy", model_uri=life.version(2.0), serving_conn_id=SCORER, store=life.store_uri, deferrable=True,
        strategy=Canary((50,), bake=timedelta(hours=1)), **more,
    )  # fmt: skip
    known = context("deploy", "run-2")
    with pytest.raises(TaskDeferred):
        task.guarded(known)
    assert life.serving.traffic(life.model) == {1: 50, 2: 50}
    return task, known


def test_a_task_that_is_stopped_undoes_what_it_had_begun(life: Life):
    task, _ = waiting(life)
    task.on_kill()
    release = life.newest()
    assert (release.state, release.reason) == (State.ROLLED_BACK, "its task was stopped")
    assert life.serving.traffic(life.model) == {1: 100}
    generation = life.ledger.generation()
    task.on_kill()
    assert life.ledger.generation() == generation


def states(known: Any, told: Any) -> None:
    """Let Airflow tell this of the task's state."""
    known["ti"].get_task_states = lambda *_, **__: {"run-2": {"deploy": told}}


def test_a_task_whose_machine_stops_leaves_what_it_had_begun_to_its_next_try(life: Life):
    task, known = waiting(life)
    states(known, "running")
    task.on_kill()
    assert (life.newest().state, life.serving.traffic(life.model)) == (State.BAKING, {1: 50, 2: 50})


@pytest.mark.parametrize("told", ["restarting", "success", None])
def test_a_task_that_somebody_clears_or_marks_undoes_what_it_had_begun(life: Life, told: str | None):
    task, known = waiting(life)
    states(known, told)
    task.on_kill()
    assert life.newest().state is State.ROLLED_BACK


def test_a_machine_that_stops_in_the_last_try_leaves_nothing_begun(life: Life):
    task, known = waiting(life)
    states(known, "running")
    known["ti"].try_number = 2
    task.on_kill()
    assert life.newest().state is State.ROLLED_BACK


def test_a_task_that_takes_too_long_undoes_what_it_had_begun(life: Life):
    task, known = waiting(life)
    states(known, "running")
    try:
        raise AirflowTaskTimeout("too long")
    except AirflowTaskTimeout:
        task.on_kill()
    assert life.newest().state is State.ROLLED_BACK


def test_a_task_whose_state_nobody_tells_undoes_what_it_had_begun(life: Life):
    task, known = waiting(life)

    def away(*_: Any, **__: Any) -> Any:
        raise ConnectionError("the API server is away")

    known["ti"].get_task_states = away
    task.on_kill()
    assert life.newest().state is State.ROLLED_BACK


def test_a_task_that_is_stopped_before_it_began_or_whose_release_is_over_changes_nothing(life: Life):
    task = DeployModelOperator(
        task_id="deploy", model_uri=life.version(1.0), serving_conn_id=SCORER, store=life.store_uri
    )
    task.on_kill()
    assert life.ledger.newest() is None
    task.guarded(context("deploy", "run-1"))
    task.on_kill()
    assert life.newest().state is State.SUCCEEDED


def test_a_task_that_is_stopped_leaves_the_release_of_another_alone(life: Life):
    task, _ = waiting(life)
    life.roll_back("run-3", reason="by hand")
    life.deploy(life.version(3.0), "run-4")
    task.on_kill()
    assert life.serving.traffic(life.model) == {3: 100}


def test_a_second_release_is_told_of_the_first_unless_it_supersedes_it(life: Life):
    waiting(life)
    third = life.version(3.0)
    with pytest.raises(AirflowFailException, match="of version 2 is under way .*supersede=True"):
        life.deploy(third, "run-3")
    assert life.deploy(third, "run-3", supersede="True")["fallback_version"] == 1
    superseded, newest = list(life.ledger.releases())[1], life.newest()
    assert (superseded.state, superseded.superseded) == (State.ROLLED_BACK, True)
    assert superseded.reason == "superseded by version 3"
    assert newest.standing.quarantined == (), "nothing was wrong with version 2"


def test_a_task_whose_release_was_superseded_says_so_and_does_not_begin_again(life: Life):
    task, known = waiting(life)
    life.deploy(life.version(3.0), "run-3", supersede=True)
    task.deferrable = False
    for resumed in ({"writer": "0123456789ab"}, {}):
        with pytest.raises(AirflowFailException, match="ended ROLLED_BACK: superseded by version 3"):
            task.guarded(known, **resumed)
    assert life.serving.traffic(life.model) == {3: 100}


def test_a_task_whose_release_was_rolled_back_while_it_waited_fails_and_does_not_begin_again(life: Life):
    task, known = waiting(life)
    life.roll_back("run-3", reason="callers complain")
    task.deferrable = False
    with pytest.raises(AirflowFailException, match="ended ROLLED_BACK: callers complain"):
        task.resume(known, {"watched": None}, writer="0123456789ab")
    assert life.serving.traffic(life.model) == {1: 100}


def test_an_artifact_that_could_run_code_is_refused_before_the_server_sees_it(life: Life):
    uri = life.register(life.upload(models.scripted(life.folder / "code", "return rows.x")))
    with pytest.raises(AirflowFailException, match=r"REJECTED: version 1 cannot be loaded: .*code"):
        life.deploy(uri, trust={"exact": True, "formats": ["text", "skops"], "flavors": ["python_function"]})
    assert life.newest().state is State.REJECTED
    assert not list((life.repository / life.model).glob("*/MLmodel"))


def test_a_strategy_and_its_checks_may_come_from_a_form(life: Life):
    life.deploy(life.version(1.0))
    second = life.version(2.0)
    form = '{"name": "Canary", "steps": "[50]", "bake": "1", "soak": "0", "pause": 1}'
    with pytest.raises(AirflowFailException, match="no clear verdict after a pause"):
        life.deploy(second, "run-2", strategy=form, checks='[{"metric": "error_rate", "min_samples": 1000}]')
    assert life.deploy(second, "run-3", strategy=form, checks="[]", allow_quarantined=True)["state"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"strategy": "sometimes"}, "is not a strategy"),
        ({"strategy": {"name": "Canary", "steps": [120]}}, "not whole per cent"),
        ({"checks": [{"metric": "accuracy"}]}, "is no metric of a gate"),
        ({"trust": "everything"}, "trust"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_changes(life: Life, more, reason):
    with pytest.raises(AirflowFailException, match=reason):
        life.deploy(life.version(1.0), **more)
    assert life.ledger.newest() is None
