"""The code of docs/rollouts.md, gates.md, reconcile.md and deploy.md, run on a real scorer while callers ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from model_lifecycle.core.checks import Verdict, overall
from model_lifecycle.core.counts import Counts
from model_lifecycle.core.gate import DEFAULT_CHECKS, Check, judge
from model_lifecycle.core.looks import Look
from model_lifecycle.core.release import State
from model_lifecycle.core.strategy import BlueGreen, Canary, Shadow
from model_lifecycle.operators.deploy import DeployModelOperator
from tests import models
from tests.callers import Load
from tests.operators.life import Life, context
from tests.servers.envoy import EnvoyServer
from tests.servers.scorer import ScorerServer

SECOND = timedelta(seconds=1)
QUICK = {"steps": [20, 50], "bake": 3, "soak": 1, "min_samples": 20, "max_latency_ratio": 20, "reason": "a drill"}
"""Two steps for a busy machine, on which latencies jump."""


@pytest.fixture
def served(life: Life, scorer_server: ScorerServer) -> Iterator[Life]:
    """Version 1 serves, version 2 is as good and registered, and callers ask."""
    life.deploy(life.version(100.0))
    life.version(200.0)
    load = Load(scorer_server.port, life.model)
    for caller in load.callers:
        caller.question = replace(caller.question, read=lambda value, headers: (int(value["model_version"]), True))
    load.start()
    yield life
    load.end()


def run(task: Any, life: Life, params: dict[str, Any], **more: Any) -> Any:
    """Render a task of an example DAG with the form filled in so, and execute it without a triggerer."""
    known = {**context(task.task_id, "run-2"), "params": {"model": life.model, **params}}
    known["ti"] = SimpleNamespace(
        **{**vars(known["ti"]), **more}, xcom_pull=lambda task_id: {"uri": f"models:/{life.model}/2"}
    )
    task = task.prepare_for_execution()
    task.render_template_fields(known)
    task.store, task.deferrable = life.store_uri, False
    return task.execute(known)


def filled(dag: Any, **fields: Any) -> dict[str, Any]:
    params = {name: dag.params.get_param(name).value for name in dag.params if name != "reason"}
    return {**params, **fields}


def test_the_dag_that_releases_step_by_step(served: Life):
    from canary_rollout import dag

    release = run(dag.get_task("deploy"), served, filled(dag, **QUICK, model=served.model))
    assert (release["state"], release["version"]) == ("SUCCEEDED", 2)
    walked = [entry.state for entry in served.newest().entries]
    assert walked.count(State.SHIFTING) == 2


def test_the_dag_that_begins_with_a_shadow(
    life: Life,
    envoy_server: EnvoyServer,
    envoy_connection: str,
    monkeypatch: pytest.MonkeyPatch,
):
    import os

    from shadow_then_canary import dag

    connection = json.loads(os.environ["AIRFLOW_CONN_SCORER_DEFAULT"])
    connection["extra"]["router_conn_id"] = envoy_connection
    for name in ("SCORER_DEFAULT", "SCORER_BEHIND_ENVOY"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))
    first = DeployModelOperator(
        task_id="deploy",
        model_uri=life.version(100.0),
        serving_conn_id="scorer_behind_envoy",
        store=life.store_uri,
    )
    first.execute(context("deploy"))
    life.version(200.0)
    load = Load(envoy_server.port, life.model)
    load.start()
    fields = {name: value for name, value in QUICK.items() if name != "max_latency_ratio"}
    try:
        release = run(dag.get_task("deploy"), life, filled(dag, **fields, duration=3, model=life.model, version="2"))
    except AirflowFailException as error:
        assert "latency_p95" in str(error)  # on a busy machine a healthy version may be called slow
    else:
        assert release["state"] == "SUCCEEDED"
    finally:
        load.end()
    load.assert_right()


def test_the_dag_that_reconciles(life: Life):
    from reconcile_releases import dag

    life.deploy(life.version(1.0))
    with pytest.raises(TaskDeferred):
        life.deploy(life.version(2.0), "run-2", deferrable=True, strategy=BlueGreen(timedelta(hours=1)))
    dead = {"get_task_states": lambda **question: {"run-2": {"deploy": "failed"}}}
    left = life.newest()
    assert left.state is State.SOAKING
    done = run(dag.get_task("reconcile"), life, {"grace": 0}, **dead)
    assert [one["release"] for one in done] == [left.id]


def test_a_strategy_in_python(served: Life):
    model_uri, store_uri = f"models:/{served.model}/2", served.store_uri
    # [START strategy]
    deploy = DeployModelOperator(
        task_id="deploy",
        model_uri=model_uri,
        serving_conn_id="scorer_default",
        store=store_uri,
        strategy=Canary(steps=(5, 25, 50), bake=timedelta(minutes=10), soak=timedelta(hours=1)),
        checks=[
            Check("error_rate", hard_maximum=0.2),
            Check("latency_p95", max_ratio=1.5),
            Check("latency_p99", maximum=0.5, compare=False, critical=False),
        ],
        deferrable=True,
    )
    # [END strategy]
    assert deploy.strategy.to_dict()["bake"] == 600
    deploy.strategy = Canary((50,), bake=2 * SECOND, soak=SECOND)
    deploy.checks = [replace(check, min_samples=20, max_ratio=20.0) for check in deploy.checks]
    deploy.deferrable = False
    assert deploy.execute(context("deploy", "run-2"))["state"] == "SUCCEEDED"


def test_checks_and_what_they_decide():
    # [START checks]
    checks = [
        Check("error_rate", hard_maximum=0.2),
        Check("latency_p95", max_ratio=1.5),
        Check("latency_p99", maximum=0.5, compare=False, failures=3, of=5),
        Check("refusal_rate", critical=False),
        Check("latency_p50", dry_run=True),
    ]
    # [END checks]
    slow, right = Counts(1000, latency={0.7: 1000}), Counts(9000, latency={0.7: 9000})
    found = judge(checks, [Look(datetime.min, slow, right)] * 3)
    assert [str(one.verdict) for one in found] == ["PASS", "PASS", "FAIL", "PASS", "PASS"]
    refused = Counts(1000, refused=900, latency={0.01: 1000})
    found = judge(checks, [Look(datetime.min, refused, right)])
    assert (overall(found), found[3].verdict) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)


def test_the_evidence_is_read_from_the_ledger(served: Life, capsys: pytest.CaptureFixture[str]):
    script = (
        "if next(asked) > 30 and random.random() < 0.3: raise ValueError('no')\n        return rows.x + rows.y + 300"
    )
    before = "import itertools, random\nasked = itertools.count()"
    folder = models.scripted(served.folder / "worse", script, before=before)
    (folder / "input_example.json").write_text(json.dumps({"columns": ["x", "y"], "data": [[1.0, 10.0]]}))
    worse = served.register(served.upload(folder))
    with pytest.raises(AirflowFailException, match="ended ROLLED_BACK: error_rate"):
        served.deploy(worse, "run-2", strategy=Canary((20,), bake=60 * SECOND, interval=SECOND))
    ledger = served.ledger
    # [START evidence]
    release = ledger.newest()
    for entry in release.entries:
        if "verdict" in entry.evidence:
            print(entry.state, entry.evidence["verdict"], entry.evidence["reason"])
            for measured in entry.evidence["measurements"]:
                print(measured["check"], measured["verdict"], measured["value"], measured["details"])
    # [END evidence]
    told = capsys.readouterr().out
    assert "ROLLING_BACK FAIL" in told
    assert "error_rate FAIL 0." in told


def test_what_the_model_answered_is_recorded_where_it_is_trained(life: Life):
    folder = models.linear(life.folder / "recorded", 100.0)

    def predict(example: Any) -> list[float]:
        return [x + y + 100.0 for x, y in zip(example["x"], example["y"], strict=True)]

    example = models.INPUTS
    # [START output_example]
    from model_lifecycle.core.examples import OUTPUT_FILE, output_example

    (folder / OUTPUT_FILE).write_bytes(output_example({"sum": predict(example)}))
    # [END output_example]
    right = life.register(life.upload(folder))
    assert life.deploy(right)["state"] == "SUCCEEDED"
    (folder / OUTPUT_FILE).write_bytes(output_example({"sum": [111.0, 222.0]}))
    wrong = life.register(life.upload(folder))
    with pytest.raises(AirflowFailException, match="is 122.0 at place 1, and was 222.0 when the version was trained"):
        life.deploy(wrong, "run-2")


def test_what_the_pages_say_of_defaults_is_so():
    """docs/rollouts.md and docs/gates.md name these numbers."""
    canary = Canary()
    assert (canary.steps, canary.to_dict()["interval"], canary.to_dict()["soak"]) == ((5, 25, 50), 60.0, 3600.0)
    assert (BlueGreen().soak, BlueGreen().interval) == (timedelta(hours=1), 15 * SECOND)
    assert (Shadow().duration, Shadow().share, Shadow().pause) == (timedelta(hours=1), 100, timedelta(hours=24))
    assert [(check.metric, check.max_ratio, check.hard_maximum) for check in DEFAULT_CHECKS] == [
        ("error_rate", 1.2, 0.2),
        ("refusal_rate", 1.2, None),
        ("latency_p95", 1.5, None),
    ]
    assert {(check.min_samples, check.failures, check.of, str(check.on_no_data)) for check in DEFAULT_CHECKS} == {
        (500, 3, 5, "NO_DATA")
    }
