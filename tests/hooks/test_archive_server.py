"""What the hooks for TorchServe and multi-model-server share, as far as no server is needed for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from model_lifecycle.core.errors import Invalid, NotFound
from model_lifecycle.hooks.archive_server import fault_in, to_answer
from model_lifecycle.hooks.multi_model_server import MultiModelServerHook
from model_lifecycle.hooks.serving import Answer, VersionState
from model_lifecycle.hooks.torchserve import TorchServeHook
from tests.hooks.answering import answering

HOOKS = [TorchServeHook, MultiModelServerHook]


@pytest.fixture
def connect(monkeypatch):
    def connect(hook, host="http://models.example.com", **extra):
        connection = {"conn_type": hook.conn_type, "host": host, "port": 8080, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_TRIED", json.dumps(connection))
        return hook("tried")

    return connect


def worker(status: str, age: float = 0) -> dict:
    return {"status": status, "startTime": (datetime.now(UTC) - timedelta(seconds=age)).isoformat()}


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("archives", [None, "", "store", 7])
def test_staging_needs_the_folder_of_the_server(connect, hook, archives):
    with pytest.raises(Invalid, match="extra archives"):
        connect(hook, archives=archives).stage("churn", 1, "file:///nowhere", None)


@pytest.mark.parametrize("hook", HOOKS)
def test_what_was_not_staged_is_not_found_before_anything_is_asked(connect, hook, tmp_path):
    with pytest.raises(NotFound, match="stage it first"):
        connect(hook, archives=str(tmp_path)).load("churn", 1)


@pytest.mark.parametrize(
    ("host", "extra", "url"),
    [
        ("http://models.example.com", {}, "http://models.example.com:8081"),
        ("models.example.com", {"scheme": "https"}, "https://models.example.com:8081"),
        ("http://[::1]", {}, "http://[::1]:8081"),
        (
            "http://models.example.com/ts",
            {"management": "https://admin.example.com/ts"},
            "https://admin.example.com/ts",
        ),
    ],
)
def test_the_management_api_is_beside_the_inference_api_unless_named(connect, host, extra, url):
    assert connect(TorchServeHook, host, **extra).management.url == url


@pytest.mark.parametrize("value", ["many", 0, -1, float("nan")])
@pytest.mark.parametrize("name", ["workers", "load_timeout"])
def test_numbers_of_the_connection_are_numbers_of_at_least_one(connect, name, value):
    with pytest.raises(Invalid, match=f"extra {name}"):
        getattr(connect(TorchServeHook, **{name: value}), name)


@pytest.mark.parametrize("broken", [{}, [], None, 3, [{"modelVersion": "1"}], {"models": [{}]}, {"minWorkers": 1}])
def test_answers_of_another_server_are_invalid_and_name_the_call(connect, broken):
    paths = ("/models", "/models/churn", "/models/churn/all", "/models/churn~1")
    with answering(dict.fromkeys(paths, broken)) as port:
        for hook, verb in ((TorchServeHook, "traffic"), (MultiModelServerHook, "versions")):
            tried = connect(hook, management=f"http://127.0.0.1:{port}")
            with pytest.raises(Invalid, match=f"the answer to GET /models.* is none of {hook.hook_name}'s"):
                getattr(tried, verb)("churn")


@pytest.mark.parametrize(
    ("workers", "state"),
    [
        ([("READY", 0), ("READY", 0)], VersionState.READY),
        ([("READY", 999), ("READY", 999)], VersionState.READY),
        ([("READY", 0), ("UNLOADING", 0)], VersionState.LOADING),
        ([("READY", 999), ("UNLOADING", 10)], VersionState.LOADING),
        ([("READY", 999), ("UNLOADING", 130)], VersionState.FAILED),
        ([], VersionState.LOADING),
    ],
)
def test_a_version_is_ready_when_all_wanted_workers_are_and_failed_when_the_youngest_is_late(connect, workers, state):
    judged, reason = connect(TorchServeHook).judge_workers([worker(*each) for each in workers], 2)
    assert judged is state
    assert (reason is not None) == (state is VersionState.FAILED)


def response(value, **headers):
    return SimpleNamespace(json=lambda: value, headers=headers)


@pytest.mark.parametrize(
    ("value", "headers", "version"),
    [
        ({"outputs": {"a": [1]}, "model_version": "3"}, {}, 3),
        ({"outputs": {"a": [1]}}, {"x-model-version": "4"}, 4),
        ({"outputs": {"a": [1]}}, {}, None),
        ({"outputs": {"a": [1]}, "model_version": "1.0"}, {}, None),
    ],
)
def test_an_answer_says_its_version_in_the_body_or_in_the_routers_header(value, headers, version):
    assert to_answer(response(value, **headers), "t") == Answer(version, {"a": [1]})


@pytest.mark.parametrize("value", [[1.0], {"outputs": [1]}, {}, "text", None])
def test_another_handlers_answer_is_told_so(value):
    with pytest.raises(Invalid, match="not of a handler that this package put into the archive"):
        to_answer(response(value), "t")


@pytest.mark.parametrize(
    ("value", "fault"), [({"fault": ""}, ""), ({"fault": "x"}, "x"), ({}, None), ([], None), ({"fault": 3}, None)]
)
def test_only_a_handler_of_ours_tells_a_fault(value, fault):
    assert fault_in(value) == fault
