from __future__ import annotations

import json

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.core.trust import TrustPolicy
from model_lifecycle.hooks.routed import RoutedServing
from model_lifecycle.releases.opening import open_rollout
from model_lifecycle.releases.rollout import Rollout
from model_lifecycle.stores.trusted import TrustedStore
from tests.servers.haproxy import HaproxyServer

SERVER = {"conn_type": "open_inference", "host": "http://127.0.0.1", "port": 1}


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, connection in {
        "mlflow_default": {"conn_type": "mlflow", "host": "http://127.0.0.1", "port": 1},
        "plain": {**SERVER, "extra": {"server": "scorer"}},
        "lenient": {**SERVER, "extra": {"server": "scorer", "trust": "pickle"}},
    }.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))


def opened(conn_id: str, tmp_path, **more: object) -> Rollout:
    return open_rollout(
        f"{conn_id}/churn", store=(tmp_path / "s").as_uri(), registry_conn_id="mlflow_default", actor={}, **more
    )


def policy(rollout: Rollout) -> TrustPolicy:
    assert isinstance(rollout.store, TrustedStore)
    return rollout.store.policy


def test_nothing_is_trusted_that_nobody_allowed(tmp_path):
    assert policy(opened("plain", tmp_path)) == TrustPolicy()


def test_the_connection_says_what_its_server_may_load_and_the_task_has_the_last_word(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__MODEL_LIFECYCLE__TRUST", "onnx")
    assert "pickle" in policy(opened("lenient", tmp_path)).formats
    assert policy(opened("lenient", tmp_path, trust="torchscript")) == TrustPolicy.parse("torchscript")


def test_the_configuration_says_what_holds_for_all(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__MODEL_LIFECYCLE__TRUST", '{"code": true}')
    assert policy(opened("plain", tmp_path)).code


def test_a_policy_that_cannot_be_read_is_refused_before_anything_is_opened(tmp_path):
    with pytest.raises(Invalid, match="trust"):
        opened("plain", tmp_path, trust="everything")


def test_a_connection_that_names_a_router_stands_behind_it(tmp_path, monkeypatch, haproxy_server: HaproxyServer):
    monkeypatch.setenv("AIRFLOW_CONN_HAPROXY_DEFAULT", haproxy_server.connection)
    extra = {"server": "scorer", "router_conn_id": "haproxy_default"}
    monkeypatch.setenv("AIRFLOW_CONN_ROUTED", json.dumps({**SERVER, "extra": extra}))
    serving = opened("routed", tmp_path).serving
    assert isinstance(serving, RoutedServing)
    assert serving.traffic("churn") == {}
