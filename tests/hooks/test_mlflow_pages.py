from __future__ import annotations

import json
from uuid import uuid4

import pytest

from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.hooks.mlflow import API, MlflowHook
from model_lifecycle.hooks.mlflow_pages import RegistryPages, is_web_address

EVIL = '<img src=x onerror="alert(1)">'


@pytest.fixture
def pages(mlflow_connection: str):
    hook = MlflowHook(mlflow_connection)
    yield RegistryPages(hook)
    hook.session.close()


@pytest.fixture
def model(pages) -> str:
    """Three versions, two of which a run has made; the first is the champion."""
    name = f"pages-{uuid4().hex[:8]}"
    post(pages, "registered-models/create", name=name)
    experiment = post(pages, "experiments/create", name=name)["experiment_id"]
    for loss in (0.4, 0.5, None):
        run = post(pages, "runs/create", experiment_id=experiment)["run"]["info"]["run_id"] if loss else None
        if run:
            post(pages, "runs/log-metric", run_id=run, key="loss", value=loss, timestamp=1)
        tags = [{"key": "model_lifecycle.size", "value": "7"}, {"key": "note", "value": EVIL}]
        post(pages, "model-versions/create", name=name, source="s3://b/x", run_id=run, tags=tags)
    post(pages, "registered-models/alias", name=name, alias="champion", version="1")
    return name


def post(pages: RegistryPages, path: str, **body: object):
    return pages.hook.session.call("POST", f"{API}/{path}", json=body).json()


def test_versions_stand_beside_the_champion_though_it_is_on_another_page(pages, model):
    first = pages.versions(model, "", 2)
    assert [one["version"] for one in first["versions"]] == [3, 2]
    (metric,) = first["versions"][1]["metrics"]
    assert (metric["name"], metric["value"], metric["champion"]) == ("loss", 0.5, 0.4)
    assert metric["difference"] == pytest.approx(0.1)
    last = pages.versions(model, first["next"], 2)
    assert [(one["version"], one["aliases"]) for one in last["versions"]] == [(1, ["champion"])]
    assert last["next"] is None


def test_a_version_shows_its_tags_as_they_are_and_its_size(pages, model):
    one = pages.versions(model, "", 1)["versions"][0]
    assert (one["size"], one["tags"], one["metrics"], one["digest"]) == (7, {"note": EVIL}, [], None)


def test_models_are_found_by_a_part_of_their_name(pages, model):
    (found,) = pages.models(model[2:].upper(), "", 10)["models"]
    assert (found["name"], found["aliases"], found["newest"]) == (model, {"champion": 1}, 3)


def test_a_model_that_is_not_there(pages):
    with pytest.raises(NotFound):
        pages.versions("nowhere", "", 10)


@pytest.mark.parametrize("name", ["both ' and \"", "back\\slash", "line\nend"])
def test_what_mlflow_cannot_be_asked_is_refused(pages, name):
    with pytest.raises(Invalid, match="such characters"):
        pages.versions(name, "", 10)


def test_names_that_we_would_not_allow_are_shown(pages):
    name = f"{EVIL} {uuid4().hex}"
    post(pages, "registered-models/create", name=name)
    assert pages.versions(name, "", 10)["versions"] == []
    assert [one["name"] for one in pages.models(name[-32:], "", 10)["models"]] == [name]


def test_a_drift_report_leads_only_where_a_browser_may_go(pages, model):
    assert [pages.judged(model, 1), pages.judged(model, 99)] == [{"drift": None, "check": None}, {}]
    tag = {"name": model, "version": "1"}
    post(pages, "model-versions/set-tag", **tag, key="drift", value="PASS: 0 of 3")
    post(pages, "model-versions/set-tag", **tag, key="drift_report", value="javascript:alert(1)")
    assert pages.judged(model, 1)["drift"] == {"found": "PASS: 0 of 3", "page": None}


def test_what_a_monitor_noted_is_told_and_not_shown_as_provenance(pages, model):
    note = {"endpoint": "a/b", "verdict": "FAIL", "reason": "slow", "at": "2026-11-22T01:00:00+00:00"}
    tag = {"key": "model_lifecycle.monitored", "value": json.dumps(note)}
    post(pages, "model-versions/set-tag", name=model, version="3", **tag)
    assert pages.judged(model, 3)["check"] == {"version": 3, **note, "champion": ""}
    (newest, *_) = pages.versions(model, "", 10)["versions"]
    assert (newest["check"]["verdict"], newest["provenance"]) == ("FAIL", {"size": "7"})


def test_the_versions_that_a_dag_run_registered(pages, model):
    run = f"manual__{uuid4().hex}+00:00"
    for version, name in ((1, "run_id"), (2, "run_id"), (2, "dag_id")):
        value = run if name == "run_id" else "retrain"
        tag = {"key": f"model_lifecycle.{name}", "value": value}
        post(pages, "model-versions/set-tag", name=model, version=str(version), **tag)
    assert [(one["model"], one["version"]) for one in pages.of_run("retrain", run)] == [(model, 2)]
    assert pages.of_run("retrain", "another") == []


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("https://a.example/x#y", True),
        ("http://127.0.0.1:5000/", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//a.example", False),
        ("http:///x", False),
        ("https://a.example/\n", False),
        ("http://[", False),
    ],
)
def test_what_a_link_may_lead_to(address, good):
    assert is_web_address(address) is good
