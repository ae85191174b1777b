from __future__ import annotations

import json

import pytest

from model_lifecycle.core.errors import Invalid
from model_lifecycle.hooks.router import RouterHook, check_traffic, router_hook


def test_a_router_is_found_by_its_connections_type(monkeypatch):
    for kind, name in (("haproxy", "HAProxy"), ("envoy", "Envoy")):
        monkeypatch.setenv("AIRFLOW_CONN_ROUTER", json.dumps({"conn_type": kind, "host": "http://127.0.0.1"}))
        assert router_hook("router").hook_name == name


def test_a_connection_that_routes_nothing_is_invalid(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ROUTER", json.dumps({"conn_type": "mlflow", "host": "http://127.0.0.1"}))
    with pytest.raises(Invalid, match="routes no requests"):
        router_hook("router")


def test_a_router_that_declares_itself_badly_fails_when_its_class_is_made():
    with pytest.raises(TypeError, match="can_mirror"):
        type(
            "Half",
            (RouterHook,),
            {
                **dict.fromkeys(RouterHook.__abstractmethods__, lambda self: None),
                "conn_type": "half",
                "hook_name": "half a router",
            },
        )


@pytest.mark.parametrize("traffic", [{}, {1: 100}, {1: 0, 2: 100}, {1: 33, 2: 33, 3: 34}])
def test_whole_per_cent_that_sum_to_100_are_traffic(traffic):
    check_traffic(traffic, "here")


@pytest.mark.parametrize(
    "traffic", [{1: 0}, {1: 99}, {1: 101}, {1: -1, 2: 101}, {1: 50.0, 2: 50.0}, {1: "100"}, {1: True}]
)
def test_anything_else_is_none(traffic):
    with pytest.raises(Invalid, match="sum to 100"):
        check_traffic(traffic, "here")
