"""The example DAGs as people meet them: documented, with forms that say what they want, and branches that decide.

They are executed by a true scheduler in ``tests/demo``.
"""

from __future__ import annotations

from copy import deepcopy
from importlib import import_module
from typing import Any

import monitor_flights
import pytest
import retrain_flights
from airflow.providers.common.compat.sdk import ParamValidationError
from airflow.sdk import DAG

NAMES = (
    *("retrain_flights", "monitor_flights", "promote_model", "rollback_model", "bad_release_drill"),
    *("canary_rollout", "shadow_then_canary", "reconcile_releases"),
    *("drift_at_scale", "alert_rollback", "score_flights", "promote_with_approval"),
)


@pytest.fixture(params=NAMES)
def dag(request: pytest.FixtureRequest) -> DAG:
    return dag_of(request.param)


def dag_of(name: str) -> DAG:
    dag = import_module(name).dag
    assert dag.dag_id == name
    return dag


def test_a_dag_says_what_it_does(dag):
    assert dag.description
    assert dag.doc_md
    assert {"model-lifecycle", "example"} <= dag.tags


def test_every_field_of_a_form_has_a_title_and_an_explanation(dag):
    for name, param in dag.params.items():
        field = dag.params.get_param(name)
        assert field.schema.get("title"), (dag.dag_id, name, param)
        assert field.description, (dag.dag_id, name)
        assert field.description.endswith("."), (dag.dag_id, name)


GOOD = {
    "retrain_flights": [{}, {"month": 2}, {"month": None}],
    "drift_at_scale": [{}, {"month": 1}, {"month": None}],
    "score_flights": [{}, {"month": 1}],
    "monitor_flights": [{}, {"month": 12}],
    "bad_release_drill": [{}, {"month": 4}],
    "promote_model": [{"reason": "why"}, {"version": "3", "reason": "why"}, {"version": "champion", "reason": "why"}],
    "promote_with_approval": [{"version": "3", "reason": "why"}],
    "canary_rollout": [{}, {"steps": [1], "bake": 1, "soak": 0}, {"version": "3", "max_error_rate": 1}],
    "shadow_then_canary": [{"reason": "why"}, {"reason": "why", "share": 50, "steps": [99]}],
    "reconcile_releases": [{}, {"grace": 0}],
    "alert_rollback": [
        {"endpoint": "scorer_default/churn", "leaving": "3", "reason": "why"},
        {"endpoint": "a/b", "leaving": "12", "reason": "why", "alert": "ModelVersionErrors", "calm": 0},
    ],
    "rollback_model": [{"reason": "why"}, {"to": "models:/flights@previous", "reason": "why"}],
}
BAD = {
    "retrain_flights": [{"month": 1}, {"month": 13}, {"month": "June"}, {"month": "6"}],
    "drift_at_scale": [{"month": 0}, {"month": 13}, {"month": "June"}],
    "score_flights": [{"month": 0}, {"month": None}],
    "monitor_flights": [{"month": 0}],
    "bad_release_drill": [{"month": None}, {"month": 1}],
    "promote_model": [
        {},
        {"reason": ""},
        {"version": "", "reason": "why"},
        {"version": "../3", "reason": "why"},
        {"version": "3/../4", "reason": "why"},
        {"version": 3, "reason": "why"},
        {"allow_quarantined": "yes", "reason": "why"},
    ],
    "promote_with_approval": [{}, {"version": "3"}, {"version": "champion", "reason": "why"}],
    "canary_rollout": [
        {"steps": []},
        {"steps": [100]},
        {"steps": "5, 25"},
        {"bake": 0},
        {"pause": 0},
        {"min_samples": 0},
        {"max_error_rate": 2},
        {"max_latency_ratio": 0.5},
        {"version": "../3"},
        {"reason": ""},
    ],
    "shadow_then_canary": [{}, {"reason": "why", "share": 0}, {"reason": "why", "duration": 0}],
    "reconcile_releases": [{"grace": -1}, {"grace": None}],
    "alert_rollback": [
        {},
        {"endpoint": "scorer_default/churn", "reason": "why"},
        {"leaving": "3", "reason": "why"},
        {"endpoint": "churn", "leaving": "3", "reason": "why"},
        {"endpoint": "a/b/c", "leaving": "3", "reason": "why"},
        {"endpoint": "a/b", "leaving": "champion", "reason": "why"},
        {"endpoint": "a/b", "leaving": "0", "reason": "why"},
        {"endpoint": "a/b", "leaving": 3, "reason": "why"},
        {"endpoint": "a/b", "leaving": "3", "reason": ""},
        {"endpoint": "a/b", "leaving": "3", "reason": "why", "calm": -1},
    ],
    "rollback_model": [{}, {"reason": ""}, {"endpoint": None, "reason": "why"}, {"to": 3, "reason": "why"}],
}


def filled(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """What a run gets whose form is filled in so; an empty field is what the form shows at first."""
    params = deepcopy(dag_of(name).params)
    params.update(fields)
    return params.validate()


@pytest.mark.parametrize(("name", "fields"), [(name, fields) for name in GOOD for fields in GOOD[name]])
def test_a_form_takes_what_makes_sense(name, fields):
    assert filled(name, fields).items() >= fields.items()


@pytest.mark.parametrize(("name", "fields"), [(name, fields) for name in BAD for fields in BAD[name]])
def test_a_form_refuses_what_does_not(name, fields):
    with pytest.raises(ParamValidationError):
        filled(name, fields)


@pytest.mark.parametrize(
    ("sick", "verdict", "drifts", "wanted"),
    [
        ("", "PASS", False, ["all_is_well"]),
        ("", "PASS", True, ["retrain"]),
        ("", "FAIL", False, ["roll_back"]),
        ("", "FAIL", True, ["roll_back", "retrain"]),
        ("", "INCONCLUSIVE", False, ["all_is_well"]),
        ("", "NO_DATA", True, ["retrain"]),
        ("3 of 1500 requests failed", "PASS", False, ["roll_back"]),
        ("20 of 20 requests failed", "NO_DATA", False, ["roll_back"]),
    ],
)
def test_the_monitor_rolls_back_what_fails_or_answers_badly_and_asks_for_training_on_drift(
    sick, verdict, drifts, wanted
):
    found = monitor_flights.judge.function({"sick": sick}, {"persisted": drifts}, {"verdict": verdict})
    assert found == wanted


@pytest.mark.parametrize("verdict", ["PASS", "FAIL", "INCONCLUSIVE", "NO_DATA", "ERROR"])
def test_only_pass_deploys_and_only_pass_promotes(verdict):
    report = {"verdict": verdict}
    assert retrain_flights.decide.function(report) == ("deploy" if verdict == "PASS" else "keep_champion")
    assert retrain_flights.judge.function(report) == ("promote" if verdict == "PASS" else "roll_back")


def test_a_branch_names_tasks_that_exist():
    assert {"deploy", "keep_champion", "promote", "roll_back"} <= set(dag_of("retrain_flights").task_ids)
    assert {"all_is_well", "retrain", "roll_back"} <= set(dag_of("monitor_flights").task_ids)
